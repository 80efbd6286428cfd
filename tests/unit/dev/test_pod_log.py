"""The log of a pod: its last lines, the times of its lines, and what is written while it is followed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from celeriac_operator.dev.pod_log import PodLog, Wanted

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (.*)")


def never() -> bool:
    return False


def written(path: Path, *parts: str) -> Callable[[], bool]:
    """A process that writes a part each time that it is looked at, until it has none."""
    left = list(parts)

    def goes_on() -> bool:
        with path.open("a") as file:
            file.write(left.pop(0) if left else "")
        return bool(left)

    return goes_on


async def pieces(log: PodLog, wanted: Wanted, goes_on: Callable[[], bool] = never) -> list[str]:
    return [piece.decode() async for piece in log.read(wanted, goes_on) if piece]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("text", "last_lines", "expected"),
    [
        pytest.param("one\ntwo\n", None, "one\ntwo\n", id="all"),
        pytest.param("one\ntwo\n", 1, "two\n", id="the last line"),
        pytest.param("one\ntwo\n", 5, "one\ntwo\n", id="more lines than there are"),
        pytest.param("one\ntwo\n", 0, "", id="no line"),
        pytest.param("one\ntwo", 1, "two", id="a line that has no end yet"),
        pytest.param("1 %\r2 %\rone\n\ntwo\n", 3, "1 %\r2 %\rone\n\ntwo\n", id="a carriage return ends no line"),
    ],
)
async def test_what_is_there(text: str, last_lines: int | None, expected: str, path: Path) -> None:
    path.write_text(text)

    assert expected == "".join(await pieces(PodLog(path), Wanted(last_lines)))


@pytest.mark.parametrize(
    ("wanted", "parts", "expected"),
    [
        pytest.param(Wanted(follow=True), ["one\n", "two\n", "three\n"], ["one\n", "two\n", "three\n"], id="lines"),
        pytest.param(Wanted(follow=True), ["on", "e\ntw", "o"], ["one\n", "two"], id="a line comes once it is whole"),
        pytest.param(Wanted(1, follow=True), ["1\n2\n", "3\n4\n", ""], ["2\n", "3\n4\n"], id="the last, then all"),
        pytest.param(Wanted(follow=False), ["one\n", "two\n"], [], id="it is not followed"),
    ],
)
async def test_what_is_written_while_it_is_read(
    wanted: Wanted, parts: list[str], expected: list[str], path: Path
) -> None:
    assert expected == await pieces(PodLog(path), wanted, written(path, *parts))


async def test_each_line_has_a_time_of_its_own_and_keeps_it(path: Path) -> None:
    path.write_text("one wörld\ntwo\n")
    log = PodLog(path)
    first = "".join(await pieces(log, Wanted(follow=True, timestamps=True))).splitlines()
    path.write_text("one wörld\ntwo\nthree\n")
    again = "".join(await pieces(log, Wanted(timestamps=True))).splitlines()
    found = [match.groups() for line in again if (match := TIME.fullmatch(line))]

    assert first == again[:2]
    assert ["one wörld", "two", "three"] == [text for _, text in found]
    assert sorted({time for time, _ in found}) == [time for time, _ in found]
