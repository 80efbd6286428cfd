"""Collecting what explains a task: its pod, the recent Events, its place in the queue. Another module explains it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from celeriac import _tasks, errors
from celeriac._api import Api
from celeriac._explain import UNASKED, Answer, Evidence, count_ahead
from celeriac._operator import ask_why
from celeriac._phase import Phase
from celeriac._pods import JOB_NAME
from celeriac._task import Task
from celeriac._wire import pods_path, resource_path


async def collect(api: Api, namespace: str, name: str) -> Evidence:
    """The evidence. What may not be read is left out: the task's own status explains the most."""
    task = await _tasks.get(api, namespace, name)
    pod, ahead, answer = await asyncio.gather(_pod(api, task), _ahead(api, task), _operator(api, task))
    return Evidence(task, pod, await _events(api, task, pod), ahead, answer)


async def _pod(api: Api, task: Task) -> Mapping[str, Any] | None:
    """The pod of the last attempt, while it is there."""
    if not task.status.attempts:
        return None
    query = (("labelSelector", f"{JOB_NAME}={task.status.attempts[-1].job_name}"),)
    pods = await _readable(api, pods_path(task.namespace), query)
    bound = [pod for pod in pods if pod["metadata"]["uid"] == task.status.attempts[-1].pod_uid]
    return next(iter(bound or pods), None)


async def _ahead(api: Api, task: Task) -> int | None:
    """How many tasks come before one that waits for a slot."""
    if task.finished or task.phase is not Phase.QUEUED:
        return None
    try:
        waiting = await _tasks.find(api, task.namespace, queue=task.queue, phase=Phase.QUEUED)
    except errors.CeleriacError:
        return None
    return count_ahead(task, waiting)


async def _operator(api: Api, task: Task) -> Answer:
    """What the operator says, where the task may be waiting for a slot."""
    if task.finished or task.phase not in (Phase.PENDING, Phase.QUEUED, Phase.RETRYING):
        return UNASKED
    return await ask_why(api, task.namespace, task.name)


async def _events(api: Api, task: Task, pod: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """The Events of the Task, of the last attempt's Job, and of its pod."""
    names = [("Task", task.name)]
    if task.status.attempts:
        names.append(("Job", task.status.attempts[-1].job_name))
    if pod is not None:
        names.append(("Pod", pod["metadata"]["name"]))
    path = resource_path("/api/v1", "events", task.namespace)
    found = await asyncio.gather(
        *(
            _readable(api, path, (("fieldSelector", f"involvedObject.kind={kind},involvedObject.name={name}"),))
            for kind, name in names
        )
    )
    return [event for events in found for event in events]


async def _readable(api: Api, path: str, query: tuple[tuple[str, str], ...]) -> Sequence[Mapping[str, Any]]:
    """The objects of a collection, none where they may not be read."""
    try:
        items, _ = await api.items(path, query)
    except (errors.Forbidden, errors.RequestRejected):
        return []
    return items
