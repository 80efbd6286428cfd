"""The end of a Task that makes the operator itself fail."""

from __future__ import annotations

from tests.support.builders import make_attempt, make_status, make_task, make_world
from tests.support.clock import at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import TaskStatus
from celeriac_operator.core.decide import decide
from celeriac_operator.core.poison import poisoned


def test_it_is_terminal_and_keeps_what_was_recorded() -> None:
    found = poisoned(make_status(make_attempt()), "KeyError: 'x'", at(5.5))

    assert (found.phase, found.reason, found.attempt_count, found.finish_time) == ("Failed", "InternalError", 1, at(5))
    assert decide(make_world(make_task(status=found)), at(6)).status is None


def test_it_is_one_that_the_api_server_takes_whatever_the_error_says() -> None:
    assert problems(poisoned(TaskStatus(), "\x00" * 100_000 + "😀" * 5000, at(5)).to_wire()) == []
