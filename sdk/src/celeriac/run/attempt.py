"""An attempt that a worker has taken: its process, its lines, and its record, which somebody writes in every case."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celeriac.app.exit_code import ExitCode
from celeriac.run import container_log, memory
from celeriac.run.bus import get_object, put_object, read_record
from celeriac.run.environment import Environment, read_environment
from celeriac.run.forker import End, Forker
from celeriac.run.interrupts import LINGER_SECONDS
from celeriac.run.lines import Lines
from celeriac.run.outcome import Failed, Outcome
from celeriac.run.parent import Message, receive, send
from celeriac.run.process_end import of_process
from celeriac.run.reporting import Report, record_of
from celeriac.run.standby import BACKSTOP_SECONDS, TOO_LATE, Assignment, Stop, written
from celeriac.run.verdict import parse_record
from celeriac.wire.canonical import canonical_json
from celeriac.wire.names import attempt_key, line_tag

PIECE = 64 * 1024


class Attempt:
    """One attempt.

    Args:
        js: JetStream, to write and read for the process.
        client: the connection, to publish for it.
    """

    def __init__(self, assignment: Assignment, pod_uid: str, js: Any, client: Any) -> None:
        self.assignment = assignment
        self._js, self._client = js, client
        self._env = {**assignment.env, "CELERIAC_POD_UID": pod_uid}
        self._environment: Environment = read_environment(self._env)
        self._lines = Lines(line_tag(assignment.uid, assignment.attempt))
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._record: asyncio.Future[bytes] = self._loop.create_future()
        self._ended_by: Outcome | None = None
        """Why it was stopped, where that was the operator's will, or this pod's."""
        self._timers: list[asyncio.TimerHandle] = []
        self._answers: set[asyncio.Task[None]] = set()

    def start(self, forker: Forker, number: int, size: int | None) -> None:
        """Have its process forked; where that cannot be done, the attempt has failed.

        Args:
            number: names the process.
            size: bytes of memory that it may take.
        """
        self._kills, self._forker, self._number = memory.kills(), forker, number
        try:
            self._link, self._output = _forked(lambda *ends: forker.fork(number, self._env, size, *ends))
        except OSError as error:
            self._not_started(error)
            self._exit.set_result(ExitCode.RAISED)
            return
        self._loop.add_reader(self._output, self._print)
        self._loop.add_reader(self._link, self._hear)
        if self.assignment.seconds is not None:
            self._timers.append(self._loop.call_later(self.assignment.seconds + BACKSTOP_SECONDS, self._too_late))

    async def ends(self, given_up: Callable[[], bool]) -> None:
        """Wait for its end, and record it: a success the moment that it is told, else once the process has ended.

        Args:
            given_up: whether the pod ends, which then tells why an attempt ended that says nothing itself.
        """
        ends: list[asyncio.Future[Any]] = [self._exit, self._record]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._record.done() and "failure" not in parse_record(self._record.result()):
            await self._store(self._record.result())
            await self._exit
        else:
            code = await self._exit
            record = self._record.result() if self._record.done() else self._of_process(code, given_up())
            if record is not None:
                await self._store(record)
        for timer in self._timers:
            timer.cancel()

    def stop(self, stop: Stop) -> None:
        """End it: SIGTERM, and SIGKILL after the grace; said again, it changes nothing."""
        if self._ended_by is None:
            self._ended_by = Failed(stop.failure, ExitCode.STOPPED, stop.said)
            with suppress(OSError):
                send(self._link, {"do": "stop", "failure": stop.failure, "message": stop.message})
            self.signal(signal.SIGTERM)
            self._timers.append(self._loop.call_later(stop.grace, self._kill))

    def signal(self, number: int) -> None:
        """Send a signal to its process."""
        if not self._exit.done():
            self._forker.signal(self._number, number)

    def ended(self, end: End) -> None:
        """Its process has ended, and all that it left behind; or none could be started."""
        if end.error:
            self._not_started(OSError(end.error, os.strerror(end.error)))
        self._hear()
        self._print()
        self._write(self._lines.end())
        for descriptor in (self._output, self._link):
            self._loop.remove_reader(descriptor)
        self._link.close()
        os.close(self._output)
        self._exit.set_result(end.code)

    def _not_started(self, error: OSError) -> None:
        said = f"Its worker could not start a process for it: {error.strerror}"
        self._ended_by = Failed("AppError", ExitCode.RAISED, said)

    def _kill(self) -> None:
        if not self._exit.done():
            self._forker.signal(self._number, signal.SIGKILL, group=True)

    def _too_late(self) -> None:
        self._ended_by = self._ended_by or TOO_LATE
        self._kill()

    # --- its lines ---

    def _print(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._output, PIECE):
                self._write(self._lines.add(piece))
            self._loop.remove_reader(self._output)  # all who had it have closed it

    def _write(self, lines: bytes) -> None:
        if lines:
            container_log.write_bytes(lines)

    # --- what it asks for ---

    def _hear(self) -> None:
        with suppress(OSError, ValueError):
            while True:
                self._take(receive(self._link))

    def _take(self, message: Message) -> None:
        name, seconds = str(message.head.get("name")), float(message.head.get("timeout") or 0)
        match message.head.get("do"):
            case "create" if not self._record.done():
                self._print()  # who sees the result sees the log
                self._record.set_result(message.data)
                self._timers.append(self._loop.call_later(LINGER_SECONDS, self._kill))  # cheaper than a thread there
            case "publish":
                self._begin(self._client.publish(name, message.data))
            case "read":
                self._begin(self._answer(read_record(self._js, name), seconds))
            case "put":
                self._begin(self._answer(put_object(self._js, name, message.data), seconds))
            case "get":
                self._begin(self._answer(get_object(self._js, name), seconds, large=True))
            case _:
                pass

    def _begin(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_quietly(deed))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, deed: Coroutine[Any, Any, bytes | None], seconds: float, *, large: bool = False) -> None:
        try:
            async with asyncio.timeout(seconds):
                found = await deed
        except LookupError:
            found = None
        except Exception as error:  # texts of NATS are left out, as they can hold what was sent
            send(self._link, {"error": f"NATS cannot be used: {type(error).__name__}"})
            return
        send(self._link, {"found": found is not None}, found or b"", large=large)

    # --- its record ---

    def _of_process(self, code: int, given_up: bool) -> bytes | None:
        """The record of one whose process told nothing; None where the pod's end tells."""
        if given_up and self._ended_by is None:
            return None
        found = of_process(code, self._ended_by, out_of_memory=memory.kills() > self._kills)
        return canonical_json(record_of(Report(found), self._environment, datetime.now(UTC)))

    async def _store(self, record: bytes) -> None:
        """Write it, unless the attempt is decided already, however long that takes: nobody else can tell its end."""
        assignment = self.assignment
        key = attempt_key(self._environment.namespace, assignment.uid, assignment.attempt)
        await written(self._js, key, record, 0)


def _forked(fork: Callable[[socket.socket, int], None]) -> tuple[socket.socket, int]:
    """The worker's ends of a pair of sockets and of a pipe, of which the process has the others. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    reads, writes = os.pipe()
    try:
        fork(theirs, writes)
    except OSError:
        ours.close()
        os.close(reads)
        raise
    finally:
        theirs.close()
        os.close(writes)
    os.set_blocking(reads, False)
    ours.setblocking(False)
    return ours, reads


async def _quietly(deed: Coroutine[Any, Any, None]) -> None:
    with suppress(Exception):
        await deed
