"""The four deadlines as moments."""

from __future__ import annotations

from dataclasses import replace

from tests.support.builders import make_task
from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import Deadlines
from celeriac_operator.core.clocks import after, clocks, earliest, origin

ALL = Deadlines(queue_seconds=10, start_seconds=20, run_seconds=30, total_seconds=40)


def test_a_start_time_before_submission_changes_nothing() -> None:
    assert origin(make_task(start_time=at(-100))) == T0


def test_a_later_start_time_is_where_the_task_begins() -> None:
    assert origin(make_task(start_time=at(100))) == at(100)


def test_a_task_that_came_as_a_message_began_when_the_stream_took_it() -> None:
    waited = replace(make_task(), submitted=at(-600))
    assert at(-600) == origin(waited)
    assert at(-590) == clocks(waited, ALL, first_start=None).queue


def test_before_anything_runs_only_queue_and_total_count() -> None:
    found = clocks(make_task(), ALL, first_start=None)

    assert (found.queue, found.total, found.start, found.run) == (at(10), at(40), None, None)


def test_startseconds_count_from_the_job() -> None:
    assert clocks(make_task(), ALL, first_start=None, job_created=at(3)).start == at(23)


def test_the_first_start_ends_queueseconds_and_the_attempts_start_startseconds() -> None:
    found = clocks(make_task(), ALL, first_start=at(5), job_created=at(3), started=at(5))

    assert (found.queue, found.start, found.run, found.next) == (None, None, at(35), at(35))


def test_a_deadline_beyond_the_end_of_the_calendar_is_none() -> None:
    assert after(at(0).replace(year=9999), 31_536_000) is None


def test_the_earliest_of_nothing_is_nothing() -> None:
    assert earliest(None, None) is None
