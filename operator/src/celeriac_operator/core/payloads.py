"""Which objects of the payloads bucket nothing names any more. Pure.

A result goes a day after the record that may name it has expired. Params are harder: a message that names them may
wait for weeks, and a queue's stream can be read by its consumers only. So they go once no Task, delayed message or dead
letter names them and every message that waited when this was first seen has gone from its stream; and that twice. A
client that names params again has put them again, which makes another object of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from celeriac_operator.core.facts import TaskFacts

GRACE = timedelta(hours=1)
"""An object that is younger is left alone: what names it may be on its way."""
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object."""

    name: str
    """``<namespace>.params.<digest>`` or ``<namespace>.result.<task uid>.<attempt>``."""
    nuid: str
    """Which put it is of."""
    sequence: int
    """Of its description in the bucket's stream."""
    modified: datetime
    deleted: bool = False

    @property
    def namespace(self) -> str:
        return self.name.partition(".")[0]

    @property
    def kind(self) -> str:
        return self.name.split(".")[1] if self.name.count(".") >= 2 else ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue's stream: the sequences of its first and last message. An empty one begins after its last."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Nothing names the object, as far as can be seen."""

    until: Mapping[str, int]
    """The last message of each stream of the namespace, when that was first seen."""
    drained: bool = False
    """All of these had gone at the last look."""


Marks = dict[tuple[str, str], Mark]
"""By name and put."""


def named_by_tasks(tasks: Iterable[TaskFacts]) -> tuple[set[str], set[str]]:
    """Names of the objects that Tasks name, and the Tasks' uids, which the names of their results have."""
    names, uids = set[str](), set[str]()
    for task in tasks:
        uids.add(task.uid)
        result = task.status.result
        refs = (task.spec.params_ref, result.ref if result is not None else None)
        names |= {ref.key for ref in refs if ref is not None}
    return names, uids


def unnamed(
    objects: Iterable[Stored], names: set[str], uids: set[str], now: datetime, retention: timedelta
) -> tuple[list[Stored], list[Stored]]:
    """Objects that can go at once, and params that no Task names."""
    gone, params = list[Stored](), list[Stored]()
    for each in objects:
        age = now - each.modified
        if each.name in names or age < GRACE:
            continue
        if each.deleted:
            gone.append(each)
        elif each.kind == "params":
            params.append(each)
        elif each.kind == "result" and each.name.split(".")[2] not in uids and age > retention + MARGIN:
            gone.append(each)
    return gone, params


def judge(
    marks: Marks,
    params: Iterable[Stored],
    before: Mapping[str, Mapping[str, Waiting]],
    after: Mapping[str, Mapping[str, Waiting]],
) -> tuple[Marks, list[Stored]]:
    """What is marked from now on, and the params that can go.

    Args:
        params: what neither a Task nor a delayed message nor a dead letter names.
        before: by namespace the streams of its queues, before all that was looked through.
        after: the same after it.
    """
    kept, gone = Marks(), list[Stored]()
    for each in params:
        known = marks.get((each.name, each.nuid))
        if known is None:
            last = {name: stream.last for name, stream in after.get(each.namespace, {}).items()}
            kept[each.name, each.nuid] = Mark(last)
            continue
        streams = before.get(each.namespace, {})
        drained = all(streams[name].first > last for name, last in known.until.items() if name in streams)
        if drained and known.drained:
            gone.append(each)
        else:
            kept[each.name, each.nuid] = replace(known, drained=drained)
    return kept, gone
