"""What goes wrong between the operator and the API server, and with what is stored there."""

import random
import time
from functools import reduce

from e2e.chaos.laboratory import NAMESPACE, Laboratory
from e2e.support.kube import JOBS, PODS, Obj
from e2e.support.manifests import definition
from e2e.support.proxy import NO_TROUBLE, Trouble

from celeriac_operator.core import names
from celeriac_operator.dev.kinds import KINDS

COUNT = 16
WRITE = ("POST", "PATCH", "PUT", "DELETE")


class Fault:
    """Something that goes wrong again and again while Tasks are under way; how often it did."""

    def __init__(self, lab: Laboratory, dice: random.Random) -> None:
        self.lab, self.dice, self.times = lab, dice, 0

    def hit(self, chance: float) -> bool:
        struck = self.dice.random() < chance
        self.times += struck
        return struck

    def begin(self) -> None:
        """Before the Tasks are submitted."""

    def meanwhile(self) -> None:
        """While they are under way."""

    def end(self) -> None:
        """From now on all is well."""
        self.lab.api.trouble = lambda _method, _path: NO_TROUBLE
        self.lab.api.tells = lambda _path, line: line


class Killed(Fault):
    """SIGKILL at any moment."""

    def meanwhile(self) -> None:
        for _ in range(6):
            time.sleep(self.dice.uniform(0.2, 2.5))  # the moment is the fault
            self.lab.operator.kill_and_start()
            self.times += 1
        self.lab.operator.wait_ready()


class KilledAtWrites(Fault):
    """SIGKILL before every third write is sent, and after every third one is stored."""

    def begin(self) -> None:
        self.lab.api.before = lambda number: self._at(number, 0)
        self.lab.api.after = lambda number: self._at(number, 1)

    def _at(self, number: int, turn: int) -> None:
        if number % 3 == turn and self.times < 20:
            self.times += 1
            self.lab.operator.kill_and_start()
            raise ConnectionAbortedError

    def end(self) -> None:
        self.lab.api.before = self.lab.api.after = lambda _number: None
        self.lab.operator.wait_ready()


class Away(Fault):
    """Nobody answers for ten seconds."""

    seconds = 10

    def meanwhile(self) -> None:
        time.sleep(1)
        self.lab.api.line.cut()
        time.sleep(self.seconds)
        self.lab.api.line.heal()
        self.times += 1


class AwayLong(Away):
    """Nobody answers for a minute: longer than a Lease, and than kopf tries again. The operator starts blind."""

    seconds = 60

    def meanwhile(self) -> None:
        process = self.lab.operator.pid
        super().meanwhile()
        assert self.lab.operator.pid != process, "it went on without its Lease"


class Deaf(Fault):
    """Requests arrive, and for twenty seconds nothing comes back: the leader must end before its Lease does."""

    def meanwhile(self) -> None:
        time.sleep(self.dice.uniform(0.5, 1.5))  # the moment is the fault
        process = self.lab.operator.pid
        self.lab.api.line.hush()
        time.sleep(20)
        assert self.lab.wait(lambda: self.lab.operator.pid != process), "it goes on without its Lease"
        self.lab.api.line.speak()
        self.times += 1


class Errors(Fault):
    """Three requests of ten are answered 429, 500 or 503."""

    def begin(self) -> None:
        self.lab.api.trouble = self._trouble

    def _trouble(self, _method: str, path: str) -> Trouble:
        if "watch=true" in path or not self.hit(0.3):
            return NO_TROUBLE
        return Trouble(status=self.dice.choice((429, 500, 503)))


class Unauthorized(Fault):
    """Credentials are refused for five seconds, as by an API server that has just started: the operator goes on."""

    def meanwhile(self) -> None:
        process = self.lab.operator.pid
        for _ in range(3):
            time.sleep(self.dice.uniform(0.3, 1.5))  # the moment is the fault
            self.lab.api.trouble = lambda _method, _path: Trouble(status=401)
            self.lab.api.line.cut()
            self.lab.api.line.heal()
            time.sleep(5)
            self.lab.api.trouble = lambda _method, _path: NO_TROUBLE
            self.times += 1
        assert self.lab.operator.pid == process, "it has ended over a 401"


class Resets(Fault):
    """Two requests of ten find their connection closed."""

    def begin(self) -> None:
        self.lab.api.trouble = lambda _method, _path: Trouble(reset=self.hit(0.2))


class RepliesLost(Fault):
    """Three writes of ten are carried out and not answered."""

    def begin(self) -> None:
        self.lab.api.trouble = lambda method, _path: Trouble(reply_lost=method in WRITE and self.hit(0.3))


class Swallowed(Fault):
    """Four events of ten are lost, and each fifteenth is a 410 instead."""

    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'

    def begin(self) -> None:
        self.lab.api.tells = self._tells

    def _tells(self, _path: str, line: bytes) -> bytes:
        if self.hit(1 / 15):
            return self.gone
        return b"" if self.hit(0.4) else line


