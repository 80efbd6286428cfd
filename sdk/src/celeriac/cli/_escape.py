"""Making text from tasks harmless: what a task wrote must not be able to drive the terminal of whoever reads it."""

from __future__ import annotations

import re

_ALWAYS = r"\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""What JSON lets through: C1 controls, ends of line, half characters, and what turns text around to feign another."""
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f{_ALWAYS}]")
_IN_JSON = re.compile(f"[{_ALWAYS}]")


def escape(text: str) -> str:
    """The text with every control character but newline and tab shown as ``\\x1b``, ``\\u202e`` and the like."""
    return _CONTROL.sub(lambda found: _shown(found[0], r"\x{:02x}"), text)


def escape_json(text: str) -> str:
    """JSON text with the control characters that JSON itself lets through escaped as JSON does it."""
    return _IN_JSON.sub(lambda found: _shown(found[0], r"\u{:04x}"), text)


def _shown(character: str, short: str) -> str:
    code = ord(character)
    return (short if code < 256 else r"\u{:04x}").format(code)
