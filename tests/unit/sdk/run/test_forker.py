"""The process that forks those of tasks: what it starts, tells and leaves, and who dies with whom."""

from __future__ import annotations

import ctypes
import errno
import json
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

import pytest

from celeriac.run import forked, forker
from celeriac.run.environment import Environment
from celeriac.run.forker import End, Forker
from celeriac.run.parent import Parent

SECONDS = 60
"""What is waited for comes in milliseconds."""


def does(environment: Environment, _parent: Parent) -> None:
    """What the params say."""
    forked.listen()
    what, _, rest = environment.params.partition(" ")
    match what:
        case "exits":
            raise SystemExit(int(rest))
        case "dies":
            os.kill(os.getpid(), int(rest))
        case "leaves":
            subprocess.Popen(["sh", "-c", f"echo $$ > {rest}.new; mv {rest}.new {rest}; sleep 3600"])
            while not Path(rest).exists():
                time.sleep(0.01)
        case "waits":
            prints(str(os.getpid()))
            time.sleep(3600)
        case "descriptors":
            prints(json.dumps(sorted(descriptors())))
        case "variable":
            prints(str(len(os.environ["LONG"])))
        case _:
            raise ValueError(what)
    raise SystemExit(0)


def prints(text: str) -> None:
    """``sys.stdout`` is the test runner's."""
    os.write(1, f"{text}\n".encode())


@contextmanager
def running(by: Forker, number: int, params: str, **env: str) -> Iterator[IO[bytes]]:
    """A process that is asked for: what it prints."""
    (ours, theirs), (reads, writes) = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM), os.pipe()
    with ours, os.fdopen(reads, "rb", buffering=0) as output:
        try:
            by.fork(number, {"CELERIAC_PARAMS": params, **env}, None, theirs, writes)
        finally:
            theirs.close()
            os.close(writes)
        yield output


def line(output: IO[bytes]) -> str:
    """What it prints next; empty: nothing has its output any more."""
    ready, _, _ = select.select([output], [], [], SECONDS)
    assert ready, "it has printed nothing"
    return output.readline().decode().strip()


@contextmanager
def forking() -> Iterator[Forker]:
    by = forker.start(does)
    try:
        yield by
    finally:
        leave(by)


def leave(by: Forker) -> None:
    """The worker ends."""
    by._requests.close()
    with suppress(EOFError):
        while True:
            end(by)
    os.close(by.ends)
    os.waitpid(by.pid, 0)


def end(by: Forker) -> End:
    ready, _, _ = select.select([by.ends], [], [], SECONDS)
    assert ready, "no process has ended"
    (found,) = by.ended()
    return found


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param("exits 0", 0, id="it leaves"),
        pytest.param("exits 7", 7, id="it leaves with a code"),
        pytest.param("dies 9", -9, id="it is killed"),
        pytest.param("unknown", 1, id="it raises what nobody catches"),
    ],
)
def test_the_end_of_a_process_is_told_with_its_code(params: str, code: int) -> None:
    with forking() as by, running(by, 3, params):
        assert end(by) == End(3, code, 0)


def test_a_signal_reaches_the_process_of_that_number_and_no_other() -> None:
    with forking() as by, running(by, 1, "waits") as first, running(by, 2, "waits") as second:
        assert line(first)
        assert line(second)
        for number in (7, 2):
            by.signal(number, signal.SIGKILL)
        assert end(by) == End(2, -signal.SIGKILL, 0)
        by.signal(2, signal.SIGKILL)
        by.signal(1, signal.SIGKILL, group=True)
        assert end(by) == End(1, -signal.SIGKILL, 0)


def test_what_a_process_has_left_is_gone_once_its_end_is_told(tmp_path: Path) -> None:
    with forking() as by, running(by, 1, f"leaves {tmp_path / 'pid'}") as output:
        assert end(by) == End(1, 0, 0)
        assert line(output) == ""
        assert _state((tmp_path / "pid").read_text().strip()) in ("", "Z")


def test_what_a_process_has_left_is_waited_for(tmp_path: Path) -> None:
    """Or the pod may soon have no more processes: its first one, which the worker is, waits for none of them."""
    with first_of_a_pod(), forking() as by, running(by, 1, f"leaves {tmp_path / 'pid'}"):
        assert end(by) == End(1, 0, 0)
        until = time.monotonic() + SECONDS
        while _state((tmp_path / "pid").read_text().strip()):
            assert time.monotonic() < until
            time.sleep(0.01)


