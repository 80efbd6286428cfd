"""Faults that a simulated API server can be told to make."""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """What goes wrong with one write."""

    REFUSED = "the API server answers 500 and has done nothing"
    REPLY_LOST = "the write is done, but its answer never comes"
    CRASH_BEFORE = "the operator dies before the write"
    CRASH_AFTER = "the operator dies after the write"


class OperatorDied(BaseException):
    """The process is gone; nothing of it may catch this."""
