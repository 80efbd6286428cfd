"""Reading the log of an attempt, and following a task's log from attempt to attempt until it has finished.

Apart from the client, because where a log is, and when it begins and ends, is a matter of its own.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

from celeriac import errors
from celeriac._api import ATTEMPTS, Api, pauses
from celeriac._own_lines import OwnLines, own_lines
from celeriac._pods import JOB_NAME, container_of, has_log, over, takes_many
from celeriac._task import Task, parse_task
from celeriac._watch import follow_one
from celeriac._wire import Call, Query, Unreachable, pods_path, tasks_path
from celeriac.api.v1alpha1 import Attempt

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
LASTING_SECONDS = 60.0
"""A connection of so long was a good one."""
NODE_SECONDS = 30.0
"""A node that is well tells of a process within a second or two."""

_WAITS = "it has not started; following it (celeriac logs -f) waits for that"


async def read_log(api: Api, task: Task, attempt: int | None, tail: int | None) -> AsyncGenerator[str, None]:
    """The log of one attempt, the last where none is named, as it is now."""
    which = _choose(task, attempt)
    pod = await (_find_pod(api, task, which) if which.exit_code is None else _ended_pod(api, task, which))
    if pod is None or not has_log(pod):
        raise errors.LogsUnavailable(_nothing(task, which, "its pod is gone" if pod is None else _WAITS))
    own = own_lines(task, which)
    if not own.all and tail is not None:
        for kept in await _last_lines(api, pod, own, tail):
            yield kept
        return
    query: Query = (("container", container_of(pod)), *_tail(tail))
    async with api.stream(Call("GET", _log_path(pod), query)) as log:
        async for line in log:
            if (text := own.text_of(_text(line))) is not None:
                yield text


async def _last_lines(api: Api, pod: Mapping[str, Any], own: OwnLines, tail: int) -> deque[str]:
    """The last of a task's lines in a log that is not all its own: the server counts the others, too."""
    last = deque[str](maxlen=tail)
    async with api.stream(Call("GET", _log_path(pod), (("container", container_of(pod)),))) as log:
        async for line in log:
            if (text := own.text_of(_text(line))) is not None:
                last.append(text)
    return last


async def follow_log(
    api: Api, tasks: AsyncIterator[Task], attempt: int | None, tail: int | None
) -> AsyncGenerator[str, None]:
    """The log of the attempts of a task, as it is written, from the present one until the task has finished.

    ``tasks`` are the task's states as they come, ending with the finished one. An attempt without a log is passed over.
    """
    done = 0
    async for task in tasks:
        for which in _next_attempts(task, attempt, done):
            async with aclosing(_follow_attempt(api, task, which, tail)) as log:
                async for line in log:
                    yield line
            done = which.number
        if attempt and done:
            return
        if task.finished and not done:
            which = _choose(task, attempt)
            raise errors.LogsUnavailable(_nothing(task, which, "its pod is gone"))


def _next_attempts(task: Task, attempt: int | None, done: int) -> list[Attempt]:
    """The attempts whose log comes next, of those whose pod is known: at first the last one, then every later one."""
    known = [a for a in task.status.attempts if a.number > done and (a.pod_name or task.finished)]
    if attempt is not None:
        return [a for a in known if a.number == attempt]
    return known if done else known[-1:]


def _choose(task: Task, number: int | None) -> Attempt:
    attempts = task.status.attempts
    if not attempts:
        raise errors.LogsUnavailable(_nothing(task, None, "it never started" if task.finished else _WAITS))
    found = attempts[-1] if number is None else next((a for a in attempts if a.number == number), None)
    if found is None:
        known = ", ".join(str(a.number) for a in attempts)
        raise errors.LogsUnavailable(f"Task {task.name} has no attempt {number}; it has {known}.")
    return found


def _nothing(task: Task, which: Attempt | None, why: str) -> str:
    what = f"Attempt {which.number} of task" if which else "Task"
    return (
        f"{what} {task.namespace}/{task.name} has no log: {why}. "
        f"'celeriac why {task.name} -n {task.namespace}' tells more."
    )


async def _find_pod(api: Api, task: Task, which: Attempt) -> Mapping[str, Any] | None:
    """The attempt's pod: the one that it is bound to, else the one of its Job."""
    if which.pod_name is None:
        query = (("labelSelector", f"{JOB_NAME}={which.job_name}"),)
        items, _ = await api.items(pods_path(task.namespace), query)
        return items[0] if items else None
    try:
        return await api.get(pods_path(task.namespace, which.pod_name))
    except errors.RequestRejected as error:
        if error.status == 404:
            return None
        raise


