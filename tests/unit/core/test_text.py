"""Text from outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401

from celeriac_operator.core.text import both_ends, clipped, cut, safe

FORBIDDEN = [*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066]


@given(st.text(), st.integers(10, 200))
def test_nothing_gets_longer_than_it_may_nor_keeps_a_control_character(text: str, longest: int) -> None:
    for found in (safe(text * 9, longest), clipped(text * 9, longest), cut(text * 9, longest)):
        assert len(found.encode()) <= longest
        assert not any(chr(code) in found for code in FORBIDDEN)
    both = both_ends(text * 99, longest * 3)
    assert len(both.encode()) <= longest * 3
    assert not any(chr(code) in both for code in FORBIDDEN)


@given(st.text(), st.integers(10, 200))
def test_what_was_clipped_or_cut_stays_as_it_is(text: str, longest: int) -> None:
    """A status that is composed again from a stored one has to be the same."""
    assert clipped(clipped(text, longest), longest) == clipped(text, longest)
    assert cut(cut(text, longest), longest) == cut(text, longest)


TABLE = {
    "short text": ("a\tb\r\nc ", "a\tb\nc", "a b c"),
    "an escape sequence": ("\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"),
    "text that reads backwards": ("\u202eabc", "\\u202eabc", "\\u202eabc"),
    "half a character": ("a\ud800", "a\\ud800", "a\\ud800"),
}


@pytest.mark.parametrize(("text", "shown", "line"), TABLE.values(), ids=TABLE)
def test_text(text: str, shown: str, line: str) -> None:
    assert (safe(text, 100), clipped(text, 100), cut(text, 100)) == (shown, shown, line)


def test_long_text_keeps_the_end_or_the_beginning() -> None:
    long = "0123456789abcdef" * 4

    assert safe(long, 20) == "…" + long[-17:]
    assert clipped(long, 20) == cut(long, 20) == long[:17] + "…"
    assert both_ends(long, 45) == long[:12] + "…\n…" + long[-26:]
    assert both_ends(long, 64) == long
