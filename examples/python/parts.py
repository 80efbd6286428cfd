"""What the demo does with the census's tasks, part by part; each part is told in a line at the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e.support.kube import TASKS, Kube
from e2e.support.predicates import attempts, finished
from examples.python.census import Census, Counted, count, count_all, source_files, unsteady
from examples.python.ready import DOOR, DOOR_HOLDS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from celeriac import Client, QueueFull, TaskHandle

PATIENCE_SECONDS = 300
CHUNKS = 12
COUNTDOWN_SECONDS = 75
"""Over a minute: such a message leaves its queue for a stream of the operator's until its time has come."""
BLOCKED_SECONDS = 1.0
"""How long somebody who waits for room is watched waiting."""
MOST_TRIES = 20 * DOOR_HOLDS


@dataclass(frozen=True)
class Line:
    """What became of a part."""

    what: str
    messages: int
    outcome: str
    seconds: float
    good: bool = True


@dataclass
class Stage:
    """What every part works with."""

    kube: Kube
    client: Client
    console: Console
    run: str = field(default_factory=lambda: secrets.token_hex(3))

    def labels(self, part: str) -> dict[str, str]:
        """Labels of this run's tasks, so that those of an earlier one do not count."""
        return {"demo.celeriac.dev/run": self.run, "demo.celeriac.dev/part": part}

    def tell(self, what: str) -> None:
        """Say how things are."""
        self.console.print(f"  {what}", soft_wrap=True)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Any]:
        """A bar on a terminal; call it with how many are done. Elsewhere the lines around it have to do."""
        columns = (TextColumn(f"  [bold]{what}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        bar = Progress(*columns, TimeElapsedColumn(), console=self.console, disable=not self.console.is_terminal)
        with bar:
            task = bar.add_task("", total=total)
            yield lambda done, more="": bar.update(task, completed=done, description=more)


@dataclass(frozen=True)
class Ahead:
    """Tasks whose ends come later."""

    began: float
    delayed: TaskHandle[int]
    retried: TaskHandle[int]


def look_forward(stage: Stage) -> Ahead:
    """Submit a task that is not to start yet, and one that fails twice."""
    began, labels = time.monotonic(), stage.labels("ahead")
    delayed = unsteady.options(countdown=COUNTDOWN_SECONDS, labels=labels).delay(1)
    retried = unsteady.options(labels=labels).delay(3)
    stage.tell(f"A task that may start in {COUNTDOWN_SECONDS} s, and one that fails twice, are submitted")
    return Ahead(began, delayed, retried)


def count_tree(stage: Stage, root: Path) -> tuple[Line, list[Path]]:
    """One task lists the files, others count a share of them each, and what they return is added up here."""
    began, labels = time.monotonic(), stage.labels("tree")
    paths = source_files.options(labels=labels).delay(root).get(PATIENCE_SECONDS)
    stage.tell(f"{len(paths)} files below {root}, says the task that looked")
    handles = [count_all.options(labels=labels).delay(share) for share in shares(paths, CHUNKS)]
    found: list[Census] = []
    with stage.bar("Census", len(handles)) as done:
        for handle in handles:
            found.append(handle.get(PATIENCE_SECONDS))
            done(len(found))
    all_of_it = added(found)
    outcome = (
        f"{all_of_it.files} files: {all_of_it.lines:,} lines, {all_of_it.functions:,} functions, "
        f"{all_of_it.classes:,} classes"
    )
    stage.tell(outcome)
    seconds = time.monotonic() - began
    good = all_of_it.files == len(paths) > 0
    return Line("the census, gathered", 1 + len(handles), outcome, seconds, good), paths


def full_queue(stage: Stage, paths: Sequence[Path]) -> Line:
    """A small queue that is paused fills: it refuses one, lets another wait, and takes it once it goes on."""
    began = time.monotonic()
    call = count.options(queue=DOOR, labels=stage.labels("door"))
    handles, refusal = fill(lambda: call.delay(paths[0]))
    stage.tell(f"Queue {DOOR} takes {len(handles)}, and of the next says: QueueFull: {refusal}")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call.options(block=True, timeout=PATIENCE_SECONDS).delay, paths[0])
        waited = not wait_for([waiting], BLOCKED_SECONDS).done
        stage.tell("The same call with block=True waits for room" if waited else "It had room all the same")
        stage.client.resume(DOOR)
        handles.append(waiting.result(PATIENCE_SECONDS))
    results = [handle.get(PATIENCE_SECONDS) for handle in handles]
    outcome = f"QueueFull after {len(handles) - 1}; with block=True it waited, and all {len(results)} ran"
    stage.tell(f"Queue {DOOR} goes on: the one that waited is in, and all {len(results)} have run")
    return Line("a full queue", len(handles), outcome, time.monotonic() - began, waited and bool(refusal))


def fill(submit: Any) -> tuple[list[TaskHandle[Counted]], str]:
    """Submit until the queue is full; what was taken, and what it said then, or nothing if it never was."""
    handles: list[TaskHandle[Counted]] = []
    for _ in range(MOST_TRIES):
        try:
            handles.append(submit())
        except QueueFull as error:
            return handles, str(error)
    return handles, ""


def look_back(stage: Stage, ahead: Ahead) -> list[Line]:
    """The delayed task and the one that was retried, as their Tasks tell it."""
    retried = ahead.retried.get(PATIENCE_SECONDS)
    stage.tell(f"The task that failed twice: attempt {retried} returned")
    with stage.console.status("  Waiting for the time of the delayed task"):
        ahead.delayed.get(PATIENCE_SECONDS)
    task = stage.kube.wait(TASKS, ahead.delayed.namespace, ahead.delayed.name, finished())
    late = lateness(task)
    stage.tell(f"The delayed task started {late:.0f} s after its time, and not before")
    seconds = time.monotonic() - ahead.began
    lived = lifetime(stage.kube.wait(TASKS, ahead.retried.namespace, ahead.retried.name, finished()))
    return [
        Line("a task that fails twice", 1, f"attempt {retried} returned", lived, retried == 3),
        Line(f"a task for {COUNTDOWN_SECONDS} s later", 1, f"started {late:.0f} s after its time", seconds, late >= 0),
    ]


def lateness(task: dict[str, Any]) -> float:
    """Seconds from the time that a Task was to start at to the start of its first attempt; the API has whole ones."""
    due, started = task["spec"]["startTime"], attempts(task)[0]["startTime"]
    return (_time(started) - _time(due).replace(microsecond=0)).total_seconds()


def lifetime(task: dict[str, Any]) -> float:
    """Seconds from when there was a Task to the end of its last attempt."""
    return (_time(attempts(task)[-1]["finishTime"]) - _time(task["metadata"]["creationTimestamp"])).total_seconds()


def shares(paths: Sequence[Path], count: int) -> list[list[Path]]:
    """So many shares of about the same size; large files lie together, so neighbours are dealt out."""
    return [share for start in range(count) if (share := list(paths[start::count]))]


def added(parts: Sequence[Census]) -> Census:
    """The sum; whose file is the largest cannot be told from the sums alone."""
    return Census(
        files=sum(each.files for each in parts),
        lines=sum(each.lines for each in parts),
        functions=sum(each.functions for each in parts),
        classes=sum(each.classes for each in parts),
        largest=None,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
