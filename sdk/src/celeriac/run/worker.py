"""A pod that takes many tasks: it claims one for each free slot, and each runs in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac.app.exit_code import ExitCode
from celeriac.run import container_log, memory
from celeriac.run.attempt import Attempt
from celeriac.run.bus import PUBLISH_SECONDS
from celeriac.run.forker import Forker
from celeriac.run.standby import Standby, Stop

SLOTS = "CELERIAC_SLOTS"
"""Variable that the operator sets in a pod that takes many tasks: so many at once."""
TASKS = "CELERIAC_TASKS"
"""Variable: so many in all."""
MEMORY = "CELERIAC_MEMORY_LIMIT"
"""Variable: bytes of memory that the pod may take; empty or 0: as many as there are."""
MOST_EARLY = 1000
"""So many stops are remembered for attempts that have not begun."""


@dataclass(frozen=True)
class Size:
    """What a worker takes."""

    slots: int
    tasks: int
    memory: int | None
    """Bytes that each task may take."""


def size_of(env: Mapping[str, str]) -> Size:
    """As the operator says it, once everything is imported. Raises ValueError."""
    slots, limit = int(env[SLOTS]), int(env.get(MEMORY) or 0)
    return Size(slots, int(env[TASKS]), memory.share(limit, slots) if limit else None)


class Worker:
    """The pod's process: it has the connection, and each attempt has a process of its own.

    Args:
        forker: starts these.
    """

    def __init__(self, namespace: str, pod_uid: str, size: Size, forker: Forker) -> None:
        self._namespace, self._pod_uid, self._size, self._forker = namespace, pod_uid, size, forker
        self._left = size.tasks
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._numbers = itertools.count()
        self._processes: dict[int, Attempt] = {}
        self._early: dict[tuple[str, int], Stop] = {}
        """Stops of attempts that are not known here: the claim of one may just be written."""
        self._going: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        """SIGTERM has come."""

    async def serve(self, options: NatsOptions) -> int:
        """Take tasks until there were enough, or SIGTERM comes. Returns what to exit with, once all have ended."""
        from celeriac._lasting import LastingClient  # noqa: PLC0415 -- it takes a while

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)
        loop.add_reader(self._forker.ends, self._on_ends)
        client = LastingClient()
        await client.connect(**connect_arguments(options), error_cb=_pass_over, name="celeriac-worker")
        js = client.jetstream(timeout=PUBLISH_SECONDS)
        standby = Standby(
            client,
            self._namespace,
            self._pod_uid,
            js,
            left=lambda: 0 if self._stopped.is_set() else self._left,
            stop=self._stop,
        )
        async with standby:
            await self._take(standby, js, client)
            await asyncio.gather(*self._going)  # until then it hears which is to be stopped
        with suppress(Exception):
            await client.drain()
        return ExitCode.STOPPED if self._stopped.is_set() else ExitCode.SUCCEEDED

    async def _take(self, standby: Standby, js: Any, client: Any) -> None:
        slots = asyncio.Semaphore(self._size.slots)
        stopped = asyncio.create_task(self._stopped.wait())
        while self._left and not self._stopped.is_set():
            await slots.acquire()
            if self._stopped.is_set():  # what is told to this pod and not claimed runs elsewhere
                break
            coming = asyncio.create_task(standby.next())
            await asyncio.wait({coming, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():  # of what it may be claiming just now, the end is this pod's
                coming.cancel()
                break
            self._left -= 1
            self._begin(Attempt(coming.result(), self._pod_uid, js, client), standby, slots)
        stopped.cancel()
        standby.announce()

    def _begin(self, attempt: Attempt, standby: Standby, slots: asyncio.Semaphore) -> None:
        self._attempts[attempt.assignment.uid, attempt.assignment.attempt] = attempt
        number = next(self._numbers)
        self._processes[number] = attempt
        attempt.start(self._forker, number, self._size.memory)
        if self._stopped.is_set():
            attempt.signal(signal.SIGTERM)
        early = self._early.pop((attempt.assignment.uid, attempt.assignment.attempt), None)
        if early is not None:
            attempt.stop(early)
        going = asyncio.create_task(self._until_it_ends(attempt, standby, slots))
        self._going.add(going)
        going.add_done_callback(self._going.discard)

    async def _until_it_ends(self, attempt: Attempt, standby: Standby, slots: asyncio.Semaphore) -> None:
        try:
            await attempt.ends(given_up=self._stopped.is_set)
        finally:
            del self._attempts[attempt.assignment.uid, attempt.assignment.attempt]
            standby.ended(attempt.assignment)
            slots.release()

    def _stop(self, stop: Stop) -> None:
        attempt = self._attempts.get((stop.uid, stop.attempt))
        if attempt is not None:
            attempt.stop(stop)
            return
        self._early[stop.uid, stop.attempt] = stop
        if len(self._early) > MOST_EARLY:  # most are of attempts that have ended
            del self._early[next(iter(self._early))]

    def _on_sigterm(self) -> None:
        self._stopped.set()
        for attempt in self._attempts.values():
            attempt.signal(signal.SIGTERM)

    def _on_ends(self) -> None:
        try:
            ends = self._forker.ended()
        except EOFError:  # killed by somebody: no task can be started, and the end of none is heard of
            container_log.write(["celeriac: the process that starts the tasks of this worker has ended.\n"])
            os._exit(ExitCode.RAISED)
        for end in ends:
            self._processes.pop(end.number).ended(end)


async def _pass_over(_error: Exception) -> None:
    """The client connects again by itself."""


def work(worker: Worker, options: NatsOptions) -> NoReturn:
    """Work, and leave the process; threads and exit handlers of the module do not hold it up."""
    code = asyncio.run(worker.serve(options))
    container_log.flush()
    os._exit(code)
