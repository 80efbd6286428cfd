# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""What can be done with Tasks through the API server. The clients are thin covers of this module's functions.

Apart from the clients, so that these stay what users read and this stays one function a deed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from celeriac import errors
from celeriac._api import Api
from celeriac._arguments import seconds, text
from celeriac._names import IDEMPOTENCY_KEY, RETRY_OF, retry_name, retry_number
from celeriac._phase import Phase
from celeriac._request import TaskRequest, build_task, manifest_of
from celeriac._soon import soon
from celeriac._task import Task, parse_task
from celeriac._watch import follow_one
from celeriac._wire import Query, resource_path, tasks_path
from celeriac.api.v1alpha1 import API_VERSION, LONGEST_CANCEL_REASON, Cancel
from celeriac.wire.canonical import digest
from celeriac.wire.names import REQUEST_DIGEST

MOST_RETRIES = 1000


async def submit(api: Api, request: TaskRequest, namespace: str) -> Task:
    """Create the Task that is asked for, or find the one that the same request has made before."""
    return await create(api, build_task(request, namespace, datetime.now(UTC)))


async def check_definition(api: Api, namespace: str, name: str) -> None:
    """Raise UnknownDefinition unless the TaskDefinition is there now."""
    path = resource_path(f"/apis/{API_VERSION}", "taskdefinitions", namespace, name)
    try:
        await api.get(path)
    except errors.RequestRejected as error:
        if error.status != 404:
            raise
        raise errors.UnknownDefinition(
            f"There is no TaskDefinition {name} in namespace {namespace}: 'kubectl get taskdefinitions -n {namespace}' "
            "shows which there are."
        ) from None


async def create(api: Api, manifest: dict[str, Any]) -> Task:
    """Create the Task; one of the same name is taken for it if it carries the same digest."""
    meta = manifest["metadata"]
    for _ in range(2):
        try:
            return parse_task(await api.create(tasks_path(meta["namespace"]), manifest))
        except errors.AlreadyExists:
            existing = await _get_or_none(api, meta["namespace"], meta["name"])
        if existing is not None:
            return _same(existing, manifest)
    raise errors.AlreadyExists(f"Task {meta['namespace']}/{meta['name']} is being replaced by others. Try again.")


def _same(existing: Task, manifest: Mapping[str, Any]) -> Task:
    wanted = manifest["metadata"]["annotations"]
    if existing.annotations.get(REQUEST_DIGEST) == wanted[REQUEST_DIGEST]:
        return existing
    key = wanted.get(IDEMPOTENCY_KEY)
    what = f"Key {key!r} was used before" if key else f"Task {existing.namespace}/{existing.name} exists already"
    raise errors.AlreadyExists(
        f"{what}, for a task with other content (task {existing.name}). Use another {'key' if key else 'name'}, "
        f"or see it with 'celeriac get {existing.name} -n {existing.namespace}'."
    )


async def get(api: Api, namespace: str, name: str) -> Task:
    """The Task as it is now."""
    return parse_task(await api.get(tasks_path(namespace, name)))


async def annotations_of(api: Api, namespace: str, name: str) -> Mapping[str, str] | None:
    """The annotations of the Task; None: there is no such Task."""
    task = await _get_or_none(api, namespace, name)
    return None if task is None else task.annotations


async def _get_or_none(api: Api, namespace: str, name: str) -> Task | None:
    try:
        return await get(api, namespace, name)
    except errors.TaskNotFound:
        return None


async def _named(api: Api, namespace: str, name: str, uid: str | None) -> Task:
    """The Task of that name, if it is that very one."""
    task = await get(api, namespace, name)
    if uid is not None and task.uid != uid:
        raise errors.TaskNotFound(_gone(namespace, name))
    return task


async def watch(api: Api, namespace: str, name: str, uid: str | None = None) -> AsyncGenerator[Task, None]:
    """The Task as it is, then as it changes; the finished one is the last. TaskNotFound where it goes before that."""
    task = await _named(api, namespace, name, uid)
    yield task
    if task.finished:
        return
    async with aclosing(follow_one(api, tasks_path(namespace), task.manifest)) as changes:
        async for change in changes:
            state = parse_task(change.object)
            if state.uid != task.uid or (state.manifest == task.manifest and not change.deleted):
                continue
            yield (task := _still_there(state, change.deleted))
            if task.finished:
                return


def _still_there(task: Task, deleted: bool) -> Task:
    """The state, unless the Task went without an outcome."""
    if deleted and not task.finished:
        raise errors.TaskNotFound(_gone(task.namespace, task.name))
    return task


def _gone(namespace: str, name: str) -> str:
    return (
        f"Task {namespace}/{name} was deleted before it had finished, so its outcome is not known. "
        "Submit it again if it is still needed."
    )


