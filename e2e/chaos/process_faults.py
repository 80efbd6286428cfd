"""What goes wrong with processes: of the operator too little memory, a sleep that is too long; and Tasks' own end."""

import contextlib
import os
import secrets
import signal
import time
from pathlib import Path

import pytest
from e2e.chaos.faults import Fault
from e2e.chaos.laboratory import NAMESPACE
from e2e.support.kube import TASKS
from e2e.support.operator import DEPOSED, LocalOperator

_MEMORY = Path("/sys/fs/cgroup/memory")
_LIMITS = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")


class OutOfMemory(Fault):
    """The kernel kills the operator, as its cgroup has less memory than it needs; then it is started again."""

    def begin(self) -> None:
        self.group = _MEMORY / f"celeriac-chaos-{secrets.token_hex(4)}"
        if not (_MEMORY / _LIMITS[0]).exists() or not os.access(_MEMORY, os.W_OK):
            pytest.skip("needs root and the memory controller of cgroup v1")

    def meanwhile(self) -> None:
        for _ in range(4):
            time.sleep(self.dice.uniform(0.5, 2))  # the moment is the fault
            self._starve()
            self.lab.operator.start()
            self.lab.operator.wait_ready()

    def _starve(self) -> None:
        """A new cgroup each time: its limit is below what the process will touch next."""
        self.group.mkdir()
        try:
            (self.group / _LIMITS[0]).write_text(str(256 * 1024))
            (self.group / "cgroup.procs").write_text(str(self.lab.operator.pid))
            self._ask_until_it_ends()
            assert self.lab.operator.exit_code(60) == -signal.SIGKILL
            self.times += 1
        finally:
            self.group.rmdir()

    def _ask_until_it_ends(self) -> None:
        """What answers needs memory."""
        with contextlib.suppress(OSError):
            for _ in range(5000):
                self.lab.operator.metrics()


class Zombie(Fault):
    """The leader stands still until another replica has taken its Lease; then it goes on where it was, and must not."""

    def meanwhile(self) -> None:
        first, path = self.lab.operator, self.lab.kubeconfig
        assert self.lab.wait(lambda: _leads(first)), "nobody leads"
        second = LocalOperator(path, [NAMESPACE], path.with_name("second.log"), name="second", **self.lab.settings)
        second.start()
        try:
            second.wait_ready()
            process = first.pid
            self._sleep(first, second)
            assert self.lab.wait(lambda: first.pid != process), "it has not ended"  # and is started again
            first.wait_ready()
            self._sleep(second, first)
            assert second.exit_code(60) == DEPOSED
        finally:
            second.kill()

    def _sleep(self, leader: LocalOperator, other: LocalOperator) -> None:
        leader.freeze()
        self.lab.submit(f"asleep{self.times}", 4)
        assert self.lab.wait(lambda: _leads(other)), "nobody took over"
        self.lab.wait_finished()
        leader.thaw()
        self.times += 1


def _leads(operator: LocalOperator) -> bool:
    return operator.metrics().total("celeriac_leader") == 1


class TasksKilled(Fault):
    """SIGKILL to the process of each of eight Tasks' first attempts: each is one attempt, and the next one succeeds."""

    shots = 8

    def meanwhile(self) -> None:
        self._dead = set[str]()
        for number in range(self.shots):
            name = f"shot-{number}"
            self.lab.office.submit(self.lab.named(name, 5, 0))
            self.lab.expected[name] = "Succeeded"
        assert self.lab.wait(self._all_dead), f"only {sorted(self._dead)} have run"

    def _all_dead(self) -> bool:
        for each in self.lab.kube.list(TASKS, NAMESPACE):
            name, attempts = each["metadata"]["name"], (each.get("status") or {}).get("attempts", ())
            first = len(attempts) == 1 and attempts[0].get("podUID")
            if name.startswith("shot-") and name not in self._dead and first and _kill_of_pod(first):
                self._dead.add(name)
                self.times += 1
        return len(self._dead) == self.shots


def _kill_of_pod(uid: str) -> bool:
    """SIGKILL to what runs in a pod; whether anything does."""
    mark, found = f"CELERIAC_POD_UID={uid}".encode(), False
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
                found = True
    return found
