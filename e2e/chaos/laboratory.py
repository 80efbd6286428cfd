"""The API server and the processes of `celeriac dev`, and a real operator that reaches them through a proxy.

No cluster is needed. What happens is noted where it happens, in the store and in NATS, and judged by the one invariant
checker.
"""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e.chaos import work
from e2e.chaos.kubelet import Kubelet
from e2e.chaos.post import Post, post_office
from e2e.support.connection import REPOSITORY, apply_crds
from e2e.support.disk import Disk, disk_or_skip
from e2e.support.kube import Kube, Obj, Refused
from e2e.support.manifests import backoff, definition, queue, task, task_of
from e2e.support.nats_proxy import NatsProxy
from e2e.support.notes import Notes
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.proxy import ApiProxy, api_proxy
from e2e.support.witness import TROUBLE, Witness
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.control_plane import PROGRAMS, ControlPlane, control_plane
from tests.support.invariants import unsettled, violations

from celeriac_operator.background import end as cancelled
from celeriac_operator.dev.api_server import ApiServer
from celeriac_operator.dev.executor import Executor
from celeriac_operator.dev.guarded import guarded
from celeriac_operator.dev.kinds import NAMESPACES, Kind
from celeriac_operator.dev.session import _kubeconfig
from celeriac_operator.dev.store import Store

Raw = dict[str, Any]

NAMESPACE = "chaos"
SLOTS = 4
PATIENCE_SECONDS = 150.0
DISK_MEGABYTES = 256
LIMITS = {"maxConcurrency": SLOTS}
SETTINGS = {"CELERIAC_RELIST_SECONDS": "10", "CELERIAC_QUEUE_DEFAULTS": json.dumps(LIMITS)}
SCRIPT = 'sleep {seconds}; [ "$CELERIAC_ATTEMPT" -gt {failures} ] || exit 1; echo 7 > "$CELERIAC_RESULT_FILE"'
_SIZES = {
    "Warm": {"minReady": 2, "maxReady": 4},
    "Worker": {"minPods": 1, "maxPods": 2, "slotsPerPod": 3, "tasksPerPod": 8},
}
"""So small that pods end and are replaced, too."""
SORTS = ((0, 0, "Succeeded"), (1, 1, "Succeeded"), (2, 0, "Succeeded"), (0, 9, "Failed"))
"""At once, retried, slow, failing for good: seconds, attempts that fail, and the end."""
RETRY = {"maxAttempts": 2, "backoff": backoff()}


