"""What ``import celeriac`` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import celeriac
from celeriac import errors

HEAVY = ("kubernetes", "aiohttp", "croniter", "pydantic", "typer", "rich")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        pytest.param("import celeriac", set(), id="importing the package loads nothing heavy"),
        pytest.param("from celeriac import TaskFailed", set(), id="nor does an error"),
        pytest.param("from celeriac import Client", {"pydantic"}, id="a client's class needs no Kubernetes yet"),
    ],
)
def test_import(statement: str, heavy: set[str]) -> None:
    assert loaded_after(statement) == heavy


@pytest.mark.parametrize("name", celeriac.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(celeriac, name) is getattr(celeriac, name)
    assert name in dir(celeriac)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = celeriac.Nonsense


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_public_and_a_celeriac_error(name: str) -> None:
    assert name in celeriac.__all__
    assert issubclass(getattr(celeriac, name), celeriac.CeleriacError)
