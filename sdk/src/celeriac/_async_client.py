# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""The asynchronous client and the handle that it gives: what users call, one line a method."""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self, Unpack

from celeriac import _backfill, _crons, _evidence, _logs, _queues, _tasks, errors
from celeriac._api import Api
from celeriac._arguments import text
from celeriac._backfill import BackfillRun
from celeriac._closed import closed
from celeriac._cron_task import CronTask
from celeriac._door import ANY, Door, Identity, Outcome, Submitted
from celeriac._explain import Explanation, explain
from celeriac._extras import default_transport, jetstream_door
from celeriac._kubernetes_door import KubernetesDoor, submitted
from celeriac._nats_options import NatsOptions
from celeriac._phase import Phase
from celeriac._queue import Queue
from celeriac._request import Submission, TaskOptions, TaskRequest, request_of
from celeriac._room import Room
from celeriac._task import Task
from celeriac._wire import Transport
from celeriac.api.v1alpha1 import StopPolicy


@dataclass(frozen=True)
class AsyncSubmission(Submission):
    """What became of one request of ``submit_many``: either a handle or an error."""

    handle: AsyncTaskHandle | None = None


class AsyncClient:
    """Submits tasks and gets their results, for programs that run on asyncio.

    Tasks go through NATS where it is configured, and are created as resources at the Kubernetes API server otherwise.
    Logs, ``why``, ``list``, ``retry``, queues and CronTasks always need the API server, and connect to it when asked.

    It connects with its first call; close it, or use it as a context manager, in the event loop that made that call.
    Calls may run at the same time. Trouble of a server that passes is waited out for some seconds. Once it is closed,
    every call of it and of its handles raises RuntimeError.

    Every method may raise ConnectionFailed, Forbidden and NotInstalled.
    """

    def __init__(
        self,
        namespace: str | None = None,
        context: str | None = None,
        *,
        kubeconfig: str | None = None,
        transport: Transport | None = None,
        nats_url: str | None = None,
    ) -> None:
        """Connect to NATS if there is a URL of it, and to the cluster as kubectl does, or as the pod that this runs in.

        namespace: where tasks are, unless a call says otherwise. None: the context's or the pod's.
        context: the kubeconfig's context. None: its current one.
        kubeconfig: path of the file. None: CELERIAC_KUBECONFIG, else KUBECONFIG, else ``~/.kube/config``, else the pod.
        transport: what performs calls to the API server, instead of a connection to a cluster; for tests.
        nats_url: servers of NATS, separated by commas; empty: tasks go through the API server. None: CELERIAC_NATS_URL,
            or empty if there is a transport. The other CELERIAC_NATS_… variables say who asks.
        """
        self._closed = False
        self._namespace = namespace
        self._transport, self._source = transport, (kubeconfig, context)
        if nats_url is None and transport is not None:
            nats_url = ""
        options = NatsOptions.from_env(os.environ)
        options = options if nats_url is None else replace(options, url=text("nats_url", nats_url, "nats://nats:4222"))
        self._door = jetstream_door(options, self._fallback) if options.enabled else KubernetesDoor(self._api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Send what is still to be sent, and close every connection."""
        self._closed = True
        await self._door.close()
        if "_api" in self.__dict__:
            await self._api.close()

    async def namespace(self) -> str:
        """The namespace that tasks are in, unless a call says otherwise."""
        if self._namespace is None:
            self._namespace = await self._door.namespace()
        return self._namespace

    async def submit(
        self,
        request: TaskRequest | None = None,
        *,
        check: bool = False,
        block: bool = False,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> AsyncTaskHandle:
        """Submit a task: once this returns, it is kept durably and will start at least once, or say why not.

        request: the task, instead of keyword arguments. TaskRequest says what each argument is.
        check: refuse at once a definition that is not there; otherwise it may come later.
        block: wait for room where the queue is full. timeout: at most so many seconds; None: for ever.

        Submitting the same name or key with the same content again gives the same task. Raises InvalidTask,
        InvalidParams, AlreadyExists (same name or key, other content), QueueFull, UnknownDefinition (with check);
        through NATS UnknownQueue, and AlreadyExists only if the other task has finished: ``get`` raises it otherwise.
        """
        if request is not None and options:
            raise errors.InvalidTask(f"Give a request or {', '.join(options)}, not both: the request says it all.")
        return self._handle(await self._submit(request or options, check, Room.of(block, timeout)))

    async def submit_many(
        self,
        requests: Iterable[TaskRequest | TaskOptions],
        *,
        concurrency: int | None = None,
        block: bool = False,
        timeout: float | None = None,
    ) -> builtins.list[AsyncSubmission]:
        """Submit many tasks, and report each by itself, in order: a handle or an error.

        Each request is a TaskRequest or a dict of ``submit``'s keyword arguments; they are taken from the iterable as
        they are sent. Submitting those that failed again, or all of them if they have names or keys, is safe.

        concurrency: under way at a time. None: 16, and 512 through NATS.
        block: wait for room where a queue is full. timeout: at most so many seconds for all of them; None: for ever.
        """
        done = await self._door.submit_many(requests, await self.namespace(), Room.of(block, timeout), concurrency)
        return [self._submission(request, outcome) for request, outcome in done]

    async def get(self, name: str, *, namespace: str | None = None) -> Task:
        """The task as it is now. Raises TaskNotFound.

        Through NATS it is what the task's record or last event says, with no spec; a name that has neither is
        Backlogged, whether it was submitted or not.
        """
        return await self._door.get(await self._in(namespace), name)

    async def watch(self, name: str, *, namespace: str | None = None) -> AsyncGenerator[Task, None]:
        """The task as it is, then each time that it changes; the finished one is the last. Raises TaskNotFound."""
        async with aclosing(self._door.watch(await self._in(namespace), name)) as states:
            async for task in states:
                yield task

    async def wait(self, name: str, timeout: float | None = None, *, namespace: str | None = None) -> Task:
        """The task once it has finished, in whatever way; ``result`` raises what ended it instead.

        timeout: seconds, None for ever. Raises TimeoutError, and TaskNotFound if it is deleted before.
        """
        return await self._door.wait(await self._in(namespace), name, timeout, ANY)

    async def result(self, name: str, timeout: float | None = None, *, namespace: str | None = None) -> Any:
        """What the task returned, once it has; None if it returned nothing.

        timeout: seconds, None for ever. Raises TaskFailed, TaskCancelled, TaskExpired, ResultInvalid, InvalidParams,
        UnknownDefinition, InlineContainerDenied, TimeoutError, TaskNotFound.
        """
        return await self._door.value_of(await self.wait(name, timeout, namespace=namespace))

    async def cancel(self, name: str, reason: str = "", *, namespace: str | None = None) -> Task:
        """Ask for the task's end: SIGTERM, then SIGKILL after its graceSeconds. It is not waited for.

        A task that has finished stays as it is, and a reason that was given before is kept. Raises TaskNotFound.
        Through NATS a task that comes later under that name is cancelled, too.
        """
        return await self._door.cancel(await self._in(namespace), name, reason)

    async def retry(self, name: str, *, namespace: str | None = None) -> AsyncTaskHandle:
        """Run a finished task again, as a new task named ``<name>-r<number>``. Raises TaskNotFinished, TaskNotFound."""
        return self._kubernetes_handle(await _tasks.retry(self._api, await self._in(namespace), name))

    async def logs(
        self,
        name: str,
        follow: bool = False,
        attempt: int | None = None,
        tail: int | None = None,
        *,
        namespace: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """The lines that the task's process wrote, as they are: escape them before you print them to a terminal.

        follow: wait for the start, give lines as they come, and go on with later attempts until the task has finished.
        attempt: this attempt only. None: the last; with follow, also those after it.
        tail: at most so many lines of what is already there.
        Raises LogsUnavailable, TaskNotFound.
        """
        where = await self._in(namespace)
        if follow:
            await self._door.admitted(where, name)
            log = _logs.follow_log(self._api, _tasks.watch(self._api, where, name), attempt, tail)
        else:
            task = await _tasks.get(self._api, where, name)
            if not task.status.attempts:  # its end may be told already, and its status still to be written
                task = await self._door.get(where, name)
            log = _logs.read_log(self._api, task, attempt, tail)
        async with aclosing(log) as lines:
            async for line in lines:
                yield line

    async def list(
        self,
        *,
        queue: str | None = None,
        phase: Phase | str | None = None,
        definition: str | None = None,
        labels: Mapping[str, str] | str | None = None,
        limit: int | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
    ) -> tuple[Task, ...]:
        """The tasks that are asked for, oldest first.

        labels: a mapping, or a selector as kubectl takes it. limit: at most so many, whichever come first.
        Raises InvalidTask: there is no such phase.
        """
        where = None if all_namespaces else await self._in(namespace)
        return await _tasks.find(
            self._api, where, queue=queue, phase=phase, definition=definition, labels=labels, limit=limit
        )

    async def why(self, name: str, *, namespace: str | None = None) -> Explanation:
        """Why the task is where it is: print it. Raises TaskNotFound."""
        evidence = await _evidence.collect(self._api, await self._in(namespace), name)
        return explain(evidence, datetime.now(UTC))

    async def queues(self, *, namespace: str | None = None, all_namespaces: bool = False) -> tuple[Queue, ...]:
        """The TaskQueues that are declared, by name, each with how full it is."""
        return await _queues.find(self._api, None if all_namespaces else await self._in(namespace))

    async def pause(self, queue: str, reason: str = "", *, drain: bool = False, namespace: str | None = None) -> Queue:
        """Have a queue start no attempts until it is resumed. What runs goes on.

        reason: why, for people: waiting tasks say it.
        drain: stop what runs, too. That counts as a disruption (Preempted), and is not waited for.
        Raises UnknownQueue: nobody declared it.
        """
        policy: StopPolicy = "HoldAndDrain" if drain else "Hold"
        return await _queues.stop(self._api, await self._in(namespace), queue, policy, reason)

    async def resume(self, queue: str, *, namespace: str | None = None) -> Queue:
        """Have a queue that was paused or drained go on. Raises UnknownQueue."""
        return await _queues.resume(self._api, await self._in(namespace), queue)

    async def cron_get(self, name: str, *, namespace: str | None = None) -> CronTask:
        """The CronTask as it is now. Raises CronTaskNotFound."""
        return await _crons.get(self._api, await self._in(namespace), name)

    async def cron_list(self, *, namespace: str | None = None, all_namespaces: bool = False) -> tuple[CronTask, ...]:
        """The CronTasks, by name."""
        return await _crons.find(self._api, None if all_namespaces else await self._in(namespace))

    async def cron_trigger(self, name: str, *, namespace: str | None = None) -> AsyncTaskHandle:
        """Run a CronTask's template now, as Task ``<name>-manual-…``. Its schedule goes on as before.

        Raises CronTaskNotFound, InvalidTask, QueueFull.
        """
        return self._kubernetes_handle(await _crons.trigger(self._api, await self._in(namespace), name))

    async def cron_backfill(
        self,
        name: str,
        start: datetime,
        end: datetime,
        *,
        most: int = 100,
        concurrency: int = 1,
        namespace: str | None = None,
    ) -> AsyncGenerator[BackfillRun, None]:
        """Run the slots of a CronTask from start to end that have no Task, and give each when it has ended.

        Slots are run oldest first, at most ``most`` of them and ``concurrency`` at once, none that is still to come.
        One whose Task is there is waited for and not run again; where the Task has gone, its slot runs again.
        Raises CronTaskNotFound, InvalidTask.
        """
        cron = await self.cron_get(name, namespace=namespace)
        slots = _backfill.slots_of(cron, start, end, most, datetime.now(UTC))
        async with aclosing(_backfill.backfill(self._api, cron, slots, concurrency)) as runs:
            async for run in runs:
                yield run

    async def _in(self, namespace: str | None) -> str:
        return namespace or await self.namespace()

    @cached_property
    def _api(self) -> Api:
        """The API server, which is connected to when it is first asked something. Raises RuntimeError: it is closed."""
        if self._closed:
            raise closed()
        return Api(self._transport or default_transport(*self._source))

    async def _fallback(self) -> str:
        """The kubeconfig's namespace; default where there is no cluster to ask about."""
        try:
            return await self._api.transport.namespace()
        except errors.ConnectionFailed:
            return "default"

    async def _submit(
        self, options: TaskRequest | TaskOptions, check: bool = False, room: Room | None = None
    ) -> Submitted:
        request, namespace = request_of(options), await self.namespace()
        if check and request.definition is not None:
            await _tasks.check_definition(self._api, request.namespace or namespace, request.definition)
        return await self._door.submit(request, namespace, room or Room())

    def _submission(self, request: TaskRequest | TaskOptions, outcome: Outcome) -> AsyncSubmission:
        if isinstance(outcome, Submitted):
            return AsyncSubmission(request, None, self._handle(outcome))
        return AsyncSubmission(request, outcome)

    def _handle(self, task: Submitted, door: Door | None = None) -> AsyncTaskHandle:
        return AsyncTaskHandle(self, task.name, task.namespace, identity=task.identity, door=door)

    def _kubernetes_handle(self, task: Task) -> AsyncTaskHandle:
        """A handle to a Task that is the API server's, whatever door other tasks go through."""
        return self._handle(submitted(task), KubernetesDoor(self._api))


class AsyncTaskHandle:
    """A task that was submitted: ``await`` it for its result. Its methods raise what those of AsyncClient raise."""

    def __init__(
        self,
        client: AsyncClient,
        name: str,
        namespace: str,
        uid: str | None = None,
        *,
        identity: Identity | None = None,
        door: Door | None = None,
    ) -> None:
        self._client = client
        self._door = door or client._door
        self._identity = identity or Identity(uid=uid)
        self.name, self.namespace = name, namespace
        self.uid = self._identity.uid

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace}/{self.name}>"

    def __await__(self) -> Generator[Any, None, Any]:
        return self.get().__await__()

    async def get(self, timeout: float | None = None) -> Any:
        """What the task returned; raises what ended it otherwise. timeout: seconds, None for ever."""
        return await self._door.value_of(await self.wait(timeout))

    aget = get

    async def status(self) -> Task:
        """The task as it is now."""
        return await self._door.get(self.namespace, self.name)

    async def wait(self, timeout: float | None = None) -> Task:
        """The task once it has finished, in whatever way. timeout: seconds, None for ever."""
        return await self._door.wait(self.namespace, self.name, timeout, self._identity)

    async def cancel(self, reason: str = "") -> Task:
        """Ask for the task's end."""
        return await self._door.cancel(self.namespace, self.name, reason)

    async def retry(self) -> AsyncTaskHandle:
        """Run the finished task again, as a new task."""
        return await self._client.retry(self.name, namespace=self.namespace)

    def logs(
        self, follow: bool = False, attempt: int | None = None, tail: int | None = None
    ) -> AsyncGenerator[str, None]:
        """The lines that the task's process wrote."""
        return self._client.logs(self.name, follow, attempt, tail, namespace=self.namespace)

    async def why(self) -> Explanation:
        """Why the task is where it is."""
        return await self._client.why(self.name, namespace=self.namespace)
