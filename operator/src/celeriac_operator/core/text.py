"""Text from outside, made safe to copy: into status, Events, logs and terminals. Pure.

Lengths are those of the result, in bytes of UTF-8: what is written into an object has to fit into it.
"""

from __future__ import annotations

from celeriac.wire.escape import beginning, cut, escape

__all__ = ["both_ends", "clipped", "cut", "safe"]

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
    return shown if len(shown.encode()) <= longest else beginning(shown, longest)


def both_ends(text: str, longest: int) -> str:
    """Beginning and end of the text, otherwise as ``safe``: an exception says what it is first, and last where."""
    shown = _escaped(text)
    if len(shown.encode()) <= longest:
        return shown
    first = longest // 3
    return f"{beginning(shown, first)}\n{safe(shown, longest - first - 1)}"


def _escaped(text: str) -> str:
    return escape(text.replace("\r\n", "\n")).strip()
