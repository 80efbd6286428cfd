"""Each line of a task gets its tag, however the pieces come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.run.lines import LONGEST_LINE, Lines


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([b"one\ntwo\n"], b"> one\n> two\n", id="lines"),
        pytest.param([b"o", b"ne\nt", b"wo"], b"> one\n> two\n", id="pieces of lines, the last without its end"),
        pytest.param([], b"", id="nothing"),
        pytest.param([b"\n\n"], b"> \n> \n", id="empty lines"),
        pytest.param([b"\xff\r\n"], b"> \xff\r\n", id="what is no text"),
    ],
)
def test_tags(pieces: list[bytes], expected: bytes) -> None:
    lines = Lines("> ")

    assert b"".join(map(lines.add, pieces)) + lines.end() == expected


def test_a_line_without_an_end_is_broken() -> None:
    lines = Lines("> ")
    found = lines.add(b"x" * (LONGEST_LINE + 1))

    assert found == b"> " + b"x" * LONGEST_LINE + b"\n"
    assert lines.end() == b"> x\n"


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_nothing_is_lost(pieces: list[bytes]) -> None:
    lines, whole = Lines(">"), b"".join(pieces)
    found = b"".join(map(lines.add, pieces)) + lines.end()

    assert [line[1:] for line in found.split(b"\n")[:-1]] == (
        whole if whole.endswith(b"\n") or not whole else whole + b"\n"
    ).split(b"\n")[:-1]
