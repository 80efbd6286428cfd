"""Finding Apps, tasks and functions by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from celeriac.app.loading import NotThere, load_app, load_function, load_task

MAIN = """
from celeriac import App
app = App("shop", include=["shop_more"])

class Place:
    app = app

@app.task
def near(): ...

def plain(x: int) -> int:
    return x
"""
MORE = """
from shop_main import app

@app.task
def far(): ...
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop_main.py").write_text(MAIN)
    (tmp_path / "shop_more.py").write_text(MORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("shop_main", "shop_more"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        pytest.param(lambda: load_app("shop_main:app").name, "shop", id="an App"),
        pytest.param(lambda: load_app("shop_main:Place.app").name, "shop", id="an App inside of something"),
        pytest.param(lambda: load_task("shop_main:app", "shop.near").name, "shop.near", id="a task"),
        pytest.param(
            lambda: load_task("shop_main:app", "shop.far").name, "shop.far", id="a task of an included module"
        ),
        pytest.param(lambda: load_function("shop_main:near").name, "shop.near", id="a task by its function's name"),
        pytest.param(lambda: load_function("shop_main:plain").name, "shop_main:plain", id="a plain function"),
    ],
)
def test_found(find: Callable[[], Any], expected: str) -> None:
    assert expected == find()


def test_what_is_included_is_imported_only_when_it_is_needed() -> None:
    load_task("shop_main:app", "shop.near")
    assert "shop_more" not in sys.modules


@pytest.mark.parametrize(
    ("find", "says"),
    [
        pytest.param(lambda: load_app("shop_main"), "write MODULE:APP", id="no name"),
        pytest.param(lambda: load_app("shop_main:nothing"), "has no nothing", id="no such name"),
        pytest.param(lambda: load_app("shop_main:plain"), "is no celeriac.App but a function", id="no App"),
        pytest.param(lambda: load_task("shop_main:app", "x"), "it has shop.far, shop.near", id="no such task"),
        pytest.param(lambda: load_function("shop_main:__name__"), "is no function but a str", id="no function"),
    ],
)
def test_not_there(find: Callable[[], Any], says: str) -> None:
    with pytest.raises(NotThere) as caught:
        find()
    assert says in str(caught.value)


def test_a_plain_function_is_one_task_however_often_it_is_asked_for() -> None:
    assert load_function("shop_main:plain") is load_function("shop_main:plain")


def test_a_plain_function_that_was_replaced_is_another_task() -> None:
    before = load_function("shop_main:plain")
    sys.modules["shop_main"].plain = lambda: None  # type: ignore[attr-defined]

    assert before is not load_function("shop_main:plain")
