"""What pods started ahead run under faults. It says itself when it starts and ends: the end of its pod is another."""

import os
import time
from pathlib import Path

BOOK = "CELERIAC_CHAOS_BOOK"
"""The file."""


def audited(seconds: float, failures: int) -> int:
    """Run for so long; its first attempts fail."""
    _say("start")
    time.sleep(seconds)
    if int(os.environ["CELERIAC_ATTEMPT"]) <= failures:
        _say("1")
        raise RuntimeError
    _say("0")
    return 7


def _say(what: str) -> None:
    words = (os.environ[f"CELERIAC_{name}"] for name in ("TASK_UID", "ATTEMPT", "POD_UID"))
    with Path(os.environ[BOOK]).open("a") as book:
        book.write(f"{time.time()} {' '.join(words)} {what}\n")
