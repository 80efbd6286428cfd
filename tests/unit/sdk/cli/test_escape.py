"""What a task wrote cannot drive a terminal."""

from __future__ import annotations

import json

import pytest

from celeriac.cli._escape import escape, escape_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain é 漢", "plain é 漢", id="text stays as it is"),
        pytest.param("a\tb\nc", "a\tb\nc", id="newline and tab stay"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="an escape sequence"),
        pytest.param("\x9b31m", "\\x9b31m", id="a C1 control sequence"),
        pytest.param("over\rwritten\x08\x07\x00\x7f", "over\\x0dwritten\\x08\\x07\\x00\\x7f", id="the other controls"),
        pytest.param("a\u202ecba\u2066", "a\\u202ecba\\u2066", id="a change of direction"),
        pytest.param("a\u2028b", "a\\u2028b", id="an end of line that is none"),
        pytest.param("\ud800", "\\ud800", id="half a character, which no terminal takes"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_escaped_json_is_the_same_json() -> None:
    value = {"a": "\x9b31m\x7f\x1b é \u202e\u2028\ud800"}

    text = escape_json(json.dumps(value, ensure_ascii=False))

    assert not {"\x9b", "\x7f", "\u202e", "\u2028", "\ud800"} & set(text)
    assert json.loads(text) == value
