"""Text from outside, made safe to copy and to print: one form, whoever shows it. Pure.

It must not be able to drive the terminal of whoever reads it, nor turn the text around to feign another.
"""

from __future__ import annotations

import re

_ELLIPSIS = "…"
BEYOND_ASCII = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""What JSON lets through: C1 controls, ends of line, half characters, and what turns text around to feign another."""
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f{BEYOND_ASCII}]")


def escape(text: str) -> str:
    """The text with every control character but newline and tab shown as ``\\x1b``, ``\\u202e`` and the like."""
    return _CONTROL.sub(lambda found: shown(found[0], r"\x{:02x}"), text)


def shown(character: str, short: str) -> str:
    """One character's number; ``short`` is the form of those below 256."""
    code = ord(character)
    return (short if code < 256 else r"\u{:04x}").format(code)


def cut(text: str, longest: int) -> str:
    """The beginning of the text, on one line, its control characters escaped, in so many bytes of UTF-8."""
    line = escape(" ".join(text[: longest * 2].split())).strip()
    return line if len(line.encode()) <= longest else beginning(line, longest)


def beginning(text: str, longest: int) -> str:
    """So much of the text that it fits with the sign that there was more."""
    room = longest - len(_ELLIPSIS.encode())
    return text.encode()[:room].decode(errors="ignore").rstrip() + _ELLIPSIS
