"""What the runner decides without doing anything; the process itself is tested in tests/nats/run."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from celeriac.run.main import soft_seconds

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "left", "expected"),
    [
        pytest.param(None, None, None, id="no deadline at all"),
        pytest.param(20.0, None, 20.0, id="as the function says"),
        pytest.param(None, 100, 95.0, id="five seconds before the deadline"),
        pytest.param(None, 10, 9.0, id="a tenth of what is left, where that is less"),
        pytest.param(20.0, 10, 9.0, id="whichever comes first"),
        pytest.param(None, -1, None, id="a deadline that has passed is not the one that holds"),
    ],
)
def test_soft_seconds(declared: float | None, left: int | None, expected: float | None) -> None:
    deadline = None if left is None else NOW + timedelta(seconds=left)
    assert expected == soft_seconds(declared, deadline, NOW)


NOT_NEEDED = (
    "kubernetes",
    "aiohttp",
    "croniter",
    "typer",
    "rich",
    "nats",
    "asyncio",
    "ssl",
    "celeriac.api",
    "celeriac._client",
)


NATS_NEEDS = {"nats", "asyncio", "ssl"}


@pytest.mark.parametrize(
    ("modules", "needed"),
    [
        pytest.param("celeriac.run.main, celeriac.run.reporting, celeriac.app.loading", set(), id="without NATS"),
        pytest.param("celeriac.run.main, celeriac.run.bus", NATS_NEEDS, id="with NATS"),
        pytest.param("celeriac.run.standby, celeriac.run.worker", NATS_NEEDS, id="in a pod that waits"),
    ],
)
def test_an_attempt_imports_only_what_it_needs(modules: str, needed: set[str]) -> None:
    not_needed = [name for name in NOT_NEEDED if name not in needed]
    code = f"import {modules}, sys\nprint(*(name for name in {not_needed!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert [] == done.stdout.split()
