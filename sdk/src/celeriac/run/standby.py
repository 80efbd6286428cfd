"""A pod that waits for its one task: it says that it is there, and claims what it is told of before it runs it."""

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
from typing import Any

from celeriac.app.exit_code import ExitCode
from celeriac.run import container_log
from celeriac.run.environment import Environment, read_environment
from celeriac.run.verdict import parse_record
from celeriac.wire.canonical import canonical_json
from celeriac.wire.names import assign_subject, begin_line, claim_key, ready_subject, roll_subject

ANNOUNCE_SECONDS = 10.0
PAUSE_SECONDS = 0.2
BACKSTOP_SECONDS = 60
"""The pod's own end comes so much later than the operator's deadline: it is for when no operator is there."""


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


class Standby:
    """Waits on a connection for the one assignment that this pod can claim.

    Args:
        claim: writes under a key against a revision; gives back what is there where another one is.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        pod_uid: str,
        claim: Callable[[str, bytes, int], Any],
        *,
        announce_seconds: float = ANNOUNCE_SECONDS,
    ) -> None:
        self._client, self._namespace, self._pod_uid, self._claim = client, namespace, pod_uid, claim
        self._announce_seconds = announce_seconds
        self._told: asyncio.Queue[Assignment | None] = asyncio.Queue()

    async def wait(self) -> Assignment:
        """The assignment, once it is this pod's."""
        taken = await self._client.subscribe(assign_subject(self._namespace, self._pod_uid), cb=self._assigned)
        roll = await self._client.subscribe(roll_subject(self._namespace), cb=self._asked)
        try:
            while True:
                found = await self._next()
                if found is not None and await self._is_ours(found):
                    return found
        finally:
            for subscription in (taken, roll):
                with suppress(Exception):
                    await subscription.unsubscribe()

    async def _assigned(self, message: Any) -> None:
        self._told.put_nowait(parse_assignment(message.data))

    async def _asked(self, _message: Any) -> None:
        self._told.put_nowait(None)

    async def _next(self) -> Assignment | None:
        """What comes next; whenever there is nothing to claim, say that this pod waits."""
        if self._told.empty():
            await self._announce()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._announce_seconds):
                return await self._told.get()
        return None

    async def _announce(self) -> None:
        with suppress(Exception):  # without a connection nobody hears it, and it is said again
            if self._client.is_connected:
                await self._client.publish(ready_subject(self._namespace, self._pod_uid), b"{}")

    async def _is_ours(self, assignment: Assignment) -> bool:
        """Claim it; whose it is once another one's claim or a revocation is there."""
        record = {
            "author": "Runner",
            "taskUid": assignment.uid,
            "attempt": assignment.attempt,
            "podUID": self._pod_uid,
            "time": datetime.now(UTC).isoformat(),
        }
        key = claim_key(self._namespace, assignment.uid, assignment.attempt)
        existing = await self._written(key, canonical_json(record), assignment.expect)
        if existing is None:
            return True
        found = parse_record(existing)  # an answer to an earlier try may have been lost
        return found.get("author") == "Runner" and found.get("podUID") == self._pod_uid

    async def _written(self, key: str, record: bytes, expect: int) -> bytes | None:
        """Once it is known. Whatever goes wrong with NATS, the claim may have been stored: to drop it would lose it."""
        while True:
            try:
                found: bytes | None = await self._claim(key, record, expect)
            except Exception:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return found


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
