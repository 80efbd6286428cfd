"""Pods that were started ahead: which of them a decision looks at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import Key, PodFacts
from celeriac_operator.kube.ahead import PodsAhead

RESIZE = DefinitionKey("media", "resize")
POD, JOB = Key("media", "resize-w-1-x"), Key("media", "resize-w-1")
Step = Callable[[PodsAhead], None]


def seen(phase: str, *, named: bool) -> Step:
    created = datetime(2026, 11, 1, tzinfo=UTC)
    pod = PodFacts(POD.name, "u1", "j1", created, phase=phase, job_name=JOB.name, definition="resize")
    return lambda ahead: ahead.put(POD, pod, named=named)


def task_names_it(ahead: PodsAhead) -> None:
    ahead.name("u1", named=True)


def task_goes(ahead: PodsAhead) -> None:
    ahead.name("u1", named=False)


def pod_goes(ahead: PodsAhead) -> None:
    ahead.drop("u1")


STEPS = [
    pytest.param([seen("Running", named=False)], True, False, id="one that waits matters"),
    pytest.param([seen("Running", named=False), task_names_it], True, False, id="so does one that runs a Task"),
    pytest.param(
        [seen("Failed", named=False)], True, False, id="and one that has ended and that nobody names: it goes"
    ),
    pytest.param([seen("Succeeded", named=True)], False, True, id="one that has ended is there to be read"),
    pytest.param([seen("Running", named=True), seen("Succeeded", named=True)], False, True, id="once it has ended"),
    pytest.param(
        [seen("Succeeded", named=False), task_names_it], False, True, id="or once a Task says that it ran there"
    ),
    pytest.param([seen("Succeeded", named=True), task_goes], True, False, id="it matters again when its Task has gone"),
    pytest.param([seen("Running", named=False), pod_goes], False, False, id="one that is gone is nowhere"),
    pytest.param([seen("Succeeded", named=True), pod_goes], False, False, id="and so is one that was read"),
    pytest.param([task_names_it, pod_goes], False, False, id="of one that was never seen nothing is known"),
]


@pytest.mark.parametrize(("steps", "matters", "is_read"), STEPS)
def test_which_pods_matter(steps: list[Step], matters: bool, is_read: bool) -> None:
    ahead = PodsAhead()
    for step in steps:
        step(ahead)

    assert ahead.at_work(RESIZE) == ({POD} if matters else set())
    assert ahead.jobs_to_read(RESIZE) == ({JOB} if is_read else set())
    assert list(ahead) == ([RESIZE] if matters else [])
    assert ahead.any_of(RESIZE) == ("u1" in ahead) == (matters or is_read)
    assert (ahead.key_of("u1"), ahead.definition_of("u1")) == ((POD, RESIZE) if "u1" in ahead else (None, None))
