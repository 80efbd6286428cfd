"""What grows is kept in bounds: finished Tasks beyond the limit, and revisions that no unfinished Task names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from celeriac.api.v1alpha1 import DefinitionRevision, Phase
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache
from celeriac_operator.metrics import TASKS

HistoryLimit = Callable[[TaskFacts], tuple[QueueKey, int | None]]
"""A Task's queue, and how many finished Tasks that keeps; None: as many as there are."""


def surplus(cache: Cache, limit: int, history: HistoryLimit) -> list[TaskFacts]:
    """Finished Tasks beyond their queue's limit, and those beyond the limit of all; each time the oldest first."""
    tasks = (entry.facts for entry in cache.tasks.entries.values())
    finished = [task for task in tasks if isinstance(task, TaskFacts) and task.finished and not task.deleting]
    finished.sort(key=lambda task: (task.status.finish_time or task.created, task.key))
    gone = {task.key for task in _beyond_history(finished, history)}
    kept = [task for task in finished if task.key not in gone]
    gone |= {task.key for task in kept[: max(len(kept) - limit, 0)]}
    return [task for task in finished if task.key in gone]


def _beyond_history(finished: list[TaskFacts], history: HistoryLimit) -> Iterable[TaskFacts]:
    """Going from the newest to the oldest, whatever comes after a queue's last."""
    seen: Counter[QueueKey] = Counter()
    for task in reversed(finished):
        queue, most = history(task)
        seen[queue] += 1
        if most is not None and seen[queue] > most:
            yield task


def unused_revisions(cache: Cache) -> list[Key]:
    """Revisions that are not what their definition says now and that no unfinished Task runs from."""
    needed: set[Key] = set()
    for entry in cache.tasks.entries.values():
        task = entry.facts
        if isinstance(task, TaskFacts) and not task.finished:
            needed |= _wanted(task, cache)
            needed |= {Key(task.key.namespace, pin.revision) for pin in _pins(task, cache)}
    for key, definition in cache.definitions.entries.items():
        if definition.facts is not None:
            needed.add(Key(key.namespace, definition.facts.revision.name))
    return [key for key in cache.revisions if key not in needed]


def _wanted(task: TaskFacts, cache: Cache) -> set[Key]:
    """The content that a Task's message was made for, before the Task is accepted with it."""
    name, wanted = task.spec.definition_name, task.definition_digest
    if name is None or wanted is None:
        return set()
    contents = cache.contents_of(Key(task.key.namespace, name))
    return {Key(task.key.namespace, revision.name) for revision in contents if revision.is_of(wanted)}


def _pins(task: TaskFacts, cache: Cache) -> list[DefinitionRevision]:
    """What an unfinished Task runs from: as its status says, and before that as its Jobs do."""
    accepted = [job.accepted for job in cache.jobs.owned_by(task.uid) if job.accepted is not None]
    pins = [task.status.definition, *(each.definition for each in accepted)]
    return [pin for pin in pins if pin is not None]


async def delete_surplus(
    cache: Cache,
    kube: KubeApi,
    limit: int,
    history: HistoryLimit,
    ours: Callable[[str], bool],
    recorded: Callable[[TaskFacts], Awaitable[bool]],
) -> None:
    """Delete the finished Tasks that are surplus, of all namespaces together, in those that are ours.

    Args:
        limit: how many finished Tasks are kept in all.
        history: how many of them each queue keeps.
        recorded: whether nothing of a finished Task is lost with it.
    """
    for task in [task for task in surplus(cache, limit, history) if ours(task.key.namespace)]:
        if await recorded(task):
            await kube.delete(api.TASKS, *task.key, task.uid)


async def delete_unused_revisions(
    cache: Cache,
    kube: KubeApi,
    seen_unused: frozenset[Key],
    ours: Callable[[str], bool],
    messages_wait: Callable[[str], Awaitable[bool]],
) -> frozenset[Key]:
    """Delete the revisions that nothing runs from, in the namespaces that are ours.

    Args:
        seen_unused: revisions that were unused the last time, too: only they go, since a Task may just be starting.
        messages_wait: whether messages wait in a namespace: they may have been made for any revision.

    Returns:
        The revisions that are unused now.
    """
    candidates = [key for key in unused_revisions(cache) if ours(key.namespace)]
    needed = {namespace for namespace in {key.namespace for key in candidates} if await messages_wait(namespace)}
    unused = frozenset(key for key in candidates if key.namespace not in needed)
    for key in unused & seen_unused:
        raw = await kube.get(api.REVISIONS, *key)
        if raw is not None:
            await kube.delete(api.REVISIONS, *key, raw["metadata"]["uid"])
        cache.revisions.pop(key, None)
    return unused


def count_phases(cache: Cache, ours: Callable[[str], bool]) -> None:
    """Refresh the gauge of Tasks by phase: each Task at one replica, so that their sum is right."""
    counts: Counter[str] = Counter()
    for entry in (entry for key, entry in cache.tasks.entries.items() if ours(key.namespace)):
        task = entry.facts
        counts[(task.status.phase or Phase.PENDING) if isinstance(task, TaskFacts) else "Unreadable"] += 1
    for phase in (*Phase, "Unreadable"):
        TASKS.labels(phase).set(counts[phase])
