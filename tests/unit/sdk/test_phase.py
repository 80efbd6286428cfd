"""The phases that a client sees."""

from __future__ import annotations

from celeriac import Phase
from celeriac.api.v1alpha1 import Phase as TaskPhase


def test_they_are_those_of_a_task_and_one_more() -> None:
    assert {phase.value for phase in TaskPhase} | {"Backlogged"} == {phase.value for phase in Phase}


def test_each_is_equal_to_the_tasks_own() -> None:
    assert {phase: 1 for phase in TaskPhase} == {phase: 1 for phase in Phase if phase is not Phase.BACKLOGGED}
