"""Which containers run the SDK's runner."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import (
    exited,
    make_attempt,
    make_container,
    make_job,
    make_pod,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
)
from tests.support.clock import at

from celeriac.api.v1alpha1 import Failure
from celeriac.wire.runner import runs_runner
from celeriac_operator.core.outcome import Ended, Outcome, Running
from celeriac_operator.core.runner import told_by_exit_code
from celeriac_operator.core.view import View


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"command": ["python", "-m", "celeriac.run", "m:app", "t"]}, True, id="in the command"),
        pytest.param({"command": ["python"], "args": ["-m", "celeriac.run"]}, True, id="in command and args together"),
        pytest.param({"args": ["-m", "celeriac.run", "m:app"]}, True, id="in the args of an image's own python"),
        pytest.param({"command": ["python", "celeriac.run"]}, False, id="not as a file of that name"),
        pytest.param({"command": ["sh", "-c", "python -m celeriac.run"]}, False, id="not inside a shell"),
        pytest.param({}, False, id="not where nothing says it"),
    ],
)
def test_which_containers_run_it(fields: dict[str, Any], expected: bool) -> None:
    assert expected is runs_runner(make_container(**fields))


def test_a_container_that_is_not_known_runs_nothing() -> None:
    assert not runs_runner(None)


@pytest.mark.parametrize(
    ("found", "failure"),
    [
        pytest.param(Ended(Failure.APP_ERROR, exit_code=1), Failure.APP_ERROR, id="the function raised"),
        pytest.param(Ended(Failure.APP_ERROR, exit_code=101), Failure.APP_ERROR, id="its params do not fit"),
        pytest.param(Ended(Failure.APP_ERROR, exit_code=103), Failure.RESULT_INVALID, id="its result does not fit"),
        pytest.param(
            Ended(Failure.APP_ERROR, exit_code=104), Failure.RUN_DEADLINE_EXCEEDED, id="the soft deadline ended it"
        ),
        pytest.param(
            Ended(Failure.APP_ERROR, exit_code=105), Failure.RUN_DEADLINE_EXCEEDED, id="and it may not run again"
        ),
        pytest.param(Ended(Failure.EVICTED, exit_code=104), Failure.EVICTED, id="what happened to its pod goes first"),
        pytest.param(Ended(None, exit_code=0), None, id="it succeeded"),
        pytest.param(Running(at(2)), None, id="it runs"),
    ],
)
def test_what_exit_codes_tell(found: Outcome, failure: Failure | None) -> None:
    told = told_by_exit_code(found)
    assert failure == (told.failure if isinstance(told, Ended) else None)


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        pytest.param(["python", "-m", "celeriac.run", "m:app", "t"], Failure.RUN_DEADLINE_EXCEEDED, id="of the runner"),
        pytest.param(["sh", "-c", "exit 104"], Failure.APP_ERROR, id="any other container's are its own"),
    ],
)
def test_whose_exit_codes_tell(command: list[str], failure: Failure) -> None:
    revision = make_revision(container={"image": "media:1.4", "command": command})
    attempt = make_attempt(pod_uid="pod-1")
    task = make_task(definition_name="resize", status=make_status(attempt, definition=pin(revision)))
    world = make_world(task, job=make_job(), pod=make_pod(exited(104)), pinned=revision)
    found = View(world, at(10)).outcome
    assert isinstance(found, Ended)
    assert failure is found.failure