async def _follow_attempt(api: Api, task: Task, which: Attempt, tail: int | None) -> AsyncGenerator[str, None]:
    """The attempt's log until its process has ended, over as many connections as it takes."""
    pod = await _begun_pod(api, task, which)
    own = own_lines(task, which)
    since, more = "", _tail(tail) if own.all else ()
    patience = _Patience()
    while pod is not None:
        ended = takes_many(pod) and await _has_ended(api, task, which)  # then what it wrote is there
        patience.opened()
        async with aclosing(_log_with_times(api, pod, since, more, patience)) as log:
            async for since, line in log:  # noqa: B007 -- where the next connection goes on
                more = ()
                if (text := own.text_of(line)) is not None:
                    yield text
        if patience.exhausted or ended or (over(pod) and not patience.broken):
            return
        await asyncio.sleep(patience.pause())
        pod = await _pod_or_none(api, task.namespace, pod["metadata"]["name"])


async def _has_ended(api: Api, task: Task, which: Attempt) -> bool:
    """Whether the attempt is over, of which its pod, a worker, shows nothing."""
    try:
        now = parse_task(await api.get(tasks_path(task.namespace, task.name)))
    except errors.TaskNotFound:
        return True
    last = now.status.attempts[-1] if now.status.attempts else None
    return (
        now.finished
        or now.uid != task.uid
        or last is None
        or last.number > which.number
        or last.finish_time is not None
    )


class _Patience:
    """How long a log is asked for again: a connection that lasted begins anew, a node that is gone is given up."""

    def __init__(self) -> None:
        self.broken = False
        self._failures = 0
        self._opened = 0.0
        self._pauses = pauses()

    @property
    def exhausted(self) -> bool:
        """True once many connections in a row broke as soon as they were made."""
        return self._failures >= ATTEMPTS

    def opened(self) -> None:
        """A connection is about to be made."""
        self.broken = False
        self._opened = time.monotonic()

    def broke(self) -> None:
        """The connection broke."""
        self.broken = True
        self._failures += 1

    def pause(self) -> float:
        """Seconds until the next connection."""
        if time.monotonic() - self._opened > LASTING_SECONDS:
            self._failures, self._pauses = 0, pauses()
        return next(self._pauses)


async def _begun_pod(api: Api, task: Task, which: Attempt) -> Mapping[str, Any] | None:
    """The attempt's pod once its process has begun; None where it went before that."""
    pod = await _find_pod(api, task, which)
    if pod is None or has_log(pod):
        return pod
    async with aclosing(follow_one(api, pods_path(task.namespace), pod)) as changes:
        async for change in changes:
            if change.deleted:
                return None
            if has_log(change.object):
                return change.object
    return None


async def _ended_pod(api: Api, task: Task, which: Attempt) -> Mapping[str, Any] | None:
    """The pod of an attempt whose process has told its end itself: its node may tell of the beginning only after."""
    with suppress(TimeoutError):
        async with asyncio.timeout(NODE_SECONDS):
            return await _begun_pod(api, task, which)
    return await _find_pod(api, task, which)


async def _pod_or_none(api: Api, namespace: str, name: str) -> Mapping[str, Any] | None:
    try:
        return await api.get(pods_path(namespace, name))
    except errors.RequestRejected as error:
        if error.status == 404:
            return None
        raise


async def _log_with_times(
    api: Api, pod: Mapping[str, Any], since: str, more: Query, patience: _Patience
) -> AsyncGenerator[tuple[str, str], None]:
    """Pairs of time and line that were written after ``since``, until the connection or the log ends."""
    start: Query = (("sinceTime", since),) if since else ()
    follow: Query = () if takes_many(pod) else (("follow", "true"),)  # a worker's goes on with other tasks
    query: Query = (("container", container_of(pod)), *follow, ("timestamps", "true"), *start, *more)
    try:
        async with api.stream(Call("GET", _log_path(pod), query)) as log:
            async for line in log:
                moment, _, text = _text(line).partition(" ")
                if _is_later(moment, since):
                    since = ""
                    yield moment, text
    except Unreachable:
        patience.broke()
    except errors.RequestRejected as error:
        if error.status not in {400, 404}:
            raise


def _is_later(moment: str, since: str) -> bool:
    """True for a line that was written after ``since``: the server counts in whole seconds and repeats some."""
    return not since or _moment(moment) > _moment(since)


def _moment(text: str) -> tuple[datetime, str]:
    """An RFC 3339 time with nanoseconds, so that it can be compared."""
    found = _TIME.fullmatch(text)
    if found is None:
        return datetime.max.replace(tzinfo=UTC), ""
    whole, fraction, zone = found.groups()
    return datetime.fromisoformat(whole + zone), (fraction or "").ljust(9, "0")


def _log_path(pod: Mapping[str, Any]) -> str:
    return pods_path(pod["metadata"]["namespace"], pod["metadata"]["name"]) + "/log"


def _tail(tail: int | None) -> Query:
    return () if tail is None else (("tailLines", str(tail)),)


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
