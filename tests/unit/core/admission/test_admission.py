"""All queues together: what a Task is answered, and that nothing is given out before everything was looked at."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.admission import Admission
from celeriac_operator.core.admission.standing import (
    Asks,
    Counts,
    Granted,
    Grants,
    Holds,
    NotAsked,
    QueueKey,
    Unlimited,
    Waits,
)
from celeriac_operator.core.facts import Key

QUEUE, OTHER = QueueKey("media", "default"), QueueKey("media", "slow")
A, B = Key("media", "a"), Key("media", "b")


def admission(**fields: Any) -> Admission:
    """One declared queue."""
    made = Admission(TaskQueueSpec())
    made.configure(QUEUE, TaskQueueSpec.model_validate(fields))
    return made


SLOTS: dict[str, tuple[dict[str, Any], str | None, bool]] = {
    "a queue without limits need not be asked": ({}, None, False),
    "inlineContainers and history are no limits": ({"inlineContainers": "Deny", "historyLimit": 1}, None, False),
    "stopPolicy None is no limit": ({"stopPolicy": "None"}, None, False),
    "a limit of a key is none for a task without": ({"maxConcurrencyPerKey": 1}, None, False),
    "fairness alone limits nothing": ({"fairness": {"byLabel": "tenant"}}, None, False),
    "a limit of a key is one for a task with a key": ({"maxConcurrencyPerKey": 1}, "k", True),
    "maxConcurrency is a limit": ({"maxConcurrency": 1}, None, True),
    "a rate is a limit": ({"rateLimit": {"tasks": 1, "periodSeconds": 1}}, None, True),
    "a stop is a limit": ({"stopPolicy": "Hold"}, None, True),
}


@pytest.mark.parametrize(("fields", "key", "limited"), SLOTS.values(), ids=list(SLOTS))
def test_who_has_to_ask(fields: dict[str, Any], key: str | None, limited: bool) -> None:
    assert (NotAsked() if limited else Unlimited()) == admission(**fields).slot(A, QUEUE, key)


def test_a_queue_that_nobody_declares_has_the_operators_defaults() -> None:
    made = Admission(TaskQueueSpec(max_concurrency=1))

    assert made.slot(A, QUEUE, None) == NotAsked()
    made.configure(QUEUE, TaskQueueSpec())
    assert made.slot(A, QUEUE, None) == Unlimited()
    made.configure(QUEUE, None)
    assert made.slot(A, QUEUE, None) == NotAsked()


def test_what_a_task_is_answered_follows_it() -> None:
    made = admission(maxConcurrency=1)
    made.set(A, Asks(QUEUE, 0, T0))
    made.set(B, Asks(QUEUE, 0, at(1)))
    made.grants(QUEUE, T0)

    full = Waits("QueueFull", "Waiting: queue default is at its limit of 1")
    assert (made.slot(A, QUEUE, None), made.slot(B, QUEUE, None)) == (Granted(), full)
    assert (made.why(A), made.why(B)) == (None, full)
    assert (made.position(A), made.position(B)) == (None, 1)


def test_in_a_stopped_queue_a_slot_starts_nothing() -> None:
    """Such as the slot of a Task whose Job a quota has refused."""
    made = admission(stopPolicy="Hold")
    made.set(A, Holds(QUEUE))

    assert made.slot(A, QUEUE, None) == Waits("QueueHeld", "Waiting: queue default is held, stopPolicy Hold")


def test_a_task_that_moves_to_another_queue_leaves_the_first() -> None:
    made = admission(maxConcurrency=1)
    made.set(A, Holds(QUEUE))

    assert {QUEUE, OTHER} == set(made.set(A, Holds(OTHER)))
    assert (made.counts(QUEUE), made.counts(OTHER)) == (Counts(0, 0, None), Counts(0, 1, None))


def test_nothing_is_given_out_before_every_task_was_looked_at_once() -> None:
    made = Admission(TaskQueueSpec(max_concurrency=1))
    made.begin("media", [A, B])
    made.set(B, Asks(QUEUE, 0, at(1)))

    assert made.grants(QUEUE, T0) == Grants()
    assert made.why(B) == Waits("Queued", "Waiting: the operator has just started and looks at every task first")
    assert not made.looked_at(B)
    made.set(A, Asks(QUEUE, 0, T0))
    assert made.looked_at(A), "the last one opens the namespace"
    assert not made.looked_at(A), "and only once"
    assert made.grants(QUEUE, T0).tasks == ("a",)


def test_another_namespace_need_not_wait_for_that() -> None:
    made = Admission(TaskQueueSpec(max_concurrency=1))
    made.begin("media", [A])
    elsewhere = QueueKey("other", "default")
    made.set(Key("other", "x"), Asks(elsewhere, 0, T0))

    assert made.grants(elsewhere, T0).tasks == ("x",)


def test_a_namespace_that_is_begun_again_is_empty() -> None:
    made = admission(maxConcurrency=1)
    made.set(A, Holds(QUEUE))
    made.begin("media", [])
    made.set(A, None)

    assert list(made) == []
    assert made.standing_in(QUEUE) == []


def test_idle_queues_are_forgotten_but_not_their_rate_limits() -> None:
    made = Admission(TaskQueueSpec.model_validate({"rateLimit": {"tasks": 2, "periodSeconds": 60}}))
    made.set(A, Asks(QUEUE, 0, T0))
    made.grants(QUEUE, T0)
    made.set(A, None)
    made.forget_idle(at(10))
    assert list(made) == [QUEUE]

    made.forget_idle(at(30))
    assert list(made) == []


def test_a_rate_limit_goes_on_where_it_was_left() -> None:
    made = admission(rateLimit={"tasks": 1, "periodSeconds": 60})
    made.replay(QUEUE, at(40))
    made.set(A, Asks(QUEUE, 0, T0))

    assert made.grants(QUEUE, T0) == Grants((), at(40))
