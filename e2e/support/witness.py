"""What the API server tells, from outside of the operator: all changes of a namespace's Tasks, Jobs and pods."""

import http.client
import threading
from collections.abc import Callable

import urllib3
from e2e.support.kube import JOBS, PODS, TASKS, Kind, Kube, Obj, Refused
from e2e.support.notes import Notes
from tests.support.invariants import Fact

TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, Refused)
"""What an API server that is killed answers."""


class Follower:
    """Follows objects of a kind for ever, over any number of deaths of the API server, without a gap."""

    def __init__(self, kube: Kube, kind: Kind, namespace: str, tell: Callable[[Kind, str, Obj], None]) -> None:
        self._kube, self._kind, self._namespace, self._tell = kube, kind, namespace, tell
        self._version, self._over = "", threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join(15)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                for event, obj in self._kube.watch(self._kind, self._namespace, self._version, seconds=5):
                    self._version = obj["metadata"]["resourceVersion"]
                    self._tell(self._kind, event, obj)
            except TROUBLE as error:
                if isinstance(error, Refused) and error.status == 410:
                    self._version = ""  # everything is told anew
                self._over.wait(0.2)


class Witness:
    """What an API server has told, in the order of its one history: facts of all kinds are ordered by their version."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._changes: list[tuple[int, str, str, Obj]] = []
        self._followers = [Follower(kube, kind, namespace, self._hear) for kind in (TASKS, JOBS, PODS)]

    def start(self) -> None:
        """Begin to listen."""
        for follower in self._followers:
            follower.start()

    def stop(self) -> None:
        """End."""
        for follower in self._followers:
            follower.stop()

    def _hear(self, kind: Kind, event: str, obj: Obj) -> None:
        self._changes.append((int(obj["metadata"]["resourceVersion"]), kind.kind, event, obj))

    def notes(self) -> Notes:
        """What was told so far, in order."""
        notes = Notes()
        for version, kind, event, obj in sorted(list(self._changes), key=lambda change: change[0]):
            notes.note(kind, event, obj, version)
        return notes

    @property
    def facts(self) -> list[Fact]:
        """All of them, in order."""
        return self.notes().facts

    def ended(self) -> dict[str, str]:
        """The phase of each Task that has finished, by name."""
        return self.notes().ended()
