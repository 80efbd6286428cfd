"""What happened, as facts for the invariant checker, each with the moment at which it did."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.invariants import Deleted, Ended, Fact, JobMade, JobTaken, Made, Started, Wrote, finished

from celeriac.wire.names import SUBMISSION
from celeriac_operator.core import names
from celeriac_operator.dev.store import Change

Raw = dict[str, Any]
Moment = float
"""Orders facts: Unix time, or the version of an object, never both in one run."""


@dataclass
class Notes:
    """The facts, as changes of objects tell them, and as processes do that waited for their task.

    Args:
        book: the file that these write a line to: see e2e/chaos/work.py.
        controlled: a real Job controller makes the pods. Where kube-apiserver was killed before it answered, that may
            make a second one.
    """

    book: Path | None = None
    controlled: bool = False
    _noted: list[tuple[Moment, Fact]] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _statuses: dict[str, Raw] = field(default_factory=dict)
    _attempts: dict[str, tuple[str, int]] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)
    _pods: dict[str, str] = field(default_factory=dict)
    twins: set[tuple[str, int]] = field(default_factory=set)
    """Attempts that got a second pod."""
    gone: dict[str, Moment] = field(default_factory=dict)
    """When pods ended, by uid and by name."""
    collected: set[str] = field(default_factory=set)
    """Names of Jobs whose pod Kubernetes took for gone with its node."""

    @property
    def facts(self) -> list[Fact]:
        """All of them, in order."""
        return [fact for _, fact in sorted([*self._noted, *self._written()], key=lambda noted: noted[0])]

    def add(self, fact: Fact, when: Moment | None = None) -> None:
        """Something that no object tells; now, if nothing else is said."""
        self._noted.append((_now() if when is None else when, fact))

    def hear(self, change: Change) -> None:
        """The store has changed."""
        self.note(change.kind.kind, change.event, change.raw, _now())

    def note(self, kind: str, event: str, raw: Raw, when: Moment) -> None:
        """An object has changed."""
        told = {"Task": self._task, "Job": self._job, "Pod": self._pod}.get(kind, _nothing)
        for fact in told(event, raw["metadata"], raw.get("status") or {}, when):
            self.add(fact, when)

    def _task(self, event: str, meta: Raw, status: Raw, _when: Moment) -> Iterator[Fact]:
        uid = meta["uid"]
        if event == "DELETED":
            yield Deleted(uid)
            return
        if uid not in self._names:
            self._names[uid] = meta["name"]
            yield Made(uid, meta["name"], (meta.get("annotations") or {}).get(SUBMISSION))
        if status != self._statuses.get(uid, {}) and isinstance(status.get("attempts", []), list):
            self._statuses[uid] = status
            yield Wrote(uid, status)

    def _job(self, event: str, meta: Raw, _status: Raw, _when: Moment) -> Iterator[Fact]:
        owner: Raw = next(iter(meta.get("ownerReferences") or ()), {})
        if owner.get("kind") != "Task":
            return
        new = meta["uid"] not in self._attempts
        attempt = self._attempts[meta["uid"]] = (owner["uid"], names.attempt_of(meta["name"]))
        if event == "DELETED":
            yield JobTaken(*attempt)
        elif new:
            yield JobMade(*attempt, "default")

    def _pod(self, event: str, meta: Raw, status: Raw, when: Moment) -> Iterator[Fact]:
        state: Raw = next(iter(status.get("containerStatuses") or ()), {}).get("state", {})
        now, uid = next(iter(state), ""), meta["uid"]
        if event == "DELETED" or now == "terminated":
            self.gone |= {each: when for each in (uid, meta["name"]) if each not in self.gone}
        owner: Raw = next(iter(meta.get("ownerReferences") or ()), {})
        if owner and any(map(_of_a_lost_node, status.get("conditions") or ())):
            self.collected.add(owner["name"])
        attempt = self._attempts.get(owner.get("uid", ""))
        if attempt is not None and self.controlled and self._pods.setdefault(owner["uid"], uid) != uid:
            yield from self._twin(attempt)
        if attempt is None or self._states.get(uid) == "terminated":
            return
        if self.controlled and self._fell_silent(event, uid, status):
            self._states[uid] = "terminated"
            yield Ended(*attempt, uid, 137)
            return
        if now == self._states.get(uid, "") or now not in ("running", "terminated"):
            return
        if uid not in self._states:
            yield Started(*attempt, uid)
        if now == "terminated":
            yield Ended(*attempt, uid, state["terminated"]["exitCode"])
        self._states[uid] = now

    def _fell_silent(self, event: str, uid: str, pod: Raw) -> bool:
        """Whether a pod that ran has ended, and its process has not said so: its node has gone."""
        over = event == "DELETED" or pod.get("phase") in ("Succeeded", "Failed")
        told = any("terminated" in each["state"] for each in pod.get("containerStatuses") or ())
        return over and not told and self._states.get(uid) == "running"

    def _twin(self, attempt: tuple[str, int]) -> Iterator[Fact]:
        if attempt not in self.twins:
            self.twins.add(attempt)
            yield JobTaken(*attempt)

    def _written(self) -> Iterator[tuple[Moment, Fact]]:
        """The lines of the book. A process that was killed has written no end: it ended with its pod."""
        going_on = set[tuple[str, int, str]]()
        for line in self.book.read_text().splitlines() if self.book is not None and self.book.exists() else ():
            when, uid, attempt, pod, what = line.split()
            if pod in self._states:
                continue  # no pod waited, so it has one of its own, which tells the same
            if what == "start":
                going_on.add((uid, int(attempt), pod))
                yield float(when), Started(uid, int(attempt), pod)
            else:
                going_on.discard((uid, int(attempt), pod))
                yield float(when), Ended(uid, int(attempt), pod, int(what))
        for uid, number, pod in sorted(going_on):
            if pod in self.gone:
                yield self.gone[pod], Ended(uid, number, pod, 137)

    def ended(self) -> dict[str, str]:
        """The phase of each Task that has finished, by name."""
        return {self._names[uid]: status["phase"] for uid, status in dict(self._statuses).items() if finished(status)}


def _of_a_lost_node(condition: Raw) -> bool:
    by_whom = ("DeletionByPodGC", "DeletionByTaintManager")
    return condition["type"] == "DisruptionTarget" and condition.get("reason") in by_whom


def _nothing(_event: str, _meta: Raw, _status: Raw, _when: Moment) -> Iterator[Fact]:
    yield from ()


def _now() -> Moment:
    return datetime.now(UTC).timestamp()
