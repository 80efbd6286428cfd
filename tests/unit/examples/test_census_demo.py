"""The demo's second part, without a cluster: its parts against a queue in memory, and what people are shown."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from e2e.cluster.images import catalogue
from examples.digits import cluster
from examples.digits.follow import Sweep
from examples.python import batch, census, parts, ready, show
from examples.python.census import Census
from examples.python.parts import Line, Stage
from rich.console import Console

from celeriac import QueueFull, TaskHandle, TaskRequest
from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac.app.submitting import Waiting
from celeriac.testing import TestQueue


@dataclass
class Door:
    """A queue that is paused: it takes so many, and blocks or refuses more until it goes on."""

    queue: TestQueue
    holds: int
    open: threading.Event = field(default_factory=threading.Event)
    taken: int = 0

    def submit(self, request: TaskRequest, parse: Callable[[Any], Any], waiting: Waiting) -> TaskHandle[Any]:
        """Take it, if there is room."""
        if self.taken >= self.holds and not (waiting.block and self.open.wait(waiting.timeout)):
            raise QueueFull("no room")
        self.taken += 1
        return self.queue.submit(request, parse, waiting)

    async def asubmit(self, request: TaskRequest, parse: Callable[[Any], Any], waiting: Waiting) -> TaskHandle[Any]:
        """As submit."""
        return self.submit(request, parse, waiting)

    def close(self) -> None:
        """Nothing to close."""

    def resume(self, _name: str) -> None:
        """The queue goes on, says the client."""
        self.open.set()


@pytest.fixture
def queue() -> Iterator[TestQueue]:
    with TestQueue(census.app) as started:
        yield started


def stage_of(client: Any = None) -> Stage:
    """A stage without a cluster."""
    return Stage(cast("Any", None), client, Console(file=io.StringIO(), width=200), run="abc123")


def said(stage: Stage) -> str:
    """What was told."""
    return cast("io.StringIO", stage.console.file).getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package tree of 30 files."""
    for number in range(30):
        (tmp_path / f"m{number:02}.py").write_text("def f(): pass\nclass A: pass\n")
    return tmp_path


def test_the_census_is_what_all_shares_have_together(queue: TestQueue, tree: Path) -> None:
    stage = stage_of()

    line, paths = parts.count_tree(stage, tree)

    assert line.good and "30 files: 60 lines, 30 functions, 30 classes" in line.outcome
    assert line.messages == len(queue.tasks) == 1 + parts.CHUNKS
    assert len(paths) == 30
    assert {"abc123"} == {task.labels["demo.celeriac.dev/run"] for task in queue.tasks}
    assert "30 files below" in said(stage)


def test_a_full_queue_refuses_one_and_lets_another_wait(
    queue: TestQueue, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCKED_SECONDS", 0.05)
    door = Door(queue, ready.DOOR_HOLDS)
    monkeypatch.setattr(census.app, "submitter", door)

    line = parts.full_queue(stage_of(door), sorted(tree.iterdir()))

    assert line.good
    assert line.messages == len(queue.tasks) == ready.DOOR_HOLDS + 1


def test_a_queue_that_never_fills_is_told_as_wrong(
    queue: TestQueue, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(queue, holds=10_000)
    monkeypatch.setattr(census.app, "submitter", door)

    assert not parts.full_queue(stage_of(door), sorted(tree.iterdir())).good


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        pytest.param(5, 2, [[0, 2, 4], [1, 3]], id="neighbours go to different shares"),
        pytest.param(2, 5, [[0], [1]], id="no share is empty"),
        pytest.param(0, 3, [], id="nothing to share"),
    ],
)
def test_shares(sizes: int, count: int, expected: list[list[int]]) -> None:
    paths = [Path(str(number)) for number in range(sizes)]

    assert [[Path(str(n)) for n in share] for share in expected] == parts.shares(paths, count)


def test_a_sum_of_sums_knows_no_largest_file() -> None:
    one = Census(1, 10, 2, 3, Path("a"))

    assert Census(2, 20, 4, 6, None) == parts.added([one, one])


@pytest.mark.parametrize(
    ("due", "started", "late"),
    [
        pytest.param("2026-01-01T00:00:00.9+00:00", "2026-01-01T00:00:00Z", 0, id="the status has whole seconds"),
        pytest.param("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:03Z", 3, id="so much late"),
        pytest.param("2026-01-01T00:00:05Z", "2026-01-01T00:00:03Z", -2, id="too early"),
    ],
)
def test_lateness(due: str, started: str, late: float) -> None:
    assert late == parts.lateness({"spec": {"startTime": due}, "status": {"attempts": [{"startTime": started}]}})


def test_a_lifetime_has_all_attempts_in_it() -> None:
    ends = [{"finishTime": f"2026-01-01T00:00:{second}Z"} for second in ("04", "31")]
    task = {"metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"}, "status": {"attempts": ends}}

    assert parts.lifetime(task) == 30


def test_the_batchs_numbers_are_told_in_the_order_of_a_life() -> None:
    sweep = Sweep(expected=3)
    for name, phase in (("a", "Cancelled"), ("b", "Succeeded"), ("c", "Cancelled")):
        sweep.take({"metadata": {"name": name}, "spec": {}, "status": {"phase": phase}})

    assert {"Cancelled": 2, "Succeeded": 1} == batch.phase_counts(sweep)
    assert batch.in_words(batch.phase_counts(sweep)) == "1 Succeeded, 2 Cancelled"


def test_a_deleted_task_has_not_ended() -> None:
    sweep = Sweep(expected=1)
    finished = {"type": "Finished", "status": "True", "reason": "X", "message": ""}
    finished["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    sweep.take({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Failed", "conditions": [finished]}})
    assert sweep.done

    sweep.forget("a")

    assert not sweep.done


def test_the_queues_are_valid_and_the_two_that_fill_are_paused() -> None:
    specs = {each["metadata"]["name"]: TaskQueueSpec.model_validate(each["spec"]) for each in ready.queues()}

    assert specs["census"].stop_policy is None
    assert specs[ready.DOOR].stop_policy == specs[ready.BATCH].stop_policy == "Hold"
    assert specs[ready.DOOR].backlog is not None and specs[ready.DOOR].backlog.max_tasks == ready.DOOR_HOLDS


def test_the_image_is_in_the_catalogue_by_the_name_that_the_app_has() -> None:
    recipe = catalogue.known()["census"]

    assert recipe.name == next(iter(census.app.tasks.values())).settings["image"]
    assert recipe.on == catalogue.SDK_IMAGE
    assert [path.name for path in recipe.inputs] == ["census.py"]


def test_the_namespace_is_the_one_that_gets_nats_users() -> None:
    assert cluster.WITH_NATS == ready.NAMESPACE


def test_what_went_wrong_is_in_the_table_too() -> None:
    console = Console(file=io.StringIO(), width=120)

    console.print(show.results([Line("a batch", 1000, "40 Succeeded", 61.2), Line("[x]", 1, "no", 1, good=False)]))

    text = cast("io.StringIO", console.file).getvalue()
    assert "1,000" in text and "40 Succeeded" in text and "61" in text
