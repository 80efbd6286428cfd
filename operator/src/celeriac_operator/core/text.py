"""Text from outside, made safe to copy: into status, Events, logs and terminals. Pure.

Lengths are those of the result, in bytes of UTF-8: what is written into an object has to fit into it.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ELLIPSIS = "…"


def safe(text: str, longest: int) -> str:
    """The end of the text, without control characters (they could rewrite a terminal), newlines and tabs kept."""
    shown = _escaped(text[-longest:])
    if len(text) <= longest and len(shown.encode()) <= longest:
        return shown
    room = longest - len(_ELLIPSIS.encode())
    return _ELLIPSIS + shown.encode()[-room:].decode(errors="ignore")


def clipped(text: str, longest: int) -> str:
    """The beginning of the text, otherwise as ``safe``: the last bound before something is written."""
    shown = _escaped(text[: longest + 1])
    return shown if len(shown.encode()) <= longest else _beginning(shown, longest)


def both_ends(text: str, longest: int) -> str:
    """Beginning and end of the text, otherwise as ``safe``: an exception says what it is first, and last where."""
    shown = _escaped(text)
    if len(shown.encode()) <= longest:
        return shown
    first = longest // 3
    return f"{_beginning(shown, first)}\n{safe(shown, longest - first - 1)}"


def cut(text: str, longest: int) -> str:
    """The beginning of the text, on one line, its control characters escaped."""
    line = _escaped(" ".join(text[: longest * 2].split()))
    return line if len(line.encode()) <= longest else _beginning(line, longest)


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text.replace("\r\n", "\n")).strip()


def _beginning(text: str, longest: int) -> str:
    room = longest - len(_ELLIPSIS.encode())
    return text.encode()[:room].decode(errors="ignore").rstrip() + _ELLIPSIS
