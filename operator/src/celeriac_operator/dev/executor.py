"""Job controller and kubelet in one: a Job becomes a pod, a pod becomes a process of this machine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from celeriac_operator.dev.container import CannotStart, Process, process_of
from celeriac_operator.dev.guarded import Child, Guarded
from celeriac_operator.dev.kinds import CONFIG_MAPS, JOBS, PODS, SECRETS
from celeriac_operator.dev.store import Change, Store, timestamp

Raw = dict[str, Any]
_CUT_BYTES = 4096
"""The kubelet's bound on a termination message."""
_LOG_TAIL_BYTES = 2048
_POLL_SECONDS = 0.1
_TEARDOWN_SECONDS = 2.0
"""As a kubelet does, which needs time to clear away: whoever watches has read by then how the process ended."""


class Executor:
    """Runs what the store's Jobs say.

    Args:
        env: what every process gets beneath its own.
        directory: where logs and results are.
        work: the directory that processes start in: where the user's code is.
        children: starts them.
        teardown_seconds: how long a pod that is deleted stays after its process has ended.
    """

    def __init__(
        self, store: Store, env: Mapping[str, str], directory: Path, work: Path, children: Guarded,
        teardown_seconds: float = _TEARDOWN_SECONDS,
    ) -> None:  # fmt: skip
        self._store, self._env, self._directory, self._work = store, dict(env), directory, work
        self._children, self._teardown_seconds = children, teardown_seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, Child] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        store.heard.append(self._hear)

    def give(self, env: Mapping[str, str]) -> None:
        """More that every process gets: where the API server is, which starts after this."""
        self._env |= env

    def _hear(self, change: Change) -> None:
        meta = change.raw["metadata"]
        if change.kind == JOBS and change.event != "DELETED" and "deletionTimestamp" not in meta:
            self._start(change.raw)
        if change.kind == PODS and (change.event == "DELETED" or "deletionTimestamp" in meta):
            self._end(change.raw)

    def _start(self, job: Raw) -> None:
        uid = job["metadata"]["uid"]
        if uid not in self._running and not job["spec"].get("suspend"):
            self._running[uid] = asyncio.get_running_loop().create_task(self._run(job))

    def _end(self, pod: Raw) -> None:
        """SIGTERM, and SIGKILL after the grace; a process that is gone minds neither."""
        process = self._processes.pop(pod["metadata"]["uid"], None)
        if process is not None:
            grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
            task = asyncio.get_running_loop().create_task(_stop(process, grace))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def stop(self) -> None:
        """Kill what runs, and wait for its end."""
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)
        for task in [*self._running.values(), *self._stopping]:
            task.cancel()
        await asyncio.gather(*self._running.values(), *self._stopping, return_exceptions=True)

    async def _run(self, job: Raw) -> None:
        """A Job from its pod to its condition."""
        pod = self._make_pod(job)
        place = self._place(pod)
        place.mkdir(parents=True, exist_ok=True)
        try:
            process = process_of(pod, self._keys(job["metadata"]["namespace"]), sys.executable, place / "result")
        except CannotStart as error:
            self._set_state(pod, {"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}})
            return
        state = await self._execute(pod, process, place, pod["spec"].get("activeDeadlineSeconds"))
        self._finish(job, pod, state)
        await self._tear_down(pod)

    def _make_pod(self, job: Raw) -> Raw:
        meta, template = job["metadata"], job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        made = {"generateName": f"{meta['name']}-", "ownerReferences": [owner], **(template.get("metadata") or {})}
        raw = {"metadata": made, "spec": {**template["spec"], "nodeName": "dev"}, "status": {"phase": "Pending"}}
        return self._store.create(PODS, meta["namespace"], raw)

    async def _execute(self, pod: Raw, process: Process, place: Path, limit: float | None) -> Raw:
        """Run the process to its end; the state of a container that has terminated."""
        started = timestamp()
        try:
            env, cwd = {**self._env, **process.env}, process.directory or self._work
            child = await self._children.spawn(process.argv, env, place / "log", cwd)
        except OSError as error:
            message = f"{process.argv[0]}: {error.strerror}"
            return _terminated(128, "StartError", message, started)
        uid = pod["metadata"]["uid"]
        self._processes[uid] = child
        if not self._set_state(pod, {"running": {"startedAt": started}}):
            self._end(pod)  # it was deleted before it began
        try:
            async with asyncio.timeout(limit):
                code = await child.wait()
        except TimeoutError:
            _signal(child, signal.SIGKILL)
            code = await child.wait()
        finally:
            self._processes.pop(uid, None)
        return _terminated(code if code >= 0 else 128 - code, "", _message(place, code), started)

    def _set_state(self, pod: Raw, state: Raw, phase: str = "") -> bool:
        """Tell what the container does; False where the pod is gone."""
        meta = pod["metadata"]
        now = self._store.get(PODS, meta["namespace"], meta["name"])
        if now is None or now["metadata"]["uid"] != meta["uid"]:
            return False
        running = "running" in state
        status = {
            "phase": phase or ("Running" if running else "Pending"),
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {"name": pod["spec"]["containers"][0]["name"], "ready": running, "restartCount": 0, "state": state}
            ],
        }
        self._store.set_status(PODS, now, status)
        return True

    def _finish(self, job: Raw, pod: Raw, state: Raw) -> None:
        """The pod says how it ended, its Job whether that is a success."""
        succeeded = state["terminated"]["exitCode"] == 0
        self._set_state(pod, state, "Succeeded" if succeeded else "Failed")
        namespace = job["metadata"]["namespace"]
        now = self._store.get(JOBS, namespace, job["metadata"]["name"])
        if now is not None and now["metadata"]["uid"] == job["metadata"]["uid"]:
            condition = {"type": "Complete" if succeeded else "Failed", "status": "True", "message": ""}
            self._store.set_status(JOBS, now, {"startTime": timestamp(), "conditions": [condition]})

    async def _tear_down(self, pod: Raw) -> None:
        """A pod that was deleted while its process ran goes, some time after it has said how that ended."""
        if self._deleted(pod) is not None:
            await asyncio.sleep(self._teardown_seconds)
        if (left := self._deleted(pod)) is not None:
            self._store.remove(PODS, left)

    def _deleted(self, pod: Raw) -> Raw | None:
        """The pod, if it is there still and is to go."""
        left = self._store.get(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return left if left is not None and "deletionTimestamp" in left["metadata"] else None

    def _keys(self, namespace: str) -> Any:
        """What Secrets and ConfigMaps hold."""

        def read(kind: str, name: str) -> Mapping[str, str] | None:
            secret = kind == "secretKeyRef"
            raw = self._store.get(SECRETS if secret else CONFIG_MAPS, namespace, name)
            if raw is None:
                return None
            data = raw.get("data") or {}
            plain = {key: base64.b64decode(value).decode() for key, value in data.items()} if secret else data
            return {**plain, **(raw.get("stringData") or {})}

        return read

    def _place(self, pod: Raw) -> Path:
        return self._directory / str(pod["metadata"]["uid"])

    def log_of(self, namespace: str, name: str, lines: int | None, follow: bool) -> AsyncGenerator[bytes, None] | None:
        """A pod's log; None while there is none."""
        pod = self._store.get(PODS, namespace, name)
        path = self._place(pod) / "log" if pod is not None else None
        return None if path is None or not path.exists() else self._read(pod, path, lines, follow)

    async def _read(self, pod: Any, path: Path, lines: int | None, follow: bool) -> AsyncGenerator[bytes, None]:
        with path.open("rb") as log:
            text = log.read()
            yield text if lines is None else b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])
            while follow and pod["metadata"]["uid"] in self._processes:
                await asyncio.sleep(_POLL_SECONDS)
                yield log.read()
            yield log.read() if follow else b""


async def _stop(process: Child, grace: float) -> None:
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await process.wait()
    _signal(process, signal.SIGKILL)


def _signal(process: Child, number: signal.Signals) -> None:
    """To the whole session: a shell's children are to end with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _terminated(code: int, reason: str, message: str, started: str) -> Raw:
    reason = reason or ("Completed" if code == 0 else "Error")
    times = {"startedAt": started, "finishedAt": timestamp()}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


def _message(place: Path, code: int) -> str:
    """What the process left for its end; of one that failed without a word, the end of its log."""
    result, log = place / "result", place / "log"
    text = result.read_bytes()[:_CUT_BYTES] if result.exists() else b""
    if not text and code != 0 and log.exists():
        text = log.read_bytes()[-_LOG_TAIL_BYTES:]
    return text.decode(errors="replace")
