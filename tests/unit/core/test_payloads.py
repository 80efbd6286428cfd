"""Which large values go: whatever may still be named stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.clock import T0

from celeriac_operator.core.payloads import Mark, Stored, Waiting, judge, unnamed

WEEK = timedelta(days=7)
PARAMS, RESULT = "media.params.abc", "media.result.uid-1.1"


def stored(name: str = PARAMS, *, hours: float = 2, nuid: str = "n1", deleted: bool = False) -> Stored:
    return Stored(name, nuid, 1, T0 - timedelta(hours=hours), deleted)


@pytest.mark.parametrize(
    ("found", "named", "uids", "gone", "params"),
    [
        pytest.param(stored(), set(), set(), 0, 1, id="params that no task names may go"),
        pytest.param(stored(), {PARAMS}, set(), 0, 0, id="params that a task names stay"),
        pytest.param(stored(hours=0.9), set(), set(), 0, 0, id="what was put within the hour stays"),
        pytest.param(stored(RESULT, hours=24 * 8 + 1), set(), set(), 1, 0, id="a result goes after its record"),
        pytest.param(stored(RESULT, hours=24 * 7), set(), set(), 0, 0, id="and not a day before that is sure"),
        pytest.param(
            stored(RESULT, hours=24 * 99), set(), {"uid-1"}, 0, 0, id="the result of a task that is there stays"
        ),
        pytest.param(stored(RESULT, hours=24 * 99), {RESULT}, set(), 0, 0, id="so does one that another task names"),
        pytest.param(stored(deleted=True), set(), set(), 1, 0, id="the note of what was deleted goes"),
        pytest.param(stored("strange"), set(), set(), 0, 0, id="what has a name of its own is not ours"),
        pytest.param(stored("media.other.abc", hours=9999), set(), set(), 0, 0, id="nor what is of another kind"),
    ],
)
def test_what_can_go(found: Stored, named: set[str], uids: set[str], gone: int, params: int) -> None:
    now, later = unnamed([found], named, uids, T0, WEEK)
    assert (gone, params) == (len(now), len(later))


def waiting(first: int, last: int) -> dict[str, dict[str, Waiting]]:
    return {"media": {"CELERIAC_media_default": Waiting(first, last)}}


def test_params_go_after_two_looks_at_which_all_that_had_waited_was_gone() -> None:
    one = stored()
    marks, gone = judge({}, [one], waiting(1, 5), waiting(1, 5))
    assert (marks, gone) == ({(PARAMS, "n1"): Mark({"CELERIAC_media_default": 5})}, [])
    marks, gone = judge(marks, [one], waiting(5, 9), waiting(5, 9))
    assert (marks[PARAMS, "n1"].drained, gone) == (False, [])
    marks, gone = judge(marks, [one], waiting(6, 9), waiting(6, 9))
    assert (marks[PARAMS, "n1"].drained, gone) == (True, [])
    marks, gone = judge(marks, [one], waiting(7, 9), waiting(7, 9))
    assert (marks, gone) == ({}, [one])


def test_what_was_named_in_between_begins_anew() -> None:
    one = stored()
    marks, _ = judge({}, [one], {}, {})
    marks, _ = judge(marks, [one], {}, {})
    marks, _ = judge(marks, [], {}, {})
    assert judge(marks, [one], {}, {})[1] == []


def test_what_waited_last_counts_as_it_is_after_all_was_looked_through() -> None:
    marks, _ = judge({}, [stored()], waiting(1, 5), waiting(1, 8))
    assert marks[PARAMS, "n1"].until == {"CELERIAC_media_default": 8}


def test_a_stream_that_was_deleted_holds_nothing_up() -> None:
    one = stored()
    marks, _ = judge({}, [one], {}, waiting(1, 5))
    marks, _ = judge(marks, [one], {}, {})
    assert judge(marks, [one], {}, {})[1] == [one]
