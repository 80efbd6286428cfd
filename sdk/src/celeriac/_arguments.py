"""What a caller gives that no model checks: what is of no use is refused by its argument's name, before it is sent."""

from __future__ import annotations

import math
from reprlib import repr as short


def text(argument: str, value: object, example: str = "") -> str:
    """The value, if it is a text. Raises TypeError."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{argument} is {_told(value)}: give a text (str){example and f', such as {example!r}'}")


def seconds(argument: str, value: object) -> float | None:
    """The value, if it is so many seconds or None. Raises TypeError, ValueError."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{argument} is {_told(value)}: give seconds (int or float), or None for no limit")
    if math.isnan(value):
        raise ValueError(f"{argument} is nan, which is no time: give seconds, or None for no limit")
    return value


def _told(value: object) -> str:
    return f"{short(value)} ({type(value).__name__})"
