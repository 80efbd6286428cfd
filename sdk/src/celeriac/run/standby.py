"""A pod that waits for tasks: it says that it is there, and claims what it is told of before it runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from celeriac.app.exit_code import ExitCode
from celeriac.run import container_log
from celeriac.run.bus import last_record, put_against
from celeriac.run.environment import Environment, read_environment
from celeriac.run.outcome import Failed
from celeriac.wire.canonical import canonical_json
from celeriac.wire.names import assign_subject, attempt_key, begin_line, claim_key, ready_subject, roll_subject

ANNOUNCE_SECONDS = 10.0
PAUSE_SECONDS = 0.2
VOID_SECONDS = 60.0
"""What is not said again for so long is not wanted any more: while it is, an operator says it each second."""
BACKSTOP_SECONDS = 60
"""The pod's own end comes so much later than the operator's deadline: it is for when no operator is there."""
TOO_LATE = Failed(
    "RunDeadlineExceeded", ExitCode.STOPPED, "It ran longer than runSeconds, and no operator was there to stop it"
)


@dataclass(frozen=True)
class Assignment:
    """A task to run, as the operator tells it."""

    uid: str
    attempt: int
    expect: int
    """Revision of the claim's key that the claim is made against; 0: there is none."""
    env: Mapping[str, str]
    """The variables that the operator sets in a pod that is made for the task."""
    seconds: float | None
    """How long the process may take at all."""


def parse_assignment(data: bytes) -> Assignment | None:
    """The assignment; None where it is none that this version knows."""
    try:
        raw = json.loads(data)
        env = {str(name): str(value) for name, value in raw["env"].items()}
        seconds = raw.get("seconds")
        return Assignment(
            str(raw["uid"]), int(raw["attempt"]), int(raw["expect"]), env, None if seconds is None else float(seconds)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class Stop:
    """An attempt of this pod is to end, as the operator tells it."""

    uid: str
    attempt: int
    failure: str
    message: str
    """For the function."""
    said: str
    """For people: what the attempt's record says."""
    grace: float
    """Seconds between SIGTERM and SIGKILL."""


def parse_stop(data: bytes) -> Stop | None:
    """The word to stop an attempt; None where it is none that this version knows."""
    try:
        raw = json.loads(data)
        stop = raw["stop"]
        message, grace = str(stop.get("message") or ""), float(stop.get("grace") or 0)
        said = str(stop.get("said") or message)
        return Stop(str(raw["uid"]), int(raw["attempt"]), str(stop["failure"]), message, said, grace)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Standby:
    """Waits on a connection for assignments that this pod can claim.

    Args:
        js: JetStream, to write claims.
        left: how many more tasks this pod takes.
        stop: is told which attempt is to end.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        pod_uid: str,
        js: Any,
        *,
        left: Callable[[], int] = lambda: 1,
        stop: Callable[[Stop], None] = lambda _: None,
        announce_seconds: float = ANNOUNCE_SECONDS,
    ) -> None:
        self._client, self._namespace, self._pod_uid, self._js = client, namespace, pod_uid, js
        self._left, self._stop, self._announce_seconds = left, stop, announce_seconds
        self._told: asyncio.Queue[Assignment] = asyncio.Queue()
        self._waiting: dict[tuple[str, int, int], float] = {}
        """When each that waits for a slot was said last."""
        self._begun: dict[tuple[str, int], bytes] = {}
        """The claims of attempts that run here."""
        self._asked = asyncio.Event()
        self._subscriptions: list[Any] = []
        self._announcing: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Standby:
        taken = await self._client.subscribe(assign_subject(self._namespace, self._pod_uid), cb=self._hear)
        roll = await self._client.subscribe(roll_subject(self._namespace), cb=self._roll)
        self._subscriptions = [taken, roll]
        self._announcing = asyncio.create_task(self._announce_always())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._announcing is not None:
            self._announcing.cancel()
        self._leaving = asyncio.create_task(self._leave())  # who has its task does not wait for that

    async def _leave(self) -> None:
        """Who tells this pod of a task from now on hears that nobody listens."""
        for subscription in self._subscriptions:
            with suppress(Exception):
                await subscription.unsubscribe()

    async def next(self) -> Assignment:
        """The next assignment, once it is this pod's."""
        while True:
            found = await self._told.get()
            said = self._waiting.pop(_name(found), None)
            if said is None or monotonic() - said > VOID_SECONDS:
                continue
            if await self._begins(found):
                return found
            with suppress(Exception):  # once NATS is back, an operator asks for all that it does not know
                await self._repeat_end(found)
            self.announce()

    def ended(self, assignment: Assignment) -> None:
        """An attempt runs here no more."""
        self._begun.pop((assignment.uid, assignment.attempt), None)

    def announce(self) -> None:
        """Say once more that this pod waits, or how many more tasks it takes."""
        self._asked.set()

    async def _hear(self, message: Any) -> None:
        found = parse_assignment(message.data)
        if found is not None:
            if _name(found) not in self._waiting:  # it is told again while no slot is free
                self._told.put_nowait(found)
            self._waiting[_name(found)] = monotonic()
        elif (stop := parse_stop(message.data)) is not None:
            for name in [name for name in self._waiting if name[:2] == (stop.uid, stop.attempt)]:
                del self._waiting[name]
            self._stop(stop)

    async def _roll(self, _message: Any) -> None:
        self.announce()

    async def _announce_always(self) -> None:
        while True:
            self._asked.clear()
            with suppress(Exception):  # without a connection nobody hears it, and it is said again
                if self._client.is_connected:
                    said = json.dumps({"left": self._left()}).encode()
                    await self._client.publish(ready_subject(self._namespace, self._pod_uid), said)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._announce_seconds):
                    await self._asked.wait()

    async def _begins(self, assignment: Assignment) -> bool:
        """Claim it; whose it is once another one's claim or a revocation is there.

        An answer to an earlier try may have been lost: then this very record is there. Another one of this pod is of an
        assignment that was told again after it was taken. What runs here is claimed again, in case that NATS has lost
        the claim, and does not begin a second time.
        """
        name = assignment.uid, assignment.attempt
        running = self._begun.get(name)  # before the write: it may end meanwhile, and its claim is there all the same
        data = running or self._claim(assignment)
        existing = await written(self._js, claim_key(self._namespace, *name), data, assignment.expect)
        if running is not None or existing not in (None, data):
            return False
        self._begun[name] = data
        return True

    def _claim(self, assignment: Assignment) -> bytes:
        record = {
            "author": "Runner",
            "taskUid": assignment.uid,
            "attempt": assignment.attempt,
            "podUID": self._pod_uid,
            "time": datetime.now(UTC).isoformat(),
        }
        return canonical_json(record)

    async def _repeat_end(self, assignment: Assignment) -> None:
        """Who tells of an attempt that has ended has missed its end, and waits for news of it: write it once more.

        Such is an operator of a release before this one, which is gone back to: it does not know of attempts that are
        in no status yet, and follows the claim that it finds without a look for the end.
        """
        key = attempt_key(self._namespace, assignment.uid, assignment.attempt)
        end = await last_record(self._js, key)
        if end is not None and end.data:  # what was collected stays so
            await put_against(self._js, key, end.data, end.revision)