@dataclass
class Laboratory:
    """All that a row plays with."""

    kube: Kube
    api: ApiProxy
    operator: LocalOperator
    kubeconfig: Path
    """Of the operator."""
    settings: dict[str, str]
    """Of the operator."""
    notes: Notes
    store: Callable[[Kind, Raw], object]
    """Stores an object as it is: no API server would take it."""
    post: Post | None = None
    """NATS, where there is one."""
    plane: ControlPlane | None = None
    """A real control plane, where there is one."""
    kubelet: Kubelet | None = None
    """Of the control plane's first node."""
    new_kubelet: Callable[[str], Kubelet] | None = None
    """Starts one, for another node."""
    disk: Disk | None = None
    """Of NATS or of etcd, where they have one of their own."""
    mode: str = "Pod"
    expected: dict[str, str] = field(default_factory=dict)

    @property
    def bus(self) -> NatsProxy:
        """The way to NATS."""
        return self.office.proxy

    @property
    def office(self) -> Post:
        """NATS, which there must be."""
        assert self.post is not None, "this laboratory has no NATS"
        return self.post

    @property
    def its_disk(self) -> Disk:
        """The disk, which there must be."""
        assert self.disk is not None, "this laboratory has no disk"
        return self.disk

    def restart_nats(self) -> None:
        """SIGKILL, and a new server on what is on the disk."""
        self.office.restart()

    def create(self, manifest: Obj) -> None:
        """Until the API server has it: it is killed now and then."""
        for attempt in Retrying(
            stop=stop_after_delay(PATIENCE_SECONDS),
            wait=wait_fixed(0.2),
            retry=retry_if_exception_type(TROUBLE),
            reraise=True,
        ):
            with attempt:
                try:
                    self.kube.create(manifest, NAMESPACE)
                except Refused as error:
                    if error.status != 409:
                        raise

    def submit(self, prefix: str, count: int) -> None:
        """Tasks of all sorts: with NATS half of them by message, and all of them for pods started ahead."""
        for number in range(count):
            name, sort = f"{prefix}-{number}", SORTS[number % len(SORTS)]
            if self.post is not None and (self.mode != "Pod" or number // len(SORTS) % 2 == 0):
                self.post.submit(self.named(name, *sort[:2]))
            else:
                script = SCRIPT.format(seconds=sort[0], failures=sort[1])
                self.create(task(name, script, retry=RETRY))
            self.expected[name] = sort[2]

    def named(self, name: str, seconds: int, failures: int) -> Obj:
        """A Task of the definition for this mode."""
        params = {"seconds": seconds, "failures": failures}
        return task_of(self.mode.lower(), name, retry=RETRY, params=_texts(params) if self.mode == "Pod" else params)

    def define(self, mode: str) -> None:
        """Make the TaskDefinition of that mode."""
        self.create(_definition(mode))

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
        self.wait(lambda: not unsettled(self.notes.facts))
        left = self._empty(self.post) if self.post is not None else []
        facts, ended = self.notes.facts, self.notes.ended()
        wrong = [
            f"{name}: {ended.get(name, 'never ended')}"
            for name, phase in self.expected.items()
            if ended.get(name) != phase
        ]
        return [*violations(facts, {"default": SLOTS}), *unsettled(facts), *wrong, *left, *self._dead()]

    def _dead(self) -> list[str]:
        """Who has ended by itself, where nobody starts it again."""
        programs = self.plane.ended() if self.plane is not None else []
        return [*filter(None, [self.operator.ended()]), *(f"{name} has ended by itself" for name in programs)]

    def _empty(self, post: Post) -> list[str]:
        """Wait until no message is left: one whose acknowledgement was lost comes again after half a minute."""
        self.wait(lambda: post.mailbox.left() == 0)
        return post.close_the_book()


def _texts(params: dict[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}


@contextmanager
def laboratory(
    directory: Path, *, nats: bool = False, mode: str = "Pod", disk: bool = False, **settings: str
) -> Iterator[Laboratory]:
    """A running one, with the API server in memory.

    Args:
        nats: there is a NATS too.
        mode: Pod, Warm or Worker; the last two need NATS.
        disk: NATS has one of its own.
        settings: more of the operator's.
    """
    notes = Notes(directory / "book")
    with ExitStack() as stack:
        kubeconfig, store = stack.enter_context(simulated_cluster(directory, notes))
        kube = stack.enter_context(Kube(kubeconfig))
        its_disk = stack.enter_context(_disk(directory, "nats")) if disk else None
        post = stack.enter_context(post_office(directory, kube, NAMESPACE, notes)) if nats else None
        reach = post.settings if post is not None else {}
        if nats:
            for manifest in (queue("default", **LIMITS), _definition(mode)):
                kube.create(manifest, NAMESPACE)
        api, path, operator = stack.enter_context(_operator(kubeconfig, directory, {**SETTINGS, **reach, **settings}))
        both = {**SETTINGS, **reach, **settings}
        yield Laboratory(kube, api, operator, path, both, notes, store, post=post, mode=mode, disk=its_disk)


@contextmanager
def with_control_plane(directory: Path, *, disk: bool = False) -> Iterator[Laboratory]:
    """A running one, with a real etcd, kube-apiserver and kube-controller-manager.

    Args:
        disk: etcd has one of its own.
    """
    with ExitStack() as stack:
        its_disk = stack.enter_context(_disk(directory, "plane/etcd")) if disk else None
        try:
            plane = stack.enter_context(control_plane(directory / "plane", PROGRAMS))
        except LookupError as error:
            pytest.skip(str(error))
        kube, kubelets = (stack.enter_context(Kube(plane.kubeconfig, connections=40)) for _ in range(2))
        apply_crds(kube)
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        notes = Notes(controlled=True)

        def started(node: str) -> Kubelet:
            kubelet = Kubelet(kubelets, NAMESPACE, directory / "results", node)
            kubelet.start()
            stack.callback(kubelet.stop)
            return kubelet

        witness = Witness(plane.etcd_url, NAMESPACE, notes.note)
        witness.start()
        stack.callback(witness.stop)
        nodes = {"kubelet": started("paper"), "new_kubelet": started}
        api, path, operator = stack.enter_context(_operator(plane.kubeconfig, directory, SETTINGS))
        both = {"plane": plane, "disk": its_disk}
        yield Laboratory(kube, api, operator, path, SETTINGS, notes, _stores_nothing, **both, **nodes)


def _disk(directory: Path, place: str) -> AbstractContextManager[Disk]:
    return disk_or_skip(directory / "disk", directory / place, DISK_MEGABYTES)


def _stores_nothing(_kind: Kind, _raw: Raw) -> None:
    raise LookupError("a real API server stores what it takes, and nothing else")


@contextmanager
def _operator(
    kubeconfig: Path, directory: Path, settings: dict[str, str]
) -> Iterator[tuple[ApiProxy, Path, LocalOperator]]:
    with api_proxy(kubeconfig) as api:
        path = _through(api, directory)
        with local_operator(path, NAMESPACE, **settings) as operator:
            yield api, path, operator


def _definition(mode: str) -> Obj:
    if mode == "Pod":
        return definition("pod", SCRIPT.format(seconds="$(params.seconds)", failures="$(params.failures)"))
    fields = {
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "e2e.chaos.work:audited"}],
    }
    sizes = {mode.lower(): _SIZES[mode]}
    return definition(mode.lower(), container_fields=fields, isolation=mode, **sizes)


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
    env = {**os.environ, work.BOOK: str(notes.book), "PYTHONPATH": str(REPOSITORY)}

    async def begin() -> tuple[ApiServer, Executor]:
        children = await left.enter_async_context(guarded(directory / "pods"))
        executor = Executor(store, env, directory / "pods", directory, children)
        api = ApiServer(store, executor.log_of)
        await api.start()
        return api, executor

    async def end(api: ApiServer, executor: Executor) -> None:
        await executor.stop()
        await left.aclose()
        await api.stop()
        await cancelled(asyncio.all_tasks() - {asyncio.current_task()})  # watches that nobody reads any more

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
