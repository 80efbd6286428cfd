"""The demo's batch: 1,000 messages wait in a paused queue, most are called off, and the queue empties within limits.

A pod costs a machine of two cores most of a second, so a thousand of them would take ten minutes and more. What is
shown is what waits in front of the pods, and that every message comes to an end; only some of them run.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2e.support.kube import QUEUES, TASKS
from e2e.support.predicates import Predicate, status
from examples.digits.follow import Sweep, changes
from examples.digits.show import PHASES
from examples.python.census import count
from examples.python.parts import PATIENCE_SECONDS, Line, Stage
from examples.python.ready import BATCH

from celeriac import TaskHandle

SIZE, KEPT = 1000, 40
CALLERS = 16
"""Threads that call tasks off: one alone would wait for each answer."""
EVERY = 100
CALLED_OFF = "the demo runs a part of them only"


def batch(stage: Stage, paths: Sequence[Path], size: int = SIZE, kept: int = KEPT) -> Line:
    """All of it. Whatever happens, nothing is left that would run unasked."""
    began = time.monotonic()
    handles = _submit(stage, paths, size)
    try:
        _wait(stage, size)
        _call_off(handles[kept:])
        stage.tell(
            f"{size - kept} of them are called off while they wait, and {kept} run: {size:,} pods would take a machine "
            "of two cores ten minutes and more"
        )
        stage.client.resume(BATCH)
        sweep, most = _follow(stage, size)
        lines = sum(handle.get(PATIENCE_SECONDS)["lines"] for handle in handles[:kept])
    except BaseException:
        _call_off(handles)
        raise
    phases = phase_counts(sweep)
    outcome = f"{in_words(phases)}; at most {most} Task objects waited or ran at once"
    stage.tell(outcome)
    good = phases == {"Succeeded": kept, "Cancelled": size - kept} and lines > 0
    return Line("a batch", size, outcome, time.monotonic() - began, good)


def phase_counts(sweep: Sweep) -> dict[str, int]:
    """How many ended how."""
    return dict(Counter(state.phase for state in sweep.states.values()))


def in_words(phases: dict[str, int]) -> str:
    """Those numbers, in the order of a Task's life."""
    return ", ".join(f"{phases[phase]} {phase}" for phase in PHASES if phases.get(phase))


def _submit(stage: Stage, paths: Sequence[Path], size: int) -> list[TaskHandle[Any]]:
    call = count.options(queue=BATCH, labels=stage.labels("batch"))
    requests = [call.request(path) for path in itertools.islice(itertools.cycle(paths), size)]
    began = time.monotonic()
    done = stage.client.submit_many(requests)
    seconds = time.monotonic() - began
    handles = [one.handle for one in done if one.handle]
    if failed := [one.error for one in done if one.error]:
        _call_off(handles)
        raise failed[0]
    rate = size / seconds
    stage.tell(
        f"{size:,} messages are acknowledged after {seconds:.1f} s ({rate:,.0f}/s): each is on the server's disk"
    )
    return handles


def _wait(stage: Stage, size: int) -> None:
    """Until the queue's status, which is written every few seconds, tells of all of them."""
    full = Predicate(f"with {size} messages", lambda obj: (status(obj).get("backlog") or 0) >= size)
    queue = stage.kube.wait(QUEUES, stage.client.namespace, BATCH, full)
    made = stage.kube.list(TASKS, stage.client.namespace, labels=_selector(stage))
    backlog = status(queue)["backlog"]
    stage.tell(f"Queue {BATCH} is paused: its status tells of {backlog:,} messages, and {len(made)} of them are Tasks")


def _call_off(handles: Iterable[TaskHandle[Any]]) -> None:
    """Ask for their ends; of one that is no Task yet this becomes known when it would be one."""
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda handle: handle.cancel(CALLED_OFF), handles))


def _follow(stage: Stage, size: int) -> tuple[Sweep, int]:
    """Watch them until all have ended; how many were Tasks without having ended, at most."""
    sweep, most, told = Sweep(expected=size), 0, 0
    with stage.bar("Batch", size) as done:
        for _ in changes(stage.kube, stage.client.namespace, _selector(stage), sweep, PATIENCE_SECONDS):
            ended = sweep.finished
            most = max(most, len(sweep.states) - ended)
            done(ended, in_words(phase_counts(sweep)))
            if not stage.console.is_terminal and ended - told >= EVERY:
                told = ended
                stage.tell(f"[{ended}/{size}] {in_words(phase_counts(sweep))}")
    return sweep, most


def _selector(stage: Stage) -> str:
    return ",".join(f"{name}={value}" for name, value in stage.labels("batch").items())
