"""The work queue: each key once, one worker a key, nothing lost. The loop's clock is virtual: no test waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from tests.support.virtual import virtual

from celeriac_operator.workqueue import LONGEST_PAUSE_SECONDS, WorkQueue

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def now() -> datetime:
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


class Worker:
    """Works on keys and remembers when; each takes so many seconds."""

    def __init__(self, queue: WorkQueue[str], seconds: float = 0, workers: int = 1) -> None:
        self.done: list[tuple[str, float]] = []
        self.errors: list[tuple[str, int]] = []
        self.fail: set[str] = set()
        self.at_once: dict[str, int] = {}
        self.most_at_once = 0
        self.seconds, self.queue = seconds, queue
        self.tasks = [asyncio.create_task(queue.work(self.do, self.failed)) for _ in range(workers)]

    async def do(self, key: str) -> None:
        self.at_once[key] = self.at_once.get(key, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_once[key])
        self.done.append((key, asyncio.get_running_loop().time()))
        await asyncio.sleep(self.seconds)
        self.at_once[key] -= 1
        if key in self.fail:
            raise ValueError(key)

    def failed(self, key: str, error: Exception, count: int) -> None:
        self.errors.append((key, count))

    async def until(self, seconds: float) -> None:
        """Let the workers work up to that time."""
        await asyncio.sleep(seconds - asyncio.get_running_loop().time())

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def with_worker(
    seconds: float = 0, workers: int = 1
) -> Callable[[Callable[[WorkQueue[str], Worker], Awaitable[None]]], Callable[[], None]]:
    """A test with a queue and workers."""

    def decorate(test: Callable[[WorkQueue[str], Worker], Awaitable[None]]) -> Callable[[], None]:
        async def body() -> None:
            queue: WorkQueue[str] = WorkQueue(now)
            worker = Worker(queue, seconds, workers)
            await test(queue, worker)
            await worker.stop()

        body.__name__ = test.__name__  # type: ignore[attr-defined]
        return virtual(body)

    return decorate


@with_worker()
async def test_however_often_a_key_is_added_it_is_worked_on_once(queue: WorkQueue[str], worker: Worker) -> None:
    for _ in range(5):
        queue.add("a")
    await worker.until(1)

    assert worker.done == [("a", 0)]


@with_worker(seconds=1, workers=4)
async def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_again(q: WorkQueue[str], w: Worker) -> None:
    q.add("a")
    await w.until(0.5)
    q.add("a")
    q.add("a")
    await w.until(9)

    assert (w.done, w.most_at_once) == ([("a", 0), ("a", 1)], 1)


@with_worker(seconds=1, workers=2)
async def test_one_slow_key_holds_no_other_up(queue: WorkQueue[str], worker: Worker) -> None:
    for key in "abc":
        queue.add(key)
    await worker.until(9)

    assert worker.done == [("a", 0), ("b", 0), ("c", 1)]


@with_worker()
async def test_errors_are_tried_again_later_and_later_but_never_later_than_a_minute(
    queue: WorkQueue[str], worker: Worker
) -> None:
    worker.fail = {"a"}
    queue.add("a")
    await worker.until(600)
    times = [time for _, time in worker.done]
    pauses = [later - earlier for earlier, later in pairwise(times)]

    assert pauses[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert worker.errors[:3] == [("a", 1), ("a", 2), ("a", 3)]


@with_worker()
async def test_a_success_forgets_the_errors_before_it(queue: WorkQueue[str], worker: Worker) -> None:
    worker.fail = {"a"}
    queue.add("a")
    await worker.until(0.05)
    worker.fail = set()
    await worker.until(5)
    worker.fail = {"a"}
    queue.add("a")
    await worker.until(5.01)

    assert worker.errors == [("a", 1), ("a", 1)]


@with_worker()
async def test_of_a_keys_times_the_earliest_counts(queue: WorkQueue[str], worker: Worker) -> None:
    for seconds in (30, 10, 20):
        queue.add_at("a", now() + timedelta(seconds=seconds))
    await worker.until(100)

    assert worker.done == [("a", 10)]


@pytest.mark.parametrize(
    ("last", "done"),
    [
        pytest.param(20, [("a", 20)], id="later than what was said before"),
        pytest.param(5, [("a", 5)], id="sooner"),
        pytest.param(None, [], id="never"),
    ],
)
def test_what_is_said_of_a_key_last_may_be_all_that_counts(last: int | None, done: list[tuple[str, float]]) -> None:
    @with_worker()
    async def play(queue: WorkQueue[str], worker: Worker) -> None:
        queue.add_at("a", now() + timedelta(seconds=10))
        queue.look_at("a", None if last is None else now() + timedelta(seconds=last))
        await worker.until(100)

        assert worker.done == done

    play()


@virtual
async def test_a_time_that_the_clock_has_jumped_over_makes_way_for_the_next() -> None:
    """Its timer runs on time that has passed, and would be an hour late."""
    jump = timedelta(0)
    queue: WorkQueue[str] = WorkQueue(lambda: now() + jump)
    worker = Worker(queue)
    queue.add_at("a", now() + timedelta(seconds=3000))
    jump = timedelta(seconds=3002)
    queue.add_at("a", now() + jump + timedelta(seconds=10))
    await worker.until(100)
    await worker.stop()

    assert worker.done == [("a", 10)]


@pytest.mark.parametrize(
    ("jump", "done"),
    [
        pytest.param(0, 3000, id="the clock is right"),
        pytest.param(1000, 2000, id="put forward"),
        pytest.param(3600, 0, id="put forward over the time"),
        pytest.param(-500, 3500, id="put back"),
    ],
)
def test_timers_follow_a_clock_that_has_jumped(jump: int, done: int) -> None:
    """What was due at a time that a wrong clock told waits as long as the right one says."""

    @virtual
    async def play() -> None:
        shift = timedelta(0)
        queue: WorkQueue[str] = WorkQueue(lambda: now() + shift)
        worker = Worker(queue)
        queue.add_at("a", now() + timedelta(seconds=3000))
        shift = timedelta(seconds=jump)
        queue.set_timers_anew()
        await worker.until(3590)
        await worker.stop()

        assert worker.done == [("a", done)]

    play()


@with_worker()
async def test_a_time_that_has_passed_is_now(queue: WorkQueue[str], worker: Worker) -> None:
    queue.add_at("a", now() - timedelta(days=1))
    await worker.until(1)

    assert worker.done == [("a", 0)]


@with_worker()
async def test_the_end_of_the_calendar_is_looked_at_within_the_hour(queue: WorkQueue[str], worker: Worker) -> None:
    """So no timer is longer than a clock jump is noticed after."""
    queue.add_at("a", datetime.max.replace(tzinfo=UTC))
    await worker.until(4000)

    assert worker.done == [("a", 3600)]


@with_worker()
async def test_a_key_that_was_forgotten_has_no_timer(queue: WorkQueue[str], worker: Worker) -> None:
    queue.add_at("a", now() + timedelta(seconds=10))
    queue.forget("a")
    await worker.until(100)

    assert worker.done == []


@with_worker(seconds=50)
async def test_what_is_stuck_shows(queue: WorkQueue[str], worker: Worker) -> None:
    queue.add("a")
    queue.add("b")
    await worker.until(20)

    assert (queue.depth, queue.oldest_seconds) == (1, 20)


async def test_a_key_that_always_has_itself_looked_at_again_leaves_others_their_turn() -> None:
    queue: WorkQueue[str] = WorkQueue(lambda: datetime.now(UTC))

    async def again(key: str) -> None:
        queue.add(key)

    working = asyncio.create_task(queue.work(again, lambda *_: None))
    queue.add("greedy")
    for _ in range(3):
        await asyncio.sleep(0)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert working.cancelled()
