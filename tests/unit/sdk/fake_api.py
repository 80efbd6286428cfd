"""A small API server in memory, behind the SDK's Transport: objects, selectors, pages, patches, watches, and faults."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from celeriac._wire import Call, ErrorReply, Reply, Unreachable

Manifest = dict[str, Any]
TASKS = "/apis/celeriac.dev/v1alpha1/namespaces/team/tasks"
QUEUES = "/apis/celeriac.dev/v1alpha1/namespaces/team/taskqueues"
CRONS = "/apis/celeriac.dev/v1alpha1/namespaces/team/crontasks"
PODS = "/api/v1/namespaces/team/pods"


def status(code: int, reason: str, message: str = "", **details: Any) -> Reply:
    """A refusal, as the API server words it."""
    body = {"kind": "Status", "reason": reason, "message": message or reason, "details": details, "code": code}
    return Reply(code, json.dumps(body).encode())


def condition(type_: str, truth: str, reason: str) -> Manifest:
    """A condition of a status."""
    return {"type": type_, "status": truth, "reason": reason, "lastTransitionTime": "2026-11-23T10:00:00Z"}


def finished(outcome: str, **status: Any) -> Manifest:
    """The status of a task that has finished, with whatever else it says."""
    succeeded = "True" if outcome == "Succeeded" else "False"
    conditions = [condition("Finished", "True", outcome), condition("Succeeded", succeeded, outcome)]
    return {"observedGeneration": 1, "conditions": conditions} | status


class FakeApi:
    """The server. ``faults`` are given as answers, or raised, before anything is done."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.calls: list[Call] = []
        self.faults: list[Reply | Unreachable | Callable[[Call], Reply]] = []
        self.logs: dict[str, list[bytes] | Unreachable] = {}
        self.gone: list[str] = []
        self.watch_faults: list[Reply | list[Manifest] | Unreachable] = []
        self.closed = False
        self._version = 100
        self._events: list[tuple[int, str, str, Manifest]] = []
        self._changed = asyncio.Condition()

    async def namespace(self) -> str:
        return "team"

    async def close(self) -> None:
        self.closed = True

    async def request(self, call: Call) -> Reply:
        self.calls.append(call)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Unreachable):
                raise fault
            return fault(call) if callable(fault) else fault
        return await getattr(self, f"_{call.method.lower()}")(call)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        self.calls.append(call)
        if call.path.endswith("/log"):
            yield self._log(call)
        elif self.watch_faults and isinstance(self.watch_faults[0], Reply):
            raise ErrorReply(self.watch_faults.pop(0))
        else:
            yield self._watch(call)

    def methods(self) -> list[str]:
        """What was called: ``GET``, ``POST`` …, with ``WATCH`` and ``LOG`` for streams."""
        return [self._kind(call) for call in self.calls]

    async def put(self, path: str, manifest: Manifest) -> Manifest:
        """Create or replace an object, as others would."""
        manifest = copy.deepcopy(manifest)
        manifest["metadata"].setdefault("uid", f"uid-{len(self.objects) + len(self.gone) + 1}")
        manifest["metadata"].setdefault("creationTimestamp", "2026-11-23T09:00:00Z")
        kind = "MODIFIED" if path in self.objects else "ADDED"
        self.objects[path] = manifest
        await self._publish(kind, path, manifest)
        return manifest

    async def task(self, name: str, status: Manifest | None = None, **spec: Any) -> Manifest:
        """Create a Task, or change its status."""
        path = f"{TASKS}/{name}"
        manifest = self.objects.get(path) or {
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"container": {"image": "busybox"}} | spec,
        }
        return await self.put(path, manifest | {"status": status or {}})

    async def queue(self, name: str, status: Manifest | None = None, **spec: Any) -> Manifest:
        """Create a TaskQueue, or change its status."""
        path = f"{QUEUES}/{name}"
        manifest = self.objects.get(path) or {"metadata": {"name": name, "namespace": "team"}, "spec": spec}
        return await self.put(path, manifest | {"status": status or {}})

    async def cron(self, name: str, status: Manifest | None = None, **spec: Any) -> Manifest:
        """Create a CronTask."""
        template = {"spec": {"container": {"image": "busybox"}}}
        manifest = {
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"schedule": "30 2 * * *", "taskTemplate": template} | spec,
            "status": status or {},
        }
        return await self.put(f"{CRONS}/{name}", manifest)

    async def delete(self, path: str, *, unseen: bool = False) -> None:
        """Delete an object; unseen: no watch tells."""
        manifest = self.objects.pop(path)
        self.gone.append(path)
        if not unseen:
            await self._publish("DELETED", path, manifest)

    async def _publish(self, kind: str, path: str, manifest: Manifest) -> None:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        self._events.append((self._version, kind, path, copy.deepcopy(manifest)))
        async with self._changed:
            self._changed.notify_all()

    @staticmethod
    def _kind(call: Call) -> str:
        if call.path.endswith("/log"):
            return "LOG"
        return "WATCH" if ("watch", "true") in call.query else call.method

    async def _get(self, call: Call) -> Reply:
        if call.path in self.objects:
            return Reply(200, json.dumps(self.objects[call.path]).encode())
        *_, plural, name = call.path.split("/")
        if plural in {"tasks", "pods", "taskdefinitions", "taskqueues", "crontasks", "namespaces"}:
            return status(404, "NotFound", f'{plural} "{name}" not found', kind=plural, name=name)
        return self._list(call)

    def _list(self, call: Call) -> Reply:
        query = dict(call.query)
        found = [m for path, m in self.objects.items() if self._in(path, call.path) and matches(m, query)]
        start, size = int(query.get("continue", "0")), int(query.get("limit", "500"))
        more = str(start + size) if start + size < len(found) else ""
        meta = {"resourceVersion": str(self._version), "continue": more}
        return Reply(200, json.dumps({"metadata": meta, "items": found[start : start + size]}).encode())

    @staticmethod
    def _in(path: str, collection: str) -> bool:
        return path.rsplit("/", 1)[0] == collection or (
            "/namespaces/" not in collection and path.split("/")[-2] == collection.rsplit("/", maxsplit=1)[-1]
        )

    async def _post(self, call: Call) -> Reply:
        name = call.body["metadata"]["name"]
        path = f"{call.path}/{name}"
        if path in self.objects:
            return status(409, "AlreadyExists", f'tasks "{name}" already exists')
        return Reply(201, json.dumps(await self.put(path, call.body)).encode())

    async def _patch(self, call: Call) -> Reply:
        if call.path not in self.objects:
            *_, plural, name = call.path.split("/")
            return status(404, "NotFound", f'{plural} "{name}" not found', kind=plural, name=name)
        merged = merge(copy.deepcopy(self.objects[call.path]), call.body)
        return Reply(200, json.dumps(await self.put(call.path, merged)).encode())

    async def _delete(self, call: Call) -> Reply:
        await self.delete(call.path)
        return Reply(200, b"{}")

    async def _watch(self, call: Call) -> AsyncIterator[bytes]:
        if self.watch_faults:
            fault = self.watch_faults.pop(0)
            if isinstance(fault, Unreachable):
                raise fault
            for event in fault:
                yield json.dumps(event).encode() + b"\n"
            return
        query = dict(call.query)
        seen = int(query["resourceVersion"])
        while True:
            for version, kind, path, manifest in list(self._events):
                if version > seen and self._in(path, call.path) and matches(manifest, query):
                    line = json.dumps({"type": kind, "object": manifest}).encode() + b"\n"
                    yield line[: len(line) // 2]
                    yield line[len(line) // 2 :]
            seen = self._version
            async with self._changed:
                await self._changed.wait_for(lambda: self._version > seen)  # noqa: B023

    async def _log(self, call: Call) -> AsyncIterator[bytes]:
        log = self.logs.get(call.path.split("/")[-2], [])
        if isinstance(log, Unreachable):
            raise log
        for chunk in log:
            yield chunk


def matches(manifest: Manifest, query: dict[str, str]) -> bool:
    """Do the selectors of the query pick the object?"""
    fields = (part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part)
    labels = (part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
    return all(_at(manifest, path.split(".")) == value for path, value in fields) and all(
        (manifest["metadata"].get("labels") or {}).get(key) == value for key, value in labels
    )


def _at(value: Any, path: Iterable[str]) -> str:
    for part in path:
        value = (value or {}).get(part)
    return value or ""


def merge(target: Manifest, patch: Manifest) -> Manifest:
    """A JSON merge patch."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = merge(target.get(key) or {}, value)
        else:
            target[key] = value
    return target
