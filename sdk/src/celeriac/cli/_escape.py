"""Making text from tasks harmless: what a task wrote must not be able to drive the terminal of whoever reads it."""

from __future__ import annotations

import re

from celeriac.wire.escape import BEYOND_ASCII, escape, shown

__all__ = ["escape", "escape_json"]

_IN_JSON = re.compile(f"[{BEYOND_ASCII}]")


def escape_json(text: str) -> str:
    """JSON text with the control characters that JSON itself lets through escaped as JSON does it."""
    return _IN_JSON.sub(lambda found: shown(found[0], r"\u{:04x}"), text)