@contextmanager
def first_of_a_pod() -> Iterator[None]:
    """Processes whose parent has ended become this one's."""
    prctl = ctypes.CDLL(None).prctl
    prctl(forker._PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(forker._PR_SET_CHILD_SUBREAPER, 0)


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_a_process_has_its_standard_streams_and_its_link_and_no_more() -> None:
    """What others have would keep their ends from being seen."""
    inherited = descriptors()
    with forking() as by, running(by, 1, "waits") as waiting:
        assert line(waiting)
        with running(by, 2, "descriptors") as output:
            found = set(json.loads(line(output)))
            assert end(by) == End(2, 0, 0)
        assert len(found - inherited) <= 1


def test_variables_of_any_length_reach_it() -> None:
    with forking() as by, running(by, 1, "variable", LONG="x" * 3_000_000) as output:
        assert line(output) == "3000000"
        assert end(by) == End(1, 0, 0)


def test_nothing_is_left_once_the_worker_has_gone() -> None:
    by = forker.start(does)
    with running(by, 1, "waits") as output:
        assert line(output)
        leave(by)
        assert line(output) == ""


def test_the_worker_sees_that_it_was_killed_though_its_processes_live() -> None:
    by = forker.start(does)
    with running(by, 1, "waits") as output:
        pid = int(line(output))
        os.kill(by.pid, signal.SIGKILL)
        os.waitid(os.P_PID, by.pid, os.WEXITED | os.WNOWAIT)  # what it has is closed one after the other
        with pytest.raises(EOFError):
            end(by)
        with pytest.raises(OSError, match="Broken pipe"), running(by, 2, "waits"):
            pass
        by.signal(1, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    leave(by)


def test_a_process_that_the_system_does_not_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with serving() as (server, by):
        mask, files = signal.pthread_sigmask(signal.SIG_BLOCK, ()), descriptors()
        with running(by, 5, "waits"):
            server._carry_out()
        assert end(by) == End(5, 1, errno.EAGAIN)
        assert (signal.pthread_sigmask(signal.SIG_BLOCK, ()), descriptors()) == (mask, files)


@contextmanager
def serving() -> Iterator[tuple[forker._Server, Forker]]:
    """That process's part in this one."""
    (requests, theirs), (reads, writes) = socket.socketpair(), os.pipe()
    server = forker._Server(does, theirs, writes)
    with requests, theirs:
        yield server, Forker(requests, reads, 0)
    for descriptor in (reads, writes, server._woken, server._wakes):
        os.close(descriptor)


@contextmanager
def ended() -> Iterator[int]:
    """The number of a process that leads a group and has ended; whoever is told may wait for it."""
    pid = os.posix_spawn("/bin/true", ["true"], {}, setpgroup=0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_process_that_somebody_else_has_waited_for_has_ended() -> None:
    """Such as a thread that the module begins in each process."""
    with serving() as (server, by), ended() as pid:
        os.waitpid(pid, 0)
        server._pids[5] = pid
        server._reap()
        assert end(by) == End(5, 1, 0)


def test_a_process_that_may_not_be_killed_ends_itself_and_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has become another user's."""

    def refused(*_: int) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with serving() as (server, by), ended() as pid:
        monkeypatch.setattr(os, "kill", refused)
        monkeypatch.setattr(os, "killpg", refused)
        server._pids[5] = pid
        for group in (False, True):
            by.signal(5, signal.SIGTERM, group=group)
            server._carry_out()
        server._reap()
        assert end(by) == End(5, 0, 0)


def test_a_process_whose_descriptors_the_system_has_dropped_is_not_started() -> None:
    files = descriptors()
    with serving() as (server, by):
        by._send(("fork", 5, {}, None), (0,))
        server._carry_out()
        assert end(by) == End(5, 1, errno.EMFILE)
    assert descriptors() == files


def test_ends_are_heard_of_though_the_module_has_blocked_their_signal() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        with forking() as by, running(by, 1, "exits 0"):
            assert end(by) == End(1, 0, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_process_that_the_module_began_on_import_outlives_a_task() -> None:
    """multiprocessing ends those that are daemons with the process that began them."""
    module = multiprocessing.get_context("fork").Process(target=time.sleep, args=(SECONDS,), daemon=True)
    module.start()
    with forking() as by, running(by, 1, "exits 0"):
        assert end(by) == End(1, 0, 0)
    module.join(0.2)
    assert module.is_alive()
    module.kill()
    module.join()


def test_what_is_printed_outside_of_the_tasks_is_in_no_log_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an object that is collected before the fork, or by what the module does after each: it has not left yet."""
    fork = os.fork

    def prints_after_it() -> int:
        pid = fork()
        if pid:
            log.write(f"{os.getpid()} has forked {pid}\n")
        return pid

    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stdout", log)
        monkeypatch.setattr(os, "fork", prints_after_it)
        log.write("collected\n")
        with forking() as by:
            for number in range(3):
                with running(by, number, "exits 0"):
                    assert end(by) == End(number, 0, 0)
    lines = (tmp_path / "log").read_text().splitlines()
    assert "collected" in lines
    assert sorted(lines) == sorted(set(lines))


def descriptors() -> set[int]:
    return {int(each.name) for each in Path("/proc/self/fd").iterdir() if each.exists()}
