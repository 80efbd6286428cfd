"""Making text from tasks harmless: what a task wrote must not be able to drive the terminal of whoever reads it."""

from __future__ import annotations

import re

from celeriac.wire.escape import escape, shown

__all__ = ["escape", "escape_json"]

_IN_JSON = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON lets through: C1 controls, ends of line, half characters, and what turns text around to feign another."""


def escape_json(text: str) -> str:
    """JSON text with the control characters that JSON itself lets through escaped as JSON does it."""
    return _IN_JSON.sub(lambda found: shown(found[0], r"\u{:04x}"), text)
