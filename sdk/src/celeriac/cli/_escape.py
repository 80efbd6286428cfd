"""Making text from tasks harmless: what a task wrote must not be able to drive the terminal of whoever reads it."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_C1 = re.compile(r"[\x7f-\x9f]")


def escape(text: str) -> str:
    """The text with every control character but newline and tab shown as ``\\x1b`` and the like."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def escape_json(text: str) -> str:
    """JSON text with the control characters that JSON itself lets through escaped as JSON does it."""
    return _C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
