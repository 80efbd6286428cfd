# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""Tasks as messages: each is published to its queue's stream, and its record says how it ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celeriac import _outcome, errors
from celeriac._arguments import seconds, text
from celeriac._bucket import Bucket, already_exists, same
from celeriac._door import ANY, Identity, Outcome, Submitted
from celeriac._letter import Letter, letter_of
from celeriac._mailing import Mailing
from celeriac._nats import Nats
from celeriac._nats_options import NatsOptions
from celeriac._news import News
from celeriac._payloads import PayloadLost, Payloads
from celeriac._publisher import Publisher
from celeriac._records import ends, finished, task_of
from celeriac._request import TaskOptions, TaskRequest
from celeriac._room import Room
from celeriac._soon import soon
from celeriac._task import Task
from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.records import RecordKind

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class JetStreamDoor:
    """The door that is NATS."""

    def __init__(self, options: NatsOptions, otherwise: Callable[[], Awaitable[str]]) -> None:
        """otherwise: the namespace where neither the environment nor the pod says one."""
        self._nats = Nats(options)
        self._otherwise = otherwise
        self._news = News(self._nats)
        self._bucket = Bucket(self._nats, self._news)
        self._payloads = Payloads(self._nats)
        self._publisher = Publisher(self._nats)
        self._mailing = Mailing(self._nats, self._publisher, self._payloads)

    async def namespace(self) -> str:
        """CELERIAC_NAMESPACE, else the pod's, else the kubeconfig's."""
        return os.environ.get("CELERIAC_NAMESPACE") or _of_pod() or await self._otherwise()

    async def submit(self, request: TaskRequest, namespace: str, room: Room) -> Submitted:
        """Publish the task. One whose name was given may have ended before: then nothing is sent."""
        letter = letter_of(request, namespace, datetime.now(UTC))
        if letter.named and (earlier := await self._earlier(letter)) is not None:
            return earlier
        await self._mailing.send(letter, room)
        return letter.submitted()

    async def submit_many(
        self, requests: Iterable[TaskRequest | TaskOptions], namespace: str, room: Room, concurrency: int | None
    ) -> list[tuple[TaskRequest | TaskOptions, Outcome]]:
        """Publish many, most of them before the first is acknowledged."""
        return await self._mailing.send_many(requests, namespace, room, concurrency)

    async def get(self, namespace: str, name: str) -> Task:
        """The task as its record says, else its last event, else Backlogged."""
        _check_label(namespace, name)
        record = await self._bucket.find(namespace, name)
        event = None if ends(record) else await self._bucket.last_event(namespace, name)
        return task_of(namespace, name, record, event, datetime.now(UTC))

    async def watch(self, namespace: str, name: str, identity: Identity = ANY) -> AsyncGenerator[Task, None]:
        """The task as it is, then each time that an event or its record tells of a change."""
        _check_label(namespace, name)
        ended = asyncio.ensure_future(self._ended(namespace, name, identity))
        try:
            async with self._news.of(f"celeriac.events.{namespace}.{name}.*") as listener:
                last: Task | None = None
                while not ended.done():
                    task = await self.get(namespace, name)
                    if not task.finished and task != last:
                        yield (last := task)
                    looking = asyncio.ensure_future(listener.next())
                    await asyncio.wait({ended, looking}, return_when=asyncio.FIRST_COMPLETED)
                    looking.cancel()
            yield await ended
        finally:
            ended.cancel()

    async def wait(self, namespace: str, name: str, timeout: float | None, identity: Identity = ANY) -> Task:
        """The task once its record says how it ended."""
        _check_label(namespace, name)
        try:
            async with asyncio.timeout(seconds("timeout", timeout)):
                return await self._ended(namespace, name, identity)
        except TimeoutError:
            record = await soon(self._bucket.ended_now(namespace, name, identity, strange=False))
        if record is not None:
            return finished(namespace, name, record)
        task = await soon(self.get(namespace, name))
        raise errors.TimeoutError(_not_yet(namespace, name, timeout, task, submitted=identity is not ANY))

    async def admitted(self, namespace: str, name: str) -> None:
        """Return once the operator has taken the message."""
        async with aclosing(self.watch(namespace, name)) as states:
            async for task in states:
                if task.uid or task.finished:
                    return

    async def value_of(self, task: Task) -> Any:
        """What the record says that the task returned, fetched where it is large."""
        ref = task.status.result.ref if task.succeeded and task.status.result else None
        if ref is None:
            return _outcome.value_of(task)
        try:
            return json.loads(await self._payloads.fetch(ref))
        except (PayloadLost, ValueError) as error:
            raise errors.ResultInvalid(
                f"Task {task.namespace}/{task.name} succeeded, but its result cannot be had: {error} ({ref.key}).",
                task,
            ) from None

    async def cancel(self, namespace: str, name: str, reason: str) -> Task:
        """Write the wish down: the operator follows it, before or after the task has started."""
        _check_label(namespace, name)
        record = await self._bucket.ask_to_cancel(namespace, name, reason)
        if ends(record):
            return finished(namespace, name, record)
        event = await self._bucket.last_event(namespace, name)
        return task_of(namespace, name, record, event, datetime.now(UTC))

    async def greet(self) -> str | None:
        """The server's release and where it is, once the operator's bucket was found there."""
        client = await self._nats.client()
        await self._bucket.find("default", "doctor")
        release = client.connected_server_version
        version = f"{release.major}.{release.minor}.{release.patch}"
        return f"{self._nats.where} answers, NATS {version}, with the operator's bucket"

    async def close(self) -> None:
        """Close the connection."""
        self._publisher.close()
        await self._nats.close()

    async def _earlier(self, letter: Letter) -> Submitted | None:
        """The task that the same submission was before, if it has ended. Raises AlreadyExists: another one was."""
        record = await self._bucket.find(letter.namespace, letter.name)
        if record is None or record.kind is RecordKind.CANCEL_REQUESTED:
            return None
        if not same(record, letter.identity):
            raise already_exists(letter.namespace, letter.name)
        return letter.submitted(finished=True)

    async def _ended(self, namespace: str, name: str, identity: Identity) -> Task:
        record = await self._bucket.ended(namespace, name, identity, strange=identity is ANY)
        return finished(namespace, name, record)


def _of_pod() -> str:
    return NAMESPACE.read_text().strip() if NAMESPACE.exists() else ""


def _not_yet(namespace: str, name: str, timeout: float | None, task: Task | None, *, submitted: bool) -> str:
    """That the task has not finished. It goes on if there is one, which only the operator or who submitted it knows."""
    there = submitted or (task is not None and task.uid)
    state = f" It is {task.phase}: {(task.status.message or 'no message yet').rstrip('.')}." if task else ""
    return (
        f"Task {namespace}/{name} did not finish within {timeout:g} seconds{'; it goes on' if there else ''}.{state} "
        f"'celeriac get {name} -n {namespace}' tells more."
    )


def _check_label(namespace: str, name: str) -> None:
    """Neither may be more than one token of a subject."""
    if not (re.fullmatch(DNS_LABEL, text("name", name)) and re.fullmatch(DNS_LABEL, text("namespace", namespace))):
        raise errors.TaskNotFound(
            f"There can be no task {namespace}/{name}: give a namespace and a name of a-z, 0-9 and -."
        )
