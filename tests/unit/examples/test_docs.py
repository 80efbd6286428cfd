"""What the documentation shows of functions as tasks runs as it stands."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from celeriac import TaskRequest
from celeriac.testing import TestQueue

ROOT = Path(__file__).parents[3]
MEDIA = ("docs/functions.md", 0)


def samples(page: str) -> list[str]:
    """The Python on a page."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def media(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the first page begins with; its sister pages import it."""
    module = ModuleType("media")
    monkeypatch.setitem(sys.modules, "media", module)
    page, number = MEDIA
    exec(samples(page)[number], vars(module))
    return module


async def run(code: str, names: dict[str, Any]) -> None:
    """Run a sample; it may await at its top, as in a console of asyncio."""
    found = eval(compile(code, "a sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(found):
        await found


class ManyClient:
    """Takes what a sample hands in."""

    def __init__(self) -> None:
        self.taken: list[TaskRequest] = []

    def submit_many(self, requests: Any) -> None:
        """Take it."""
        self.taken += requests


async def test_the_calls_of_a_function(media: ModuleType) -> None:
    client = ManyClient()
    with TestQueue(media.app) as queue:
        await run(samples("docs/functions.md")[1], {**vars(media), "client": client, "paths": ["b", "c"]})
        queue.run()

    assert {"Succeeded"} == {task.phase for task in queue.tasks}
    assert ["b", "c"] == [(request.params or {})["path"] for request in client.taken]


async def test_a_function_that_is_interrupted(media: ModuleType) -> None:
    names = {**vars(media), "work": lambda part, seconds: None}
    await run(samples("docs/functions.md")[2], names)
    with TestQueue(media.app):
        handle = names["encode"].delay("a.mp4")

        assert "whole" == handle.get()
        assert (0.9, "part 9") == handle.progress[-1]


async def test_a_test_of_a_function(media: ModuleType) -> None:
    names: dict[str, Any] = {}
    await run(samples("docs/testing.md")[0], names)
    (test,) = (each for name, each in names.items() if name.startswith("test_"))
    test()


async def test_the_functions_of_the_sdks_own_page() -> None:
    (sample,) = (each for each in samples("sdk/README.md") if "@app.task" in each)
    declared, _, call = sample.rpartition("\n\n\n")
    names: dict[str, Any] = {}
    await run(declared, names)
    with TestQueue(names["app"]) as queue:
        await run(call, names)

    assert ["Succeeded"] == [task.phase for task in queue.tasks]
