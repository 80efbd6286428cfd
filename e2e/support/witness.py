"""What an API server tells from outside of the operator, and the whole history, which only etcd has."""

import base64
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from e2e.support.kube import JOBS, PODS, TASKS, Kind, Kube, Obj, Refused, lines
from e2e.support.notes import Notes

TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, Refused)
"""What an API server that is killed answers."""
_EVERYTHING = ("/registry/", "/registry0")


class Follower:
    """Follows objects of a kind for ever, over any number of deaths of the API server.

    What changed shortly before such a death may be told late, as what there is by then.
    """

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


class Listener:
    """What an API server has told, in the order of its one history: facts of all kinds are ordered by their version.

    For a cluster whose etcd nobody can ask, as a `Witness` does.
    """

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
        notes = Notes(controlled=True)
        for version, kind, event, obj in sorted(list(self._changes), key=lambda change: change[0]):
            notes.note(kind, event, obj, version)
        return notes


class Witness(threading.Thread):
    """Tells every change of a namespace's objects with its revision, in order: it reads them from etcd.

    A watch of the API server has gaps: one that was started anew knows nothing of what was written shortly before, and
    facts would be judged in an order that they never had.

    Args:
        url: of etcd, where objects are stored as JSON, and whose history is never compacted.
        tell: of the kind, the event, the object and the revision.
    """

    def __init__(self, url: str, namespace: str, tell: Callable[[str, str, Obj, int], None]) -> None:
        super().__init__(daemon=True)
        self._url, self._namespace, self._tell = url, namespace, tell
        self._next, self._over = 1, threading.Event()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self.join(15)

    def run(self) -> None:
        """Until it is told to stop, over any number of deaths of etcd."""
        with urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=5), retries=False) as pool:
            while not self._over.is_set():
                with contextlib.suppress(*TROUBLE):
                    self._follow(pool)
                self._over.wait(0.2)

    def _follow(self, pool: urllib3.PoolManager) -> None:
        first, last = (base64.b64encode(key.encode()).decode() for key in _EVERYTHING)
        asked = {"key": first, "range_end": last, "start_revision": str(self._next), "prev_kv": True}
        response = pool.request("POST", f"{self._url}/v3/watch", json={"create_request": asked}, preload_content=False)
        try:
            for line in lines(response):
                for revision, event, obj in changes(line):
                    self._next = revision + 1
                    if obj.get("metadata", {}).get("namespace") == self._namespace:
                        self._tell(obj["kind"], event, obj, revision)
                if self._over.is_set():
                    return
        finally:
            response.close()


def changes(line: bytes) -> Iterator[tuple[int, str, Obj]]:
    """Revision, event and object of each change that a line of etcd's watch tells; what is no JSON is an empty one."""
    for told in json.loads(line).get("result", {}).get("events", ()):
        gone = told.get("type") == "DELETE"
        yield int(told["kv"]["mod_revision"]), "DELETED" if gone else "MODIFIED", _stored(told, gone)


def _stored(told: dict[str, Any], gone: bool) -> Obj:
    value = told.get("prev_kv" if gone else "kv", {}).get("value", "")
    try:
        obj = json.loads(base64.b64decode(value))
    except ValueError:
        return {}
    return obj if isinstance(obj, dict) else {}
