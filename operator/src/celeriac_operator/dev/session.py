"""Everything that ``celeriac dev`` starts, in order, and ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac.wire.names import stream_of
from celeriac_operator.dev.api_server import ApiServer
from celeriac_operator.dev.executor import Executor
from celeriac_operator.dev.guarded import Guarded, guarded
from celeriac_operator.dev.kinds import KINDS, NAMESPACES
from celeriac_operator.dev.processes import DEPOSED, DevError, Program, answers, free_port, greets, nats_server
from celeriac_operator.dev.store import Change, Store

Raw = dict[str, Any]
Told = Callable[[str], None]

_TASKS = next(kind for kind in KINDS if kind.kind == "Task")
_BOUND = str(64 * 1024 * 1024)
_DEFINITIONS = next(kind for kind in KINDS if kind.kind == "TaskDefinition")
_QUEUES = next(kind for kind in KINDS if kind.kind == "TaskQueue")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be there."""

    definitions: tuple[Raw, ...]
    queues: frozenset[str] = frozenset({"default"})
    namespace: str = "default"
    slots: int = 2
    """How many tasks of a queue run at once."""
    with_nats: bool = True
    directory: Path = field(default_factory=Path.cwd)
    """Where the processes of tasks start."""
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class Session:
    """What runs."""

    env: Mapping[str, str]
    """The variables with which clients find it."""
    logs: Path
    ended: asyncio.Task[DevError]
    """Ends when something that must run has ended for good."""