ERROR = b'{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError","message":"trouble"}}\n'


class Garbled(Fault):
    """Three lines of ten that tell of Tasks and pods are errors that are no 410, or nothing that an API server says.

    The operator goes on.
    """

    lines = (
        ERROR,
        b"<html>busy</html>\n",
        b'[{"type":\n',
        b"7\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"ERROR","object":7}\n',
    )

    def begin(self) -> None:
        self.process = self.lab.operator.pid
        self.lab.api.tells = self._tells

    def _tells(self, path: str, line: bytes) -> bytes:
        followed = "/pods" in path or "/tasks" in path
        return self.dice.choice(self.lines) if followed and self.hit(0.3) else line

    def end(self) -> None:
        super().end()
        assert self.lab.operator.pid == self.process, "the operator has ended over what a watch told"


class Broken(Fault):
    """A watch of kopf's ends with an error that is no 410: the operator ends, and is started again."""

    def begin(self) -> None:
        self.lab.api.tells = self._tells

    def _tells(self, path: str, line: bytes) -> bytes:
        if "/taskdefinitions" in path and not self.times:
            self.times += 1
            return ERROR
        return line

    def meanwhile(self) -> None:
        self.lab.kube.create(definition("news", "true"), NAMESPACE)
        self.lab.operator.exit_code(60)
        self.lab.operator.start()


class Frozen(Fault):
    """Watches of Tasks and pods say nothing for half a minute."""

    def meanwhile(self) -> None:
        until = time.monotonic() + 30

        def tells(_path: str, line: bytes) -> bytes:
            left = max(until - time.monotonic(), 0)
            self.times += left > 0
            time.sleep(left)
            return line

        self.lab.api.tells = tells
        self.lab.submit("frozen", COUNT // 2)


class Late(Fault):
    """What happens to pods is heard five seconds later."""

    def begin(self) -> None:
        self.lab.api.tells = self._tells

    def _tells(self, path: str, line: bytes) -> bytes:
        if "/pods" in path and self.hit(0.3):
            time.sleep(5)
        return line


class Deletions(Fault):
    """Somebody deletes pods and Jobs of Tasks that are under way: a disruption, and never a second start."""

    def meanwhile(self) -> None:
        for _ in range(12):
            time.sleep(self.dice.uniform(0.1, 0.6))  # the moment is the fault
            there = [(kind, raw) for kind in (PODS, JOBS) for raw in self.lab.kube.list(kind, NAMESPACE)]
            going_on = [(kind, raw) for kind, raw in there if _goes_on(raw)]
            if going_on:
                kind, raw = self.dice.choice(going_on)
                self.lab.kube.delete(kind, NAMESPACE, raw["metadata"]["name"])
                self.times += 1


def _goes_on(raw: Obj) -> bool:
    status = raw.get("status") or {}
    return not status.get("conditions") or status.get("phase") == "Running"


class Poison(Fault):
    """Tasks, pods and Jobs of another shape are stored; the operator starts over them."""

    def begin(self) -> None:
        for name, raw in POISON.items():
            kind = next(kind for kind in KINDS if kind.kind == raw["kind"])
            self.lab.store(kind, {**raw, "metadata": {**raw.get("metadata", {}), "name": name}})
            self.times += 1
        self.lab.operator.kill_and_start()
        self.lab.operator.wait_ready()


NESTED: Obj = reduce(lambda inner, _: {"a": inner}, range(100), {})
OURS = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.TASK_LABEL: "t-0"}
POISON: dict[str, Obj] = {
    "no-container": {"kind": "Task", "spec": {"container": 7}},
    "no-spec": {"kind": "Task", "spec": []},
    "odd-status": {"kind": "Task", "spec": {"container": {"image": "x"}}, "status": {"attempts": {"a": 1}}},
    "deep": {"kind": "Task", "spec": {"container": {"image": "x"}, "params": NESTED}},
    "long-grace": {
        "kind": "Pod",
        "metadata": {"labels": OURS, "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 2**62},
        "spec": {},
        "status": {"phase": "Running"},
    },
    "odd-job": {"kind": "Job", "metadata": {"labels": OURS}, "spec": {}, "status": {"conditions": "none"}},
    "odd-queue": {"kind": "TaskQueue", "spec": {"maxConcurrency": "many"}},
    "odd-definition": {"kind": "TaskDefinition", "spec": {"container": []}},
}


class Slow(Fault):
    """Each request takes 200 ms longer."""

    def begin(self) -> None:
        self.lab.api.trouble = self._trouble

    def _trouble(self, _method: str, _path: str) -> Trouble:
        self.times += 1
        return Trouble(delay=0.2)