async def written(js: Any, key: str, record: bytes, expect: int) -> bytes | None:
    """Write it, or have what is there instead, however long that takes: an answer that is lost may have been a yes."""
    while True:
        try:
            return await put_against(js, key, record, expect)
        except Exception:
            await asyncio.sleep(PAUSE_SECONDS)


def _name(assignment: Assignment) -> tuple[str, int, int]:
    return assignment.uid, assignment.attempt, assignment.expect


def prepare(assignment: Assignment, report_late: Callable[[Environment], None]) -> Environment:
    """The attempt that this process has become: its variables, its first line in the log, its last deadline."""
    os.environ.update(assignment.env)
    environment = read_environment(os.environ)
    container_log.flush()
    line = f"{begin_line(assignment.uid, assignment.attempt)}\n"
    for stream in (sys.stdout, sys.stderr):  # the streams overtake each other on their way to the log
        with suppress(Exception):
            stream.write(line)
            stream.flush()
    if assignment.seconds is not None:
        last = threading.Timer(assignment.seconds + BACKSTOP_SECONDS, report_late, (environment,))
        last.daemon = True
        last.start()
    return environment


def leave_on_sigterm() -> None:
    """A pod that waits has nothing to end."""

    def leave(_number: int, _frame: object) -> None:
        container_log.flush_at_last()
        os._exit(ExitCode.STOPPED)

    signal.signal(signal.SIGTERM, leave)
