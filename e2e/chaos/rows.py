"""A row of the matrix, and how it is played."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.chaos.faults import COUNT, Fault
from e2e.chaos.laboratory import Laboratory, laboratory, with_control_plane
from e2e.chaos.outcomes import Outcome, now

SEED = int(os.environ.get("CELERIAC_CHAOS_SEED", "20261126"))


@dataclass(frozen=True)
class Row:
    """A row."""

    number: int
    """In the fault matrix."""
    fault: Callable[[Laboratory, random.Random], Fault]
    nats: bool = False
    mode: str = "Pod"
    plane: bool = False
    """With a real control plane."""
    disk: bool = False
    """NATS, or etcd, has one of its own."""


def run(name: str, row: Row, directory: Path, tell: Callable[[Outcome], None]) -> None:
    """Play it in a laboratory of its own."""
    if row.plane:
        with with_control_plane(directory, disk=row.disk) as lab:
            play(name, row, lab, tell)
        return
    nats = row.nats or row.mode != "Pod"
    with laboratory(directory, nats=nats, mode=row.mode, disk=row.disk) as lab:
        play(name, row, lab, tell)


def play(name: str, row: Row, lab: Laboratory, tell: Callable[[Outcome], None]) -> None:
    """Submit Tasks, let the fault strike, submit some more, and see what the checker says."""
    fault = row.fault(lab, random.Random(f"{SEED} {name}"))
    fault.begin()
    lab.submit("t", COUNT)
    fault.meanwhile()
    ended_meanwhile = lab.wait_finished()
    fault.end()
    since = time.monotonic()
    lab.submit("after", 4)
    lab.wait_finished()
    recovered = time.monotonic() - since
    problems = lab.problems()
    tasks = len(lab.expected)
    figures = (fault.times, tasks, tuple(problems), recovered, now(), len(lab.notes.twins))
    tell(Outcome(row.number, name, row.mode, SEED, *figures))

    assert problems == []
    assert ended_meanwhile, "the Tasks had not ended before the fault did"
    assert fault.times, "nothing went wrong, so nothing was shown"