async def wait(api: Api, namespace: str, name: str, timeout: float | None, uid: str | None = None) -> Task:
    """The Task once it has finished, in whatever way."""
    last: Task | None = None
    try:
        async with asyncio.timeout(seconds("timeout", timeout)), aclosing(watch(api, namespace, name, uid)) as states:
            async for task in states:
                last = task
    except TimeoutError:
        last = last or await soon(_named(api, namespace, name, uid))
    if last is None or not last.finished:
        raise errors.TimeoutError(_not_yet(namespace, name, timeout, last))
    return last


def _not_yet(namespace: str, name: str, timeout: float | None, last: Task | None) -> str:
    state = f" It is {last.phase}: {last.status.message or 'no message yet'}." if last else ""
    return (
        f"Task {namespace}/{name} did not finish within {timeout:g} seconds; it goes on.{state} "
        f"'celeriac why {name} -n {namespace}' tells more."
    )


async def cancel(api: Api, namespace: str, name: str, reason: str) -> Task:
    """Ask for the end of the Task. One that has finished, or was asked before, is left as it is."""
    task = await get(api, namespace, name)
    if task.finished or task.spec.cancel is not None:
        return task
    try:
        patch = {"spec": {"cancel": Cancel(reason=text("reason", reason)[:LONGEST_CANCEL_REASON]).to_wire()}}
        return parse_task(await api.merge(tasks_path(namespace, name), patch))
    except errors.InvalidTask:
        task = await get(api, namespace, name)
        if task.spec.cancel is None:
            raise
        return task


async def retry(api: Api, namespace: str, name: str) -> Task:
    """A new Task like the finished one, named ``<name>-r<number>``."""
    task = await get(api, namespace, name)
    if not task.finished:
        raise errors.TaskNotFinished(
            f"Task {namespace}/{name} has not finished ({task.phase}). Wait for it, or cancel it first."
        )
    nonce = uuid.uuid4().hex
    first = retry_number(name, task.annotations.get(RETRY_OF)) + 1
    for number in range(first, first + MOST_RETRIES):
        try:
            return await create(api, _retry_manifest(task, number, nonce))
        except errors.AlreadyExists:
            continue
    raise errors.AlreadyExists(
        f"Task {namespace}/{name} has {MOST_RETRIES} retries already. Submit it under a new name."
    )


def _retry_manifest(task: Task, number: int, nonce: str) -> dict[str, Any]:
    spec = {k: v for k, v in task.manifest["spec"].items() if k not in {"cancel", "suspend", "startTime"}}
    labels = {k: v for k, v in task.labels.items() if "celeriac.dev/" not in k}
    notes = {RETRY_OF: task.name, REQUEST_DIGEST: digest({"spec": spec, "retry": nonce})}
    name = retry_name(task.name, task.annotations.get(RETRY_OF), number)
    return manifest_of(name, task.namespace, spec, labels, notes)


async def find(
    api: Api,
    namespace: str | None,
    *,
    queue: str | None = None,
    phase: str | None = None,
    definition: str | None = None,
    labels: Mapping[str, str] | str | None = None,
    limit: int | None = None,
) -> tuple[Task, ...]:
    """The Tasks that are asked for, oldest first; of a namespace, or of all where it is None."""
    found: list[Task] = []
    for query in list_queries(queue=queue, phase=phase, definition=definition, labels=labels):
        items, _ = await api.items(tasks_path(namespace), query, limit if queue is None else None)
        found += [task for task in map(parse_task, items) if queue is None or task.queue == queue]
    found.sort(key=lambda task: (task.created, task.name))
    return tuple(found[:limit])


def list_queries(
    *, queue: str | None, phase: str | None, definition: str | None, labels: Mapping[str, str] | str | None
) -> list[Query]:
    """The queries whose answers together hold what is asked for.

    A queue takes two: Tasks that name it, and Tasks that leave it to their definition or the operator.

    Raises InvalidTask: there is no such phase.
    """
    if phase is not None and phase not in set(Phase):
        raise errors.InvalidTask(f"There is no phase {phase!r}: it is one of {', '.join(Phase)}.")
    fields = {"status.phase": phase, "spec.definitionName": definition}
    given = [f"{field}={value}" for field, value in fields.items() if value is not None]
    selector = labels if labels is None or isinstance(labels, str) else ",".join(f"{k}={v}" for k, v in labels.items())
    by_label: Query = (("labelSelector", selector),) if selector else ()
    variants = [given] if queue is None else [[*given, f"spec.queueName={queue}"], [*given, "spec.queueName="]]
    return [by_label + ((("fieldSelector", ",".join(fields)),) if fields else ()) for fields in variants]
