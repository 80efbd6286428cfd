"""The API server and the processes of `celeriac dev`, and a real operator that reaches them through a proxy.

No cluster is needed. What happens is noted where it happens, in the store, and judged by the one invariant checker.
"""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.support.kube import Kube
from e2e.support.manifests import task
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.proxy import ApiProxy, api_proxy
from tests.support.invariants import (
    Deleted,
    Ended,
    Fact,
    JobMade,
    JobTaken,
    Made,
    Started,
    Wrote,
    finished,
    unsettled,
    violations,
)

from celeriac_operator.core import names
from celeriac_operator.dev.api_server import ApiServer
from celeriac_operator.dev.executor import Executor
from celeriac_operator.dev.guarded import guarded
from celeriac_operator.dev.kinds import JOBS, NAMESPACES, PODS, Kind
from celeriac_operator.dev.session import _kubeconfig
from celeriac_operator.dev.store import Change, Store

Raw = dict[str, Any]

NAMESPACE = "chaos"
SLOTS = 4
PATIENCE_SECONDS = 150.0
SETTINGS = {"CELERIAC_RELIST_SECONDS": "10", "CELERIAC_QUEUE_DEFAULTS": json.dumps({"maxConcurrency": SLOTS})}
SCRIPT = 'sleep {seconds}; [ "$CELERIAC_ATTEMPT" -gt {failures} ] || exit 1; echo 7 > "$CELERIAC_RESULT_FILE"'


@dataclass
class Notes:
    """The facts, as the store tells them."""

    facts: list[Fact] = field(default_factory=list)
    _statuses: dict[str, Raw] = field(default_factory=dict)
    _attempts: dict[str, tuple[str, int]] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)

    def hear(self, change: Change) -> None:
        """Something has changed."""
        meta = change.raw["metadata"]
        if change.kind.kind == "Task":
            self._task(change.event, meta, change.raw.get("status") or {})
        elif change.kind == JOBS and change.event in ("ADDED", "DELETED"):
            self._job(change.event, meta)
        elif change.kind == PODS:
            self._pod(meta, change.raw.get("status") or {})

    def _task(self, event: str, meta: Raw, status: Raw) -> None:
        uid = meta["uid"]
        if event == "DELETED":
            self.facts.append(Deleted(uid))
            return
        if event == "ADDED":
            self.facts.append(Made(uid, meta["name"]))
        if status != self._statuses.get(uid, {}) and isinstance(status.get("attempts", []), list):
            self._statuses[uid] = status
            self.facts.append(Wrote(uid, status))

    def _job(self, event: str, meta: Raw) -> None:
        if not meta.get("ownerReferences"):
            return
        attempt = self._attempts[meta["uid"]] = (meta["ownerReferences"][0]["uid"], names.attempt_of(meta["name"]))
        self.facts.append(JobMade(*attempt, "default") if event == "ADDED" else JobTaken(*attempt))

    def _pod(self, meta: Raw, status: Raw) -> None:
        if not meta.get("ownerReferences"):
            return
        state: Raw = next(iter(status.get("containerStatuses", ())), {}).get("state", {})
        now, uid = next(iter(state), ""), meta["uid"]
        attempt = self._attempts[meta["ownerReferences"][0]["uid"]]
        if now != self._states.get(uid, "") and now in ("running", "terminated"):
            if uid not in self._states:
                self.facts.append(Started(*attempt, uid))
            if now == "terminated":
                self.facts.append(Ended(*attempt, uid, state["terminated"]["exitCode"]))
            self._states[uid] = now

    def ended(self) -> dict[str, str]:
        """The phase of each Task that has finished, by name."""
        made = {fact.uid: fact.name for fact in list(self.facts) if isinstance(fact, Made)}
        return {made[uid]: status["phase"] for uid, status in dict(self._statuses).items() if finished(status)}


@dataclass
class Laboratory:
    """All that a row plays with."""

    kube: Kube
    proxy: ApiProxy
    operator: LocalOperator
    notes: Notes
    store: Callable[[Kind, Raw], object]
    """Stores an object as it is: no API server would take it."""
    expected: dict[str, str] = field(default_factory=dict)

    def submit(self, prefix: str, count: int) -> None:
        """Tasks of all sorts: at once, slow, retried, failing for good."""
        sorts = ((0, 0, "Succeeded"), (1, 1, "Succeeded"), (2, 0, "Succeeded"), (0, 9, "Failed"))
        for number in range(count):
            seconds, failures, phase = sorts[number % len(sorts)]
            retry = {"maxAttempts": 2, "backoff": {"initialSeconds": 0}}
            script = SCRIPT.format(seconds=seconds, failures=failures)
            self.kube.create(task(f"{prefix}-{number}", script, retry=retry), NAMESPACE)
            self.expected[f"{prefix}-{number}"] = phase

    def wait(self, holds: Callable[[], bool]) -> bool:
        """Whether it comes to hold in time."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def wait_finished(self) -> bool:
        """Whether all Tasks have ended in time."""
        return self.wait(lambda: set(self.expected) <= set(self.notes.ended()))

    def problems(self) -> list[str]:
        """What is wrong, once all is quiet."""
        self.wait(lambda: not unsettled(list(self.notes.facts)))
        facts, ended = list(self.notes.facts), self.notes.ended()
        wrong = [f"{name}: {ended.get(name)}" for name, phase in self.expected.items() if ended.get(name) != phase]
        return [*violations(facts, {"default": SLOTS}), *unsettled(facts), *wrong]


@contextmanager
def laboratory(directory: Path) -> Iterator[Laboratory]:
    """A running one."""
    notes = Notes()
    with (
        simulated_cluster(directory, notes) as (kubeconfig, store),
        Kube(kubeconfig) as kube,
        api_proxy(kubeconfig) as proxy,
        local_operator(_through(proxy, directory), NAMESPACE, **SETTINGS) as operator,
    ):
        yield Laboratory(kube, proxy, operator, notes, store)


def _through(proxy: ApiProxy, directory: Path) -> Path:
    there = directory / "proxy"
    there.mkdir()
    return proxy.kubeconfig(there)


@contextmanager
def simulated_cluster(directory: Path, notes: Notes) -> Iterator[tuple[Path, Callable[[Kind, Raw], object]]]:
    """The API server and what runs processes, on a loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    store, left = Store(), AsyncExitStack()
    store.create(NAMESPACES, "", {"metadata": {"name": NAMESPACE}})
    store.heard.append(notes.hear)

    async def begin() -> tuple[ApiServer, Executor]:
        children = await left.enter_async_context(guarded(directory / "pods"))
        executor = Executor(store, dict(os.environ), directory / "pods", directory, children)
        api = ApiServer(store, executor.log_of)
        await api.start()
        return api, executor

    async def end(api: ApiServer, executor: Executor) -> None:
        await executor.stop()
        await left.aclose()
        await api.stop()

    async def put(kind: Kind, raw: Raw) -> None:
        store.create(kind, NAMESPACE, raw)

    def stores(kind: Kind, raw: Raw) -> None:
        asyncio.run_coroutine_threadsafe(put(kind, raw), loop).result(30)

    api, executor = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
    try:
        yield _kubeconfig(directory, api, NAMESPACE), stores
    finally:
        asyncio.run_coroutine_threadsafe(end(api, executor), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
