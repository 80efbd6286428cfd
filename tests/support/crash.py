"""Faults that a simulated API server can be told to make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeVar

from tests.support.invariants import Fact

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong with one write."""

    REFUSED = "the API server answers 500 and has done nothing"
    REPLY_LOST = "the write is done, but its answer never comes"
    CRASH_BEFORE = "the operator dies before the write"
    CRASH_AFTER = "the operator dies after the write"


class OperatorDied(BaseException):
    """The process is gone; nothing of it may catch this."""


class Faulty(Protocol):
    """Where faults and writes are noted."""

    faults: list[Fault | None]
    writes: Counter[str]
    facts: list[Fact]


def with_fault(where: Faulty, what: str, do: Callable[[], T], refused: Exception) -> T:
    """Do one write, with the fault that is next."""
    fault = where.faults.pop(0) if where.faults else None
    if fault is Fault.CRASH_BEFORE:
        raise OperatorDied
    if fault is Fault.REFUSED:
        raise refused
    answer = do()
    where.writes[what] += 1
    if fault is Fault.CRASH_AFTER:
        raise OperatorDied
    if fault is Fault.REPLY_LOST:
        raise TimeoutError
    return answer
