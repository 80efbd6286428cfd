"""Text from outside, made safe to copy: into status, Events, logs and terminals. Pure."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def safe(text: str, longest: int) -> str:
    """The end of the text, without control characters (they could rewrite a terminal), newlines and tabs kept."""
    tail = text if len(text) <= longest else "…" + text[-(longest - 1) :]
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", tail.replace("\r\n", "\n")).strip()


def cut(text: str, longest: int) -> str:
    """The beginning of the text, on one line, without control characters."""
    line = " ".join(_CONTROL.sub(" ", text[: longest * 2]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
