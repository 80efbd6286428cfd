"""The operator dies at each write of a Task's life, or hears nothing of it: it ends as it would have ended anyway.

The writes are those of a run in which nothing went wrong, so the table grows with what the operator writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from tests.support.cluster import NAMESPACE
from tests.support.door import message
from tests.support.invariants import unsettled, violations
from tests.support.jetstream import stream
from tests.support.objects import Raw
from tests.support.profiles import some
from tests.support.sabotage import Blow, Sabotaged
from tests.support.world import QUEUE

from celeriac.wire.message import MSG_ID, encode, message_id
from celeriac.wire.names import submit_subject

TASK = "resize-42"
ROUNDS, STEP_SECONDS, QUIET = 100, 5.0, 15
RETRY = {"maxAttempts": 2, "backoff": {"initialSeconds": 5, "jitter": "None"}}
CONTAINER = {"container": {"image": "busybox:1.36"}}

Exits = Callable[[int], int | None]


@dataclass(frozen=True)
class Life:
    """What somebody submits, and what comes of it.

    Args:
        exits: the exit code of an attempt; None: it runs until it is stopped.
    """

    sends: Callable[[Sabotaged], None]
    exits: Exits = field(default=lambda _: 0)
    cancel: bool = False


def task(**spec: object) -> Callable[[Sabotaged], None]:
    given = {name: value for name, value in {**CONTAINER, **spec}.items() if value is not None}
    return lambda world: void(world.cluster.add("tasks", {"metadata": {"name": TASK}, "spec": given}))


def sent(**spec: object) -> Callable[[Sabotaged], None]:
    found = message(TASK, **spec)
    return lambda world: publish(world, found)


def publish(world: Sabotaged, found: Raw) -> None:
    subject = submit_subject(NAMESPACE, QUEUE.queue, "n")
    world.server.publish(stream(), subject, encode(found), {MSG_ID: message_id(found)})


def void(_: object) -> None:
    """Nothing comes of it."""


LIVES = {
    "a Task that succeeds": Life(task()),
    "a Task that fails": Life(task(), lambda _: 1),
    "a Task that is retried": Life(task(retry=RETRY), lambda attempt: 1 if attempt == 1 else 0),
    "a Task that is cancelled": Life(task(), lambda _: None, cancel=True),
    "a Task that takes too long": Life(task(deadlines={"runSeconds": 20}), lambda _: None),
    "a Task that takes too long twice": Life(task(deadlines={"runSeconds": 20}, retry=RETRY), lambda _: None),
    "a Task of a definition": Life(task(container=None, definitionName="resize")),
    "a message": Life(sent()),
    "a message whose Task is retried": Life(sent(retry=RETRY), lambda attempt: 1 if attempt == 1 else 0),
    "a message whose Task is cancelled": Life(sent(), lambda _: None, cancel=True),
    "a message that is buried": Life(sent(container={"image": "x"})),
    "a message for later": Life(sent(startTime="2026-03-01T12:02:30Z")),
}


def play(world: Sabotaged, life: Life) -> None:
    """Everybody does what they should until nothing has been left to do for longer than any pause."""
    for plural, name, spec in (
        ("taskqueues", QUEUE.queue, {"maxConcurrency": 1}),
        ("taskdefinitions", "resize", {"container": {"image": "media:1.4"}}),
    ):
        world.cluster.add(plural, {"metadata": {"name": name}, "spec": spec})
    world.start()
    world.flow()
    life.sends(world)
    quiet = 0
    for _ in range(ROUNDS):
        before = len(world.writes)
        everybody_acts(world, life)
        world.loop.pass_time(STEP_SECONDS)
        quiet = quiet + 1 if len(world.writes) == before and not left(world) else 0
        if quiet == QUIET:
            return


def everybody_acts(world: Sabotaged, life: Life) -> None:
    world.settle()
    for pod in world.cluster.all("pods"):
        code = life.exits(int(pod["metadata"]["labels"]["celeriac.dev/attempt"]))
        if code is not None:
            world.cluster.kubelet(pod, "exits", code, "7" if code == 0 else "no")
    if life.cancel and world.cluster.all("pods"):
        world.cluster.edit("tasks", TASK, cancel={"reason": "no longer needed"})
    world.settle()


def left(world: Sabotaged) -> list[object]:
    return [*unsettled(world.cluster.facts), *world.server.streams.get(stream(), ())]


def recorded(life: Life) -> tuple[list[str], Raw]:
    """The writes and the end of a run in which nothing goes wrong."""
    world = Sabotaged()
    try:
        play(world, life)
        assert [*violations(world.cluster.facts, {"default": 1}), *unsettled(world.cluster.facts)] == []
        return world.writes, world.end_state()
    finally:
        world.close()


WITHOUT_FAULTS = {name: recorded(life) for name, life in LIVES.items()}


def table() -> Iterator[object]:
    for name, (writes, _) in WITHOUT_FAULTS.items():
        for number, what in enumerate(writes, 1):
            for blow in Blow:
                yield pytest.param(name, number, blow, id=f"{name}: the operator {blow.value} {number}, {what}")


@pytest.mark.parametrize(("name", "number", "blow"), some(list(table())))
def test_it_ends_as_it_would_have_ended(name: str, number: int, blow: Blow) -> None:
    world = Sabotaged(number, blow)
    try:
        play(world, LIVES[name])
        facts = world.cluster.facts
        assert [*violations(facts, {"default": 1}), *unsettled(facts), *world.bugs] == []
        assert world.end_state() == WITHOUT_FAULTS[name][1]
    finally:
        world.close()
