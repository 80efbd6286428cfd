"""The objects of the API server in memory: versions, owners, graceful ends, and what watches are told."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celeriac_operator.dev.kinds import JOBS, PODS, Kind

Raw = dict[str, Any]
Address = tuple[Kind, str, str]
"""Kind, namespace (empty where the kind has none) and name."""

KEPT_CHANGES = 20_000
"""A watch that is further behind has to list again."""


class Conflict(Exception):  # noqa: N818 -- names what it is, as the other errors do
    """The object has changed, or is another one."""


class TooOld(Exception):  # noqa: N818 -- as above
    """What a watch asks for is not kept any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch is told."""

    version: int
    kind: Kind
    event: str
    """``ADDED``, ``MODIFIED`` or ``DELETED``."""
    raw: Raw


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """All objects. What is given out is a copy of nobody's: who changes it, copies it before."""

    def __init__(self) -> None:
        self._objects: dict[Address, Raw] = {}
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._news = asyncio.Event()
        self._version = 1
        self.heard: list[Callable[[Change], None]] = []
        """Are told of each change, at once; the executor is one of them."""

    @property
    def version(self) -> int:
        """The version of the last change."""
        return self._version

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """An object; None where there is none."""
        return self._objects.get((kind, namespace if kind.namespaced else "", name))

    def list(self, kind: Kind, namespace: str | None) -> Iterator[Raw]:
        """All of a kind, of one namespace or of all."""
        for (found, where, _), raw in sorted(self._objects.items(), key=lambda item: item[0][1:]):
            if found == kind and namespace in (None, where):
                yield raw

    def create(self, kind: Kind, namespace: str, raw: Raw) -> Raw:
        """A new object. Raises Conflict: the name is taken."""
        meta = raw["metadata"]
        if not meta.get("name"):
            meta = {**meta, "name": f"{meta.get('generateName', '')}{uuid.uuid4().hex[:5]}"}
        if self.get(kind, namespace, meta["name"]) is not None:
            raise Conflict(f'{kind.plural} "{meta["name"]}" already exists')
        made = {
            **meta,
            **({"namespace": namespace} if kind.namespaced else {}),
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": timestamp(),
        }
        return self._put(kind, {**raw, "metadata": made}, "ADDED")

    def update(self, kind: Kind, old: Raw, new: Raw) -> Raw:
        """Another state of an object; what is the API server's own stays. Raises Conflict: it is not that state's."""
        given, meta = new["metadata"], old["metadata"]
        for field in ("uid", "resourceVersion"):
            if given.get(field) not in (None, "", meta[field]):
                raise Conflict("the object has been modified; please apply your changes to the latest version")
        kept = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
        generation = meta["generation"] + (new.get("spec") != old.get("spec"))
        own = {field: meta[field] for field in kept if field in meta}
        made = {
            **new,
            "metadata": {**given, **own, "generation": generation, "resourceVersion": meta["resourceVersion"]},
        }
        return old if made == old else self._put(kind, made, "MODIFIED")

    def set_status(self, kind: Kind, old: Raw, status: Raw) -> Raw:
        """Another status."""
        return self._put(kind, {**old, "status": status}, "MODIFIED")

    def delete(self, kind: Kind, raw: Raw, *, grace_seconds: int | None = None, foreground: bool = False) -> None:
        """Delete an object, and what it owns. A pod whose process runs, and a Job in the foreground, go later.

        To delete a pod once more changes nothing while its end is being seen to.
        """
        if kind == PODS and (_is_going_on(raw) or "deletionTimestamp" in raw["metadata"]) and grace_seconds != 0:
            usual = raw["spec"].get("terminationGracePeriodSeconds", 30)
            self._mark(kind, raw, usual if grace_seconds is None else grace_seconds)
        elif kind == JOBS and foreground and list(self._owned(raw)):
            self._mark(kind, raw, 0)
            self._delete_owned(raw)
        else:
            self.remove(kind, raw)

    def remove(self, kind: Kind, raw: Raw) -> None:
        """Take an object away now, and begin to with what it owns."""
        meta = raw["metadata"]
        found = self._objects.pop((kind, meta.get("namespace", ""), meta["name"]), None)
        if found is None:
            return
        self._tell(kind, "DELETED", found)
        self._delete_owned(found)
        for owner in meta.get("ownerReferences", ()):
            self._finish_foreground(meta.get("namespace", ""), owner["uid"])

    async def watch(self, kind: Kind, since: int) -> AsyncIterator[Change | None]:
        """Changes of a kind after a version, as they come; None where there was none for a while. Raises TooOld."""
        while True:
            if self._changes and since < self._changes[0].version - 1 and len(self._changes) == KEPT_CHANGES:
                raise TooOld
            news = self._news
            for change in [each for each in self._changes if each.version > since]:
                since = change.version
                if change.kind == kind:
                    yield change
            if since < self._version:
                continue
            try:
                async with asyncio.timeout(20):
                    await news.wait()
            except TimeoutError:
                yield None

    def _mark(self, kind: Kind, raw: Raw, grace_seconds: int) -> None:
        if "deletionTimestamp" not in raw["metadata"]:
            meta = {"deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": grace_seconds}
            self._put(kind, {**raw, "metadata": {**raw["metadata"], **meta}}, "MODIFIED")

    def _owned(self, owner: Raw) -> Iterator[tuple[Kind, Raw]]:
        uid = owner["metadata"]["uid"]
        for (kind, _, _), raw in list(self._objects.items()):
            if any(each["uid"] == uid for each in raw["metadata"].get("ownerReferences", ())):
                yield kind, raw

    def _delete_owned(self, owner: Raw) -> None:
        for kind, raw in self._owned(owner):
            self.delete(kind, raw)

    def _finish_foreground(self, namespace: str, uid: str) -> None:
        """A Job that waited for its pods goes with the last of them."""
        for job in list(self.list(JOBS, namespace)):
            meta = job["metadata"]
            if meta["uid"] == uid and "deletionTimestamp" in meta and not list(self._owned(job)):
                self.remove(JOBS, job)

    def _put(self, kind: Kind, raw: Raw, event: str) -> Raw:
        made = copy.deepcopy(raw)
        made |= {"apiVersion": kind.api_version, "kind": kind.kind}
        self._objects[kind, made["metadata"].get("namespace", ""), made["metadata"]["name"]] = made
        self._tell(kind, event, made)
        return made

    def _tell(self, kind: Kind, event: str, raw: Raw) -> None:
        self._version += 1
        raw["metadata"] = {**raw["metadata"], "resourceVersion": str(self._version)}
        change = Change(self._version, kind, event, dict(raw))
        self._changes.append(change)
        self._news.set()
        self._news = asyncio.Event()
        for hear in self.heard:
            hear(change)


def _is_going_on(pod: Raw) -> bool:
    """Its process runs, or is being started: the pod is there until that has ended."""
    status = pod.get("status") or {}
    waits = any("waiting" in each["state"] for each in status.get("containerStatuses", ()))
    return status.get("phase") in ("Pending", "Running") and not waits
