"""Tables that fit a terminal."""

from __future__ import annotations

import pytest

from celeriac.cli._print import fit

HEADINGS = ["NAME", "PHASE", "QUEUE", "WHAT", "TRIES", "RAN", "AGE", "MESSAGE"]
ROW = ["x" * 36, "Succeeded", "default", "example.com/image:1.4", "1", "3s", "1m10s", "y" * 200]


@pytest.mark.parametrize(
    ("width", "dropped"),
    [
        pytest.param(300, set(), id="a wide terminal shows all"),
        pytest.param(120, {"WHAT"}, id="what runs goes first"),
        pytest.param(100, {"WHAT", "RAN"}, id="then how long it ran"),
        pytest.param(70, {"WHAT", "RAN", "TRIES", "QUEUE", "MESSAGE"}, id="then the message"),
        pytest.param(20, {"WHAT", "RAN", "TRIES", "QUEUE", "MESSAGE", "AGE"}, id="the name and the phase never"),
    ],
)
def test_fit(width: int, dropped: set[str]) -> None:
    sizes = fit([HEADINGS, ROW], width)

    assert {heading for column, heading in enumerate(HEADINGS) if column not in sizes} == dropped
    assert width < 50 or sum(sizes.values()) + 2 * len(sizes) <= width


def test_the_message_gets_the_room_that_is_left() -> None:
    sizes = fit([HEADINGS, ROW], 200)

    assert sum(sizes.values()) + 2 * len(sizes) == 200
