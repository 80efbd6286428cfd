"""The queue in memory: what runs when, what comes of it, and that it behaves as a cluster does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from celeriac import (
    AlreadyExists,
    App,
    Backoff,
    Context,
    Failure,
    LogsUnavailable,
    QueueFull,
    ResultInvalid,
    Retry,
    RetryRule,
    SoftDeadlineExceeded,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    TaskNotFinished,
    TimeoutError,
)
from celeriac.testing import TestQueue

app = App("shop")
NO_MORE_TIME = RetryRule(on_failures=(Failure.RUN_DEADLINE_EXCEEDED,), action="Fail")
AGAIN = RetryRule(on_failures=(Failure.RESULT_INVALID,), action="Retry")
ran: list[tuple[str, datetime]] = []


@app.task
def note(what: str) -> str:
    ran.append((what, queue_now()))
    return what


@app.task(retry=Retry(max_attempts=4, backoff=Backoff(initial_seconds=10, max_seconds=30), dont_retry_for=(KeyError,)))
def flaky(ctx: Context, until: int, error: str = "os") -> int:
    ran.append((str(ctx.attempt), queue_now()))
    if ctx.attempt < until:
        raise {"os": OSError, "key": KeyError, "soft": SoftDeadlineExceeded}[error]("not yet")
    return ctx.attempt


@app.task
async def copied(path: Path, data: bytes) -> dict[Path, bytes]:
    await asyncio.sleep(0)
    assert isinstance(path, Path)
    return {path: data}


@app.task
def outer(count: int) -> int:
    return sum(inner.delay(each).get() for each in range(count))


@app.task
def inner(count: int) -> int:
    return count * 2


@app.task(run_seconds=60)
def spends(ctx: Context, seconds: float) -> float | None:
    ctx.progress(0.5, "half")
    current().advance(seconds)
    return ctx.remaining()


@app.task
def mistaken() -> int:
    return "x"  # type: ignore[return-value]


@app.task
def endless() -> None:
    endless.delay()


_queues: list[TestQueue] = []


def current() -> TestQueue:
    return _queues[-1]


def queue_now() -> datetime:
    return current().now


@pytest.fixture
def queue() -> Iterator[TestQueue]:
    ran.clear()
    with TestQueue(app) as queue:
        _queues.append(queue)
        yield queue
        _queues.pop()


def seconds(queue: TestQueue, start: datetime) -> list[tuple[str, float]]:
    return [(what, (at - start).total_seconds()) for what, at in ran]


def test_nothing_runs_before_it_is_told_to(queue: TestQueue) -> None:
    handle = note.delay("a")
    assert [] == ran
    assert "Queued" == handle.status().phase
    assert 1 == queue.run()
    assert "a" == handle.get()
    assert ("Succeeded", True) == (handle.status().phase, handle.status().succeeded)


def test_values_go_through_json_as_on_a_cluster(queue: TestQueue) -> None:
    assert {Path("a"): b"\xff"} == copied.delay(Path("a"), b"\xff").get()
    assert {"path": "a", "data": "/w=="} == queue.tasks[0].spec.params


def test_get_runs_the_queue(queue: TestQueue) -> None:
    assert "a" == note.options(countdown=3600).delay("a").get()


def test_order_is_by_time_then_priority_then_submission(queue: TestQueue) -> None:
    start = queue.now
    note.options(countdown=5).delay("later")
    note.delay("first")
    note.options(priority=-1).delay("low")
    note.options(priority=9).delay("high")
    note.options(start_time=start + timedelta(seconds=2)).delay("at two")
    note.delay("second")
    queue.run()
    assert [("high", 0), ("first", 0), ("second", 0), ("low", 0), ("at two", 2), ("later", 5)] == seconds(queue, start)


def test_a_run_of_some_seconds(queue: TestQueue) -> None:
    start = queue.now
    note.options(countdown=5).delay("a")
    assert 0 == queue.run(seconds=4)
    assert start + timedelta(seconds=4) == queue.now
    assert 1 == queue.run(seconds=4)
    assert start + timedelta(seconds=8) == queue.now


def test_retries_with_backoff(queue: TestQueue) -> None:
    start = queue.now
    handle = flaky.delay(4)
    queue.run()
    assert 4 == handle.get()
    assert [("1", 0), ("2", 10), ("3", 30), ("4", 60)] == seconds(queue, start)
    assert [1, 1, 1, 0] == [each.exit_code for each in handle.status().status.attempts]


@pytest.mark.parametrize(
    ("call", "attempts", "error"),
    [
        pytest.param(lambda: flaky.delay(9), 4, TaskFailed, id="attempts used up"),
        pytest.param(lambda: flaky.delay(9, error="key"), 1, TaskFailed, id="not to be tried again"),
        pytest.param(lambda: flaky.delay(9, error="soft"), 4, TaskFailed, id="the soft deadline, nobody caught it"),
        pytest.param(
            lambda: flaky.options(retry=Retry(max_attempts=2)).delay(9), 2, TaskFailed, id="the call's policy"
        ),
        pytest.param(
            lambda: flaky.options(retry=Retry(rules=(NO_MORE_TIME,))).delay(9, error="soft"),
            1,
            TaskFailed,
            id="a rule about the soft deadline's class",
        ),
        pytest.param(
            lambda: mistaken.options(retry=Retry(max_attempts=2, rules=(AGAIN,))).delay(),
            2,
            ResultInvalid,
            id="a rule about a class that is not tried again otherwise",
        ),
        pytest.param(mistaken.delay, 1, ResultInvalid, id="an invalid result"),
    ],
)
def test_failures(queue: TestQueue, call: Callable[[], Any], attempts: int, error: type[TaskFailed]) -> None:
    handle = call()
    assert attempts == queue.run()
    with pytest.raises(error) as caught:
        handle.get()
    assert attempts == len(caught.value.attempts)


def breaks(value: int) -> int:
    raise OSError("validator")


def test_a_validator_that_breaks_fails_the_attempt_and_not_the_test() -> None:
    other = App("other")

    @other.task
    def one() -> Annotated[int, AfterValidator(breaks)]:
        return 1

    with TestQueue(other), pytest.raises(TaskFailed, match="OSError: validator"):
        one.delay().get()


def test_a_failure_has_the_remote_traceback(queue: TestQueue) -> None:
    with pytest.raises(TaskFailed) as caught:
        flaky.options(retry=Retry(max_attempts=1)).delay(9).get()
    assert "OSError: not yet" in str(caught.value)
    assert "test_queue.py" in str(caught.value)


def test_it_expires_if_it_does_not_start_in_time(queue: TestQueue) -> None:
    handle = note.options(queue_seconds=60).delay("a")
    queue.advance(60)
    queue.run()
    with pytest.raises(TaskExpired):
        handle.get()
    assert [] == ran


def test_cancel(queue: TestQueue) -> None:
    handle = note.delay("a")
    handle.cancel("not needed")
    queue.run()
    with pytest.raises(TaskCancelled, match="not needed"):
        handle.get()
    assert [] == ran


def test_a_task_may_wait_for_others(queue: TestQueue) -> None:
    assert 6 == outer.delay(3).get()
    assert 4 == len(queue.tasks)
    assert [1] * 4 == [task.status.attempt_count for task in queue.tasks]


def test_the_context_goes_by_the_virtual_clock(queue: TestQueue) -> None:
    handle: Any = spends.delay(20)
    assert 40 == handle.get()
    assert ((0.5, "half"),) == handle.progress


def test_a_key_is_submitted_once(queue: TestQueue) -> None:
    first, second = note.options(key="k").delay("a"), note.options(key="k").delay("a")
    assert first.name == second.name
    assert 1 == queue.run()
    with pytest.raises(AlreadyExists):
        note.options(key="k").delay("b")


def test_a_full_queue_refuses_or_is_waited_for() -> None:
    ran.clear()
    with TestQueue(app, most=1) as queue:
        _queues.append(queue)
        note.delay("a")
        note.options(queue="other").delay("b")
        with pytest.raises(QueueFull, match="Queue default is full: 1 tasks wait"):
            note.delay("c")
        note.options(block=True).delay("c")
        assert ["a"] == [what for what, _ in ran]
        note.options(key="later", countdown=60, queue="third").delay("d")
        with pytest.raises(QueueFull):
            note.options(queue="third", block=True, timeout=30).delay("e")
        _queues.pop()


def test_a_timeout_is_virtual(queue: TestQueue) -> None:
    start = queue.now
    handle = note.options(countdown=3600).delay("a")
    with pytest.raises(TimeoutError):
        handle.get(timeout=60)
    assert start + timedelta(seconds=60) == queue.now


def test_waiting_for_what_cannot_run_says_so(queue: TestQueue) -> None:
    with pytest.raises(TimeoutError, match="cannot finish"):
        note.options(suspend=True).delay("a").get()


def test_tasks_without_end_are_noticed(queue: TestQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celeriac.testing.queue.MOST_ATTEMPTS", 50)
    endless.delay()
    with pytest.raises(RuntimeError, match="does a task submit itself"):
        queue.run()


@pytest.mark.parametrize(
    ("name", "names"),
    [
        pytest.param("n", ["n-r1", "n-r2", "n-r3"], id="each has the next number"),
        pytest.param("n" * 63, [f"{'n' * 60}-r{number}" for number in (1, 2, 3)], id="a long name is cut"),
    ],
)
def test_retries_are_named_as_on_a_cluster(queue: TestQueue, name: str, names: list[str]) -> None:
    first = note.options(name=name).delay("a")
    queue.run()
    second = first.retry()
    queue.run()
    third = second.retry()

    assert names == [second.name, third.name, first.retry().name]


def test_retry_is_a_new_task(queue: TestQueue) -> None:
    handle = note.delay("a")
    with pytest.raises(TaskNotFinished):
        handle.retry()
    queue.run()
    again = handle.retry()
    assert f"{handle.name}-r1" == again.name
    assert "a" == again.get()


async def test_in_an_asynchronous_test(queue: TestQueue) -> None:
    handle = await copied.adelay(Path("a"), b"x")
    assert {Path("a"): b"x"} == await handle
    assert {Path("a"): b"x"} == await handle.aget(timeout=1)


def test_there_are_no_logs(queue: TestQueue) -> None:
    with pytest.raises(LogsUnavailable):
        note.delay("a").logs()


def test_afterwards_the_app_submits_as_before() -> None:
    before = app.submitter
    with TestQueue(app) as queue:
        assert queue is app.submitter
    assert before is app.submitter


def test_the_clock_can_start_where_a_test_wants() -> None:
    now = datetime(2027, 5, 1, tzinfo=UTC)
    assert now == TestQueue(app, now=now).now
