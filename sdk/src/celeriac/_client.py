# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""The synchronous client: the asynchronous one, run on a private event loop. It decides nothing itself."""

from __future__ import annotations

import asyncio
import atexit
import builtins
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, Unpack
from weakref import WeakSet

from celeriac._async_client import AsyncClient, AsyncTaskHandle
from celeriac._backfill import BackfillRun
from celeriac._cron_task import CronTask
from celeriac._explain import Explanation
from celeriac._loop import LoopThread
from celeriac._phase import Phase
from celeriac._queue import Queue
from celeriac._request import Submission, TaskOptions, TaskRequest
from celeriac._task import Task
from celeriac._typed import Parse, R, parsed
from celeriac._wire import Transport


@dataclass(frozen=True)
class SyncSubmission(Submission):
    """What became of one request of ``submit_many``: either a handle or an error."""

    handle: TaskHandle | None = None


_OPEN: WeakSet[Client] = WeakSet()


@atexit.register
def _close_all() -> None:
    """What a program has left open, such as the client that its App has made, would complain at its end."""
    for client in tuple(_OPEN):
        with suppress(Exception):
            client.close()


class Client:
    """Submits tasks and gets their results: through NATS where it is configured, else at the Kubernetes API server.

    It connects with its first call; close it, or use it as a context manager. Threads may share one, and with it its
    connections. Processes may not: after a fork its calls raise RuntimeError in the child; make another there.

    Every method may raise ConnectionFailed, Forbidden and NotInstalled; AsyncClient's
    methods of the same name say the rest.
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
        self._async = AsyncClient(namespace, context, kubeconfig=kubeconfig, transport=transport, nats_url=nats_url)
        self._loop = LoopThread()
        _OPEN.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send what is still to be sent, close every connection, and end what still runs in other threads."""
        if not self._loop.closed:
            self._loop.run(self._async.close())
            self._loop.close()

    @property
    def namespace(self) -> str:
        """The namespace that tasks are in, unless a call says otherwise."""
        return self._loop.run(self._async.namespace())

    def submit(
        self,
        request: TaskRequest | None = None,
        *,
        check: bool = False,
        block: bool = False,
        timeout: float | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskHandle:
        """Submit a task: once this returns, it is kept durably and will start at least once, or say why not.

        request: the task, instead of keyword arguments. TaskRequest says what each argument is.
        check: refuse at once a definition that is not there; otherwise it may come later.
        block: wait for room where the queue is full. timeout: at most so many seconds; None: for ever.

        Submitting the same name or key with the same content again gives the same task. Raises InvalidTask,
        InvalidParams, AlreadyExists (same name or key, other content), QueueFull, UnknownDefinition (with check);
        through NATS UnknownQueue, and AlreadyExists only if the other task has finished: ``get`` raises it otherwise.
        """
        made = self._async.submit(request, check=check, block=block, timeout=timeout, **options)
        return TaskHandle(self._loop, self._loop.run(made))

    def submit_many(
        self,
        requests: Iterable[TaskRequest | TaskOptions],
        *,
        concurrency: int | None = None,
        block: bool = False,
        timeout: float | None = None,
    ) -> builtins.list[SyncSubmission]:
        """Submit many tasks, and report each by itself, in order: a handle or an error.

        The iterable is used in the client's thread. concurrency: under way at a time. None: 16, and 512 through NATS.
        block: wait for room where a queue is full. timeout: at most so many seconds for all of them; None: for ever.
        """
        done = self._loop.run(self._async.submit_many(requests, concurrency=concurrency, block=block, timeout=timeout))
        return [
            SyncSubmission(one.request, one.error, TaskHandle(self._loop, one.handle) if one.handle else None)
            for one in done
        ]

    def get(self, name: str, *, namespace: str | None = None) -> Task:
        """The task as it is now. Raises TaskNotFound."""
        return self._loop.run(self._async.get(name, namespace=namespace))

    def watch(self, name: str, *, namespace: str | None = None) -> Iterator[Task]:
        """The task as it is, then each time that it changes; the finished one is the last. Raises TaskNotFound."""
        return self._loop.iterate(self._async.watch(name, namespace=namespace))

    def wait(self, name: str, timeout: float | None = None, *, namespace: str | None = None) -> Task:
        """The task once it has finished, in whatever way. timeout: seconds. Raises TimeoutError, TaskNotFound."""
        return self._loop.run(self._async.wait(name, timeout, namespace=namespace))

    def result(self, name: str, timeout: float | None = None, *, namespace: str | None = None) -> Any:
        """What the task returned, once it has; raises what ended it otherwise. timeout: seconds, None for ever."""
        return self._loop.run(self._async.result(name, timeout, namespace=namespace))

    def cancel(self, name: str, reason: str = "", *, namespace: str | None = None) -> Task:
        """Ask for the task's end; it is not waited for. Raises TaskNotFound."""
        return self._loop.run(self._async.cancel(name, reason, namespace=namespace))

    def retry(self, name: str, *, namespace: str | None = None) -> TaskHandle:
        """Run a finished task again, as a new task named ``<name>-r<number>``. Raises TaskNotFinished, TaskNotFound."""
        return TaskHandle(self._loop, self._loop.run(self._async.retry(name, namespace=namespace)))

    def logs(
        self,
        name: str,
        follow: bool = False,
        attempt: int | None = None,
        tail: int | None = None,
        *,
        namespace: str | None = None,
    ) -> Iterator[str]:
        """The lines that the task's process wrote. Raises LogsUnavailable, TaskNotFound."""
        return self._loop.iterate(self._async.logs(name, follow, attempt, tail, namespace=namespace))

    def list(
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
        """The tasks that are asked for, oldest first."""
        return self._loop.run(
            self._async.list(
                queue=queue,
                phase=phase,
                definition=definition,
                labels=labels,
                limit=limit,
                namespace=namespace,
                all_namespaces=all_namespaces,
            )
        )

    def why(self, name: str, *, namespace: str | None = None) -> Explanation:
        """Why the task is where it is: print it. Raises TaskNotFound."""
        return self._loop.run(self._async.why(name, namespace=namespace))

    def queues(self, *, namespace: str | None = None, all_namespaces: bool = False) -> tuple[Queue, ...]:
        """The TaskQueues that are declared, by name, each with how full it is."""
        return self._loop.run(self._async.queues(namespace=namespace, all_namespaces=all_namespaces))

    def pause(self, queue: str, reason: str = "", *, drain: bool = False, namespace: str | None = None) -> Queue:
        """Have a queue start no attempts until it is resumed; drain: stop what runs, too. Raises UnknownQueue."""
        return self._loop.run(self._async.pause(queue, reason, drain=drain, namespace=namespace))

    def resume(self, queue: str, *, namespace: str | None = None) -> Queue:
        """Have a queue that was paused or drained go on. Raises UnknownQueue."""
        return self._loop.run(self._async.resume(queue, namespace=namespace))

    def cron_get(self, name: str, *, namespace: str | None = None) -> CronTask:
        """The CronTask as it is now. Raises CronTaskNotFound."""
        return self._loop.run(self._async.cron_get(name, namespace=namespace))

    def cron_list(self, *, namespace: str | None = None, all_namespaces: bool = False) -> tuple[CronTask, ...]:
        """The CronTasks, by name."""
        return self._loop.run(self._async.cron_list(namespace=namespace, all_namespaces=all_namespaces))

    def cron_trigger(self, name: str, *, namespace: str | None = None) -> TaskHandle:
        """Run a CronTask's template now, as Task ``<name>-manual-…``. Raises CronTaskNotFound, InvalidTask."""
        return TaskHandle(self._loop, self._loop.run(self._async.cron_trigger(name, namespace=namespace)))

    def cron_backfill(
        self,
        name: str,
        start: datetime,
        end: datetime,
        *,
        most: int = 100,
        concurrency: int = 1,
        namespace: str | None = None,
    ) -> Iterator[BackfillRun]:
        """Run the slots of a CronTask from start to end that have no Task, and give each when it has ended."""
        runs = self._async.cron_backfill(name, start, end, most=most, concurrency=concurrency, namespace=namespace)
        return self._loop.iterate(runs)


class TaskHandle(Generic[R]):
    """A task that was submitted. It can be awaited too, in any event loop.

    Of a function it is a ``TaskHandle[R]``, where R is what the function returns; else a ``TaskHandle[Any]``.
    """

    def __init__(self, loop: LoopThread, handle: AsyncTaskHandle, parse: Parse[R] | None = None) -> None:
        self._loop = loop
        self._handle = handle
        self._parse = parse
        self.name = handle.name
        self.namespace = handle.namespace
        self.uid = handle.uid

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace}/{self.name}>"

    def __await__(self) -> Generator[Any, None, R]:
        return self.aget().__await__()

    def get(self, timeout: float | None = None) -> R:
        """What the task returned; raises what ended it otherwise. timeout: seconds, None for ever.

        Raises ResultInvalid too where that is not what the function is annotated to return.
        """
        return self._loop.run(parsed(self._handle, self._parse, timeout))

    async def aget(self, timeout: float | None = None) -> R:
        """The same as ``get``, for a program that runs on asyncio."""
        return await asyncio.wrap_future(self._loop.start(parsed(self._handle, self._parse, timeout)))

    def status(self) -> Task:
        """The task as it is now."""
        return self._loop.run(self._handle.status())

    def wait(self, timeout: float | None = None) -> Task:
        """The task once it has finished, in whatever way. timeout: seconds, None for ever."""
        return self._loop.run(self._handle.wait(timeout))

    def cancel(self, reason: str = "") -> Task:
        """Ask for the task's end."""
        return self._loop.run(self._handle.cancel(reason))

    def retry(self) -> TaskHandle[R]:
        """Run the finished task again, as a new task."""
        return TaskHandle(self._loop, self._loop.run(self._handle.retry()), self._parse)

    def logs(self, follow: bool = False, attempt: int | None = None, tail: int | None = None) -> Iterator[str]:
        """The lines that the task's process wrote."""
        return self._loop.iterate(self._handle.logs(follow, attempt, tail))

    def why(self) -> Explanation:
        """Why the task is where it is."""
        return self._loop.run(self._handle.why())
