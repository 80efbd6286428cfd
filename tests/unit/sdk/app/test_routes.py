"""Which queue a task goes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from celeriac.app.routes import Routes, declared_queue, queue_of


def by_size(task: str, params: Mapping[str, Any]) -> str | None:
    return "large" if params.get("size", 0) > 10 else None


@pytest.mark.parametrize(
    ("routes", "task", "expected", "declared"),
    [
        pytest.param(None, "media.thumb", None, None, id="no routes"),
        pytest.param({"media.*": "media"}, "media.thumb", "media", "media", id="a glob"),
        pytest.param({"media.*": "media"}, "mail.send", None, None, id="a glob that does not match"),
        pytest.param({"media.thumb": "a", "media.*": "b"}, "media.thumb", "a", "a", id="the first that matches"),
        pytest.param({re.compile(r"media\.(thumb|crop)"): "m"}, "media.crop", "m", "m", id="a regular expression"),
        pytest.param({re.compile(r"media"): "m"}, "media.crop", None, None, id="it must match the whole name"),
        pytest.param(by_size, "media.thumb", "large", None, id="a function sees the params, so nothing is declared"),
        pytest.param([{"x": "y"}, by_size, {"*": "rest"}], "media.thumb", "large", None, id="several, in order"),
        pytest.param([{"*": "rest"}, by_size], "media.thumb", "rest", "rest", id="what comes first decides"),
    ],
)
def test_routes(routes: Routes | None, task: str, expected: str | None, declared: str | None) -> None:
    assert expected == queue_of(routes, task, {"size": 11})
    assert declared == declared_queue(routes, task)
