"""How many messages a queue takes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.intake.window import LEAST_ROOM, MOST_IN_HAND, held, room, window

ANY = TaskQueueSpec()
WINDOWS = {
    "a queue without a limit has a hundred": (100, ANY),
    "a small one too": (100, TaskQueueSpec(max_concurrency=10)),
    "a large one has twice what it may run": (2000, TaskQueueSpec(max_concurrency=1000)),
}


@pytest.mark.parametrize(("expected", "queue"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window(expected: int, queue: TaskQueueSpec) -> None:
    assert expected == window(queue)


ROOMS = {
    "an empty queue takes in as much as memory allows": (MOST_IN_HAND, ANY, 0, 0),
    "what waits takes room": (10, ANY, 90, 0),
    "what is in hand takes room": (5, ANY, 90, 5),
    "a full window has none": (0, ANY, 100, 0),
    "one beyond its bounds has none": (0, ANY, 150, 3),
    "little room is none": (0, ANY, 98, 0),
    "the least room": (LEAST_ROOM, ANY, 97, 0),
    "memory is full": (0, TaskQueueSpec(max_concurrency=1000), 0, MOST_IN_HAND),
    "a held queue takes in nothing": (0, TaskQueueSpec(stop_policy="Hold"), 0, 0),
    "a drained queue takes in nothing": (0, TaskQueueSpec(stop_policy="HoldAndDrain"), 0, 0),
    "a policy of None holds nothing": (MOST_IN_HAND, TaskQueueSpec(stop_policy="None"), 0, 0),
}


@pytest.mark.parametrize(("expected", "queue", "waiting", "in_hand"), ROOMS.values(), ids=ROOMS.keys())
def test_the_room(expected: int, queue: TaskQueueSpec, waiting: int, in_hand: int) -> None:
    assert expected == room(queue, waiting, in_hand)


@given(st.integers(0, 3000), st.integers(0, MOST_IN_HAND), st.none() | st.integers(1, 1000))
def test_neither_the_window_nor_memory_is_ever_exceeded(waiting: int, in_hand: int, limit: int | None) -> None:
    queue = TaskQueueSpec(max_concurrency=limit)
    found = room(queue, waiting, in_hand)
    assert found == 0 or found >= LEAST_ROOM
    assert found == 0 or (waiting + in_hand + found <= window(queue) and in_hand + found <= MOST_IN_HAND)


def test_only_a_policy_that_stops_holds() -> None:
    assert [False, False, True, True] == [
        held(TaskQueueSpec(stop_policy=policy)) for policy in (None, "None", "Hold", "HoldAndDrain")
    ]
