"""Declaring tasks and calling them: what becomes of it as a request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
from tests.unit.sdk.fake_api import FakeApi, finished

from celeriac import (
    App,
    Client,
    Context,
    InvalidParams,
    InvalidTask,
    ResultInvalid,
    Retry,
    RetryRule,
    TaskFailed,
    TaskRequest,
)
from celeriac.app.retry import FINAL_RULE
from celeriac.app.submitting import Waiting

R = TypeVar("R")
app = App("media", image="image:1", routes={"media.*": "routed"}, priority=3)


@app.task
def thumb(path: str, width: int = 128) -> bytes:
    return f"{path}/{width}".encode()


@app.task(queue="own", name="other.name", definition="own-name")
def declared(ctx: Context, count: int) -> int:
    return count + ctx.attempt


@app.task
async def asynchronous(count: int) -> int:
    return count + 1


def test_a_call_runs_the_function_here() -> None:
    assert b"a/128" == thumb("a")
    assert 4 == declared(3)
    assert 2 == asyncio.run(asynchronous(1))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            lambda: thumb.request("a"),
            {"definition": "thumb", "params": {"path": "a"}, "queue": "routed"},
            id="by route",
        ),
        pytest.param(
            lambda: declared.request(1),
            {"definition": "own-name", "params": {"count": 1}, "queue": "own"},
            id="the task's own queue goes before routes",
        ),
        pytest.param(
            lambda: declared.options(queue="now").request(1), {"queue": "now"}, id="and the call's before that"
        ),
        pytest.param(
            lambda: thumb.options(countdown=5, key="k").options(countdown=6).request("a"),
            {"countdown": 6, "key": "k"},
            id="options add up, the last one wins",
        ),
        pytest.param(
            lambda: thumb.options(retry=Retry(max_attempts=2)).request("a"),
            {"retry": Retry(max_attempts=2)},
            id="a call's retry",
        ),
        pytest.param(
            lambda: thumb.options(retry=Retry(rules=(RetryRule(on_failures=("OOMKilled",), action="Retry"),))).request(
                "a"
            ),
            {"retry": Retry(rules=(FINAL_RULE, RetryRule(on_failures=("OOMKilled",), action="Retry")))},
            id="a call's rules replace the definition's, so its first one goes along",
        ),
    ],
)
def test_requests(request_: Callable[[], TaskRequest], expected: dict[str, Any]) -> None:
    made = request_()
    assert expected == {name: getattr(made, name) for name in expected}


def test_the_functions_policy_is_left_to_its_definition() -> None:
    made = thumb.request("a")
    assert (None, None, None) == (made.priority, made.retry, made.run_seconds)


class Recorder:
    """Takes requests, and nothing comes of them."""

    def __init__(self) -> None:
        self.requests: list[TaskRequest] = []
        self.waiting = Waiting()

    def submit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> Any:
        self.requests.append(request)
        self.waiting = waiting

    async def asubmit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> Any:
        self.requests.append(request)
        self.waiting = waiting

    def close(self) -> None: ...


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(app, "submitter", recorder)
    return recorder


SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, {"countdown": None, "queue": "routed"}, id="nothing"),
        pytest.param(
            {"countdown": 60, "expires": 90},
            {"countdown": 60, "queue_seconds": 30},
            id="expires counts from now, queueSeconds from the start",
        ),
        pytest.param(
            {"eta": SOON, "expires": SOON + timedelta(seconds=5)},
            {"start_time": SOON, "queue_seconds": 5},
            id="both as times",
        ),
        pytest.param({"expires": 90}, {"queue_seconds": 90}, id="expires alone"),
        pytest.param({"queue": "q", "priority": 9}, {"queue": "q", "priority": 9}, id="queue and priority"),
        pytest.param({"task_id": "x-1", "time_limit": 30}, {"name": "x-1", "run_seconds": 30}, id="id and time limit"),
    ],
)
def test_apply_async_is_celerys(recorder: Recorder, given: dict[str, Any], expected: dict[str, Any]) -> None:
    thumb.apply_async(("a",), {"width": 1}, **given)
    (made,) = recorder.requests
    assert {"path": "a", "width": 1} == made.params
    assert expected == {name: getattr(made, name) for name in expected}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"eta": datetime(2026, 1, 1)}, "eta has no time zone", id="without a time zone"),
        pytest.param({"expires": datetime(2026, 1, 1)}, "expires has no time zone", id="its end without one"),
        pytest.param({"countdown": 60, "expires": 30}, "later expires", id="it would expire before it starts"),
        pytest.param({"expires": float("inf")}, "expires is inf", id="it expires at no date"),
        pytest.param({"countdown": float("nan")}, "countdown is nan", id="it starts at no date"),
        pytest.param({"expires": "5"}, "expires is a str: give seconds", id="text for seconds"),
        pytest.param({"expires": date(2030, 1, 1)}, "expires is a date: give an aware", id="a day"),
        pytest.param({"eta": "2030-01-01"}, "eta is a str: give an aware datetime", id="text for a time"),
        pytest.param({"countdown": "5"}, "countdown is a str", id="text for a countdown"),
    ],
)
def test_apply_async_refuses(recorder: Recorder, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidTask, match=says):
        thumb.apply_async(("a",), **{"expires": 5, **given})
    assert [] == recorder.requests


def test_apply_async_without_args_is_celerys_too(recorder: Recorder) -> None:
    thumb.apply_async(None, {"path": "a"})
    thumb.apply_async(kwargs={"path": "a"})
    assert [{"path": "a"}, {"path": "a"}] == [each.params for each in recorder.requests]


@pytest.mark.parametrize("kwargs", ["ab", [("path", "a")], 1], ids=["text", "pairs", "a number"])
def test_apply_async_takes_a_dict_of_keywords(recorder: Recorder, kwargs: Any) -> None:
    with pytest.raises(InvalidParams, match=r"kwargs is of type .*: give a dict"):
        thumb.apply_async((), kwargs)
    assert [] == recorder.requests


@pytest.mark.parametrize("args", ["ab", b"ab", 1], ids=["text, which is no list of letters", "bytes", "one argument"])
def test_apply_async_takes_a_list_of_arguments(recorder: Recorder, args: Any) -> None:
    with pytest.raises(InvalidParams, match=r"args is of type .*: give a tuple or a list"):
        thumb.apply_async(args)
    assert [] == recorder.requests


def test_nothing_is_sent_where_the_params_are_invalid(recorder: Recorder) -> None:
    with pytest.raises(InvalidParams, match=r"media\.thumb: invalid params: width: "):
        thumb.delay("a", "wide")  # type: ignore[arg-type]
    with pytest.raises(InvalidParams):
        asyncio.run(thumb.adelay("a", "wide"))  # type: ignore[arg-type]
    assert [] == recorder.requests


def test_a_param_may_be_called_self() -> None:
    @App("other").task
    def anything(**rest: int) -> dict[str, int]:
        return rest

    assert {"self": 1} == anything.request(self=1).params
    assert {"self": 1} == anything.options(priority=1).request(self=1).params
    assert {"self": 1} == anything(self=1)


def test_waiting_for_room_is_of_the_call_and_not_of_the_task(recorder: Recorder) -> None:
    thumb.options(block=True, timeout=5).delay("a")
    assert Waiting(block=True, timeout=5) == recorder.waiting
    assert thumb.request("a") == recorder.requests[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        pytest.param(lambda: thumb.options(cuontdown=1), "no option cuontdown", id="an option of a call"),
        pytest.param(lambda: app.task(retries=3)(print), "no option retries", id="a setting of a task"),
    ],
)
def test_options_that_do_not_exist(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        call()


def test_retry_for_is_no_option_of_a_call() -> None:
    with pytest.raises(InvalidTask, match=r"belong to @app\.task"):
        thumb.options(retry=Retry(retry_for=(OSError,))).request("a")


def test_a_calls_retry_is_a_policy() -> None:
    with pytest.raises(InvalidTask, match=r"retry is a dict: give Retry\(max_attempts=3\)"):
        thumb.options(retry={"max_attempts": 3}).request("a")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param({"name": "media.thumb"}, "declared twice", id="the same name"),
        pytest.param({"definition": "thumb"}, "declared twice", id="the same definition"),
        pytest.param({"definition": "Not_a_label"}, "cannot be the name of a TaskDefinition", id="no DNS label"),
    ],
)
def test_names_that_cannot_be(names: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        app.task(**names)(asynchronous.function)  # type: ignore[arg-type]


def test_results_come_as_the_functions_type() -> None:
    fake = FakeApi()
    with Client(transport=fake) as client:
        own = App("own", client=client)

        @own.task
        def made(size: int) -> bytes:
            return b""

        @own.task
        def counted(size: int) -> int:
            return 0

        for name, value in (("good", "/wA="), ("bad", "no number")):
            task = made if name == "good" else counted
            handle: Any = task.options(name=name).delay(1)
            asyncio.run(fake.task(name, finished("Succeeded", result={"value": value})))
            if name == "good":
                assert b"\xff\x00" == handle.get(timeout=5)
                assert b"\xff\x00" == asyncio.run(handle.aget(timeout=5))
            else:
                with pytest.raises(ResultInvalid, match="result: Input should be a valid integer") as caught:
                    handle.get(timeout=5)
                assert "bad" == caught.value.task.name


def test_a_failed_task_raises_as_any_other() -> None:
    fake = FakeApi()
    with Client(transport=fake) as client:
        own = App("own", client=client)

        @own.task
        def fails() -> None: ...

        submitted = fails.options(name="x").delay()
        asyncio.run(fake.task("x", finished("AppError", message="ValueError: no")))
        with pytest.raises(TaskFailed, match="ValueError: no"):
            submitted.get(timeout=5)


def test_a_client_is_not_used_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Client] = []
    own = App("own")

    def make() -> Client:
        made.append(Client(transport=FakeApi()))
        return made[-1]

    monkeypatch.setattr(own.submitter, "_make", make)
    submitter: Any = own.submitter
    assert submitter.client is submitter.client
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert submitter.client is not made[0]
    for client in made:
        client.close()


def test_close_leaves_a_client_that_was_given_open() -> None:
    with Client(transport=FakeApi()) as client:
        own = App("own", client=client)
        own.task(name="own.thumb")(thumb.function)
        own.tasks["own.thumb"].delay("a")
        own.close()
        assert own.tasks["own.thumb"].delay("b").name
