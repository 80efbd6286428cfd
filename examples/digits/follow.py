"""Following the sweep's Tasks as they change, through one watch: nothing here asks again and again.

What is shown is read from the same status that `kubectl get task -o yaml` shows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import urllib3
from e2e.support.kube import TASKS, Kube, Refused

from celeriac import TaskStatus

WATCH_SECONDS = 30


@dataclass(frozen=True)
class State:
    """One Task as it was last seen."""

    name: str
    params: dict[str, Any]
    status: TaskStatus

    @property
    def phase(self) -> str:
        """The phase; a Task that the operator has not looked at yet is Pending."""
        return str(self.status.phase or "Pending")

    @property
    def finished(self) -> bool:
        """Whether it has one of the four ends."""
        condition = self.status.condition("Finished")
        return condition is not None and condition.status == "True"

    @property
    def place(self) -> tuple[str, int]:
        """How far it has come."""
        return self.phase, self.status.attempt_count or 0

    @property
    def message(self) -> str:
        """Why it is in that phase: what the operator says."""
        return self.status.message or ""

    def measured(self, what: str) -> float | None:
        """A number of the result."""
        value = self.status.result.value if self.status.result else None
        number = value.get(what) if isinstance(value, dict) else None
        return float(number) if isinstance(number, int | float) else None


@dataclass
class Sweep:
    """All Tasks of the sweep as they were last seen."""

    expected: int
    states: dict[str, State] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    @property
    def finished(self) -> int:
        """How many have ended; it is asked at every change, so it must not look at all of them."""
        return len(self._ended)

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return self.finished >= self.expected

    def take(self, manifest: dict[str, Any]) -> State | None:
        """Remember the Task as it is now; returns it if it has moved on: a new phase, or a new attempt."""
        meta = manifest["metadata"]
        status = TaskStatus.model_validate(manifest.get("status") or {})
        new = State(meta["name"], manifest["spec"].get("params") or {}, status)
        old = self.states.get(new.name)
        self.states[new.name] = new
        if new.finished:
            self._ended.add(new.name)
        return new if old is None or old.place != new.place else None

    def forget(self, name: str) -> None:
        """A Task was deleted."""
        self.states.pop(name, None)
        self._ended.discard(name)


def changes(kube: Kube, namespace: str, selector: str, sweep: Sweep, patience: float) -> Iterator[State]:
    """Every visible change, until all have ended.

    Raises:
        TimeoutError: nothing has changed for so many seconds.
    """
    last = time.monotonic()
    while not sweep.done:
        for manifest in _objects(kube, namespace, selector, sweep):
            change = sweep.take(manifest)
            if change is not None:
                last = time.monotonic()
                yield change
            if sweep.done:
                return
        if time.monotonic() - last > patience:
            raise TimeoutError(f"Nothing has changed for {patience:.0f} s.")


def _objects(kube: Kube, namespace: str, selector: str, sweep: Sweep) -> Iterator[dict[str, Any]]:
    """The Tasks as they are, then each that changes, until the watch ends; a broken one only means to list again."""
    try:
        listing = json.loads(kube.text(TASKS.path(namespace), {"labelSelector": selector}))
        yield from listing["items"]
        version = listing["metadata"]["resourceVersion"]
        for event, manifest in kube.watch(TASKS, namespace, version, labels=selector, seconds=WATCH_SECONDS):
            if event == "DELETED":
                sweep.forget(manifest["metadata"]["name"])
            else:
                yield manifest
    except (Refused, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, Refused) and error.status not in (410, 429, 500, 503, 504):
            raise
        time.sleep(1)
