"""Which Tasks wait, for the window of intake."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import finished_status, make_task
from tests.support.clock import T0

from celeriac_operator.core.admission.standing import Asks, Holds, QueueKey, Standing
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.core.intake.waiting import Waiting, waits_in

FAST, SLOW = QueueKey("media", "fast"), QueueKey("media", "slow")
MESSAGE = replace(make_task(), submission="sha256:1")
CASES: dict[str, tuple[QueueKey | None, TaskFacts | None, Standing | None]] = {
    "who asks waits where it asks": (SLOW, make_task(), Asks(SLOW, 0, T0)),
    "who holds a slot does not wait": (None, MESSAGE, Holds(SLOW)),
    "a message's Task that waits for anything else counts": (FAST, MESSAGE, None),
    "a person's does not": (None, make_task(), None),
    "a finished one does not": (None, replace(MESSAGE, status=finished_status()), None),
    "one that is gone does not": (None, None, None),
}


@pytest.mark.parametrize(("expected", "task", "standing"), CASES.values(), ids=CASES.keys())
def test_where_a_task_waits(expected: QueueKey | None, task: TaskFacts | None, standing: Standing | None) -> None:
    assert expected == waits_in(task, standing, FAST)


def test_who_leaves_makes_room() -> None:
    waiting = Waiting()
    assert [None, None, FAST, SLOW, None] == [
        waiting.put(Key("media", "a"), queue) for queue in (FAST, FAST, SLOW, None, None)
    ]


def test_a_namespace_can_be_told_anew() -> None:
    waiting = Waiting()
    waiting.put(Key("media", "a"), FAST)
    waiting.put(Key("other", "a"), QueueKey("other", "fast"))
    waiting.forget(lambda namespace: namespace == "media")
    assert (0, 1) == (waiting.count(FAST), waiting.count(QueueKey("other", "fast")))


moves = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([FAST, SLOW, None])))


@given(moves)
def test_counts_are_those_of_the_last_words(told: list[tuple[str, QueueKey | None]]) -> None:
    waiting = Waiting()
    for name, queue in told:
        waiting.put(Key("media", name), queue)
    last = dict(told)
    assert [list(last.values()).count(queue) for queue in (FAST, SLOW)] == [
        waiting.count(queue) for queue in (FAST, SLOW)
    ]