@asynccontextmanager
async def session(wishes: Wishes, tell: Told) -> AsyncIterator[Session]:
    """All of it, running, until the context ends; nothing is kept.

    Raises:
        DevError: something could not be started.
    """
    async with AsyncExitStack() as stack:
        logs = Path(tempfile.mkdtemp(prefix="celeriac-dev-"))
        children = await stack.enter_async_context(guarded(logs))
        programs: list[Program] = []
        settings: dict[str, str] = {}
        if wishes.with_nats:
            server, settings = nats_server(logs, os.environ)
            programs.append(await _started(server, children, stack))
        store = _store(wishes, tell)
        settings["CELERIAC_KUBECONFIG"] = await _cluster(store, wishes, settings, logs, children, stack)
        operator, port = _operator(wishes, os.environ, settings, logs)
        if wishes.with_nats:
            await programs[0].until("ready", lambda: greets(settings["CELERIAC_NATS_URL"]))
        programs.append(await _started(operator, children, stack))
        _declare(store, wishes)
        await operator.until("ready", lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        if wishes.with_nats:
            await _streams(settings, wishes, operator)
        watching = asyncio.create_task(_first_end(programs, children))
        stack.callback(watching.cancel)
        yield Session(settings, logs, watching)


async def _started(program: Program, children: Guarded, stack: AsyncExitStack) -> Program:
    await program.start(children)
    stack.push_async_callback(program.stop)
    return program


def _store(wishes: Wishes, tell: Told) -> Store:
    store = Store()
    store.create(NAMESPACES, "", {"metadata": {"name": wishes.namespace}})
    store.heard.append(_Narrator(tell).hear)
    return store


async def _cluster(
    store: Store, wishes: Wishes, settings: Mapping[str, str], logs: Path, children: Guarded, stack: AsyncExitStack
) -> str:
    """Start the API server, and what runs processes; the kubeconfig, which processes get as well."""
    executor = Executor(store, {**os.environ, **settings}, logs / "pods", wishes.directory, children)
    api = ApiServer(store, executor.log_of)
    await api.start()
    stack.push_async_callback(api.stop)
    stack.push_async_callback(executor.stop)
    kubeconfig = str(_kubeconfig(logs, api, wishes.namespace))
    executor.give({"CELERIAC_KUBECONFIG": kubeconfig})
    return kubeconfig


def _kubeconfig(directory: Path, api: ApiServer, namespace: str) -> Path:
    path = directory / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "dev",
        "clusters": [{"name": "dev", "cluster": {"server": api.url}}],
        "users": [{"name": "dev", "user": {"token": api.token}}],
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev", "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def _operator(wishes: Wishes, env: Mapping[str, str], settings: Mapping[str, str], logs: Path) -> tuple[Program, int]:
    """The operator as it is in a cluster, told where things are by its usual settings."""
    port = free_port()
    own = {
        "KUBECONFIG": settings["CELERIAC_KUBECONFIG"],
        "CELERIAC_NAMESPACES": wishes.namespace,
        "CELERIAC_OPERATOR_NAMESPACE": wishes.namespace,
        "CELERIAC_POD_NAME": "dev",
        "CELERIAC_HTTP_PORT": str(port),
        "CELERIAC_LOG_LEVEL": wishes.log_level,
        "CELERIAC_LOG_FORMAT": "console",
        "CELERIAC_QUEUE_DEFAULTS": json.dumps({"maxConcurrency": wishes.slots}),
        "CELERIAC_NATS_DEAD_BYTES": _BOUND,  # reserved of the laptop's disk, and nobody to share it with
        "CELERIAC_NATS_DELAYED_BYTES": _BOUND,
        "CELERIAC_NATS_NAMESPACE_PERCENT": "100",
    }
    runner = {"CELERIAC_RUNNER_NATS_URL": settings["CELERIAC_NATS_URL"]} if wishes.with_nats else {}
    theirs = ("CELERIAC_", "KUBERNETES_SERVICE_")  # of another operator or cluster
    kept = {name: value for name, value in env.items() if not name.startswith(theirs)}
    argv = [sys.executable, "-m", "celeriac_operator"]
    return Program("the operator", argv, {**kept, **settings, **own, **runner}, logs / "operator.log"), port


def _declare(store: Store, wishes: Wishes) -> None:
    """The App's TaskDefinitions, and every queue that they name: a message needs a queue that is declared."""
    for raw in wishes.definitions:
        store.create(_DEFINITIONS, wishes.namespace, raw)
    for name in sorted(wishes.queues):
        spec = {"maxConcurrency": wishes.slots}
        store.create(_QUEUES, wishes.namespace, {"metadata": {"name": name}, "spec": spec})


async def _streams(settings: Mapping[str, str], wishes: Wishes, operator: Program) -> None:
    """Wait until the operator has made the streams: a submit before would find no queue."""
    import nats  # noqa: PLC0415  without NATS it is not needed
    import nats.errors  # noqa: PLC0415
    import nats.js.errors  # noqa: PLC0415

    client = await nats.connect(**connect_arguments(NatsOptions.from_env(settings)))
    js = client.jetstream()

    async def there() -> bool:
        try:
            for name in wishes.queues:
                await js.stream_info(stream_of(wishes.namespace, name))
        except (nats.js.errors.NotFoundError, nats.errors.TimeoutError):
            return False
        return True

    try:
        await operator.until("taking messages", there)
    finally:
        await client.close()


async def _first_end(programs: Iterable[Program], children: Guarded) -> DevError:
    """Wait until one has ended that must not; an operator that was asleep for too long is started again."""

    async def end(program: Program) -> DevError:
        while (code := await program.ended()) == DEPOSED:
            await program.start(children)
        return program.failed(f"has ended with code {code}")

    done, left = await asyncio.wait(
        [asyncio.ensure_future(end(each)) for each in programs], return_when="FIRST_COMPLETED"
    )
    for other in left:
        other.cancel()
    return done.pop().result()


class _Narrator:
    """Tells what becomes of Tasks, a line for each change of phase."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell
        self._phases: dict[str, str] = {}

    def hear(self, change: Change) -> None:
        if change.kind != _TASKS:
            return
        meta, status = change.raw["metadata"], change.raw.get("status") or {}
        phase = status.get("phase") or ""
        if change.event == "DELETED":
            self._phases.pop(meta["uid"], None)
        elif phase and self._phases.get(meta["uid"]) != phase:
            self._phases[meta["uid"]] = phase
            what = change.raw["spec"].get("definitionName") or "container"
            why, *_ = (status.get("message") or "").splitlines() or [""]
            self._tell(f"{meta['name']} ({what}) {phase}: {why}")
