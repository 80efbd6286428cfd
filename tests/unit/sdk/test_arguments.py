"""What a caller gives that no model checks."""

from __future__ import annotations

import math

import pytest

from celeriac._arguments import seconds, text


@pytest.mark.parametrize("given", [None, 0, 5, 0.5, -1, math.inf], ids=repr)
def test_seconds_are_numbers_or_none(given: float | None) -> None:
    assert given == seconds("timeout", given)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        pytest.param("5", TypeError, "timeout is '5' (str): give seconds (int or float), or None", id="a text"),
        pytest.param(True, TypeError, "timeout is True (bool): give seconds", id="a truth"),
        pytest.param(math.nan, ValueError, "timeout is nan, which is no time: give seconds", id="no number at all"),
    ],
)
def test_what_is_no_time_is_refused(given: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as told:
        seconds("timeout", given)

    assert said in str(told.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(5, "name is 5 (int): give a text (str), such as 'thumb-1'", id="a number"),
        pytest.param(None, "name is None (NoneType): give a text (str)", id="nothing"),
        pytest.param(b"x", "name is b'x' (bytes): give a text (str)", id="bytes"),
        pytest.param(["y" * 999], "...", id="something long is cut"),
    ],
)
def test_what_is_no_text_is_refused(given: object, said: str) -> None:
    with pytest.raises(TypeError) as told:
        text("name", given, "thumb-1")

    assert said in str(told.value)
    assert len(str(told.value)) < 200
