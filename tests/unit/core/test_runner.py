"""Which containers run the SDK's runner."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import make_container

from celeriac_operator.core.runner import runs_runner


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
