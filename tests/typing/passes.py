"""User code that mypy --strict and pyright's strict mode must take. It is read by both, and never run."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from celeriac import (
    App,
    CancelRequested,
    Client,
    Context,
    Retry,
    SoftDeadlineExceeded,
    TaskFunction,
    TaskHandle,
    TaskRequest,
    testing,
)


class Thumb(BaseModel):
    path: str
    width: int


@dataclass
class Crop:
    left: int
    top: int


app = App("media", image="registry.example/media:1.4", routes={"media.*": "media"}, run_seconds=60)


@app.task
def plain(path: str, width: int = 128) -> Thumb:
    return Thumb(path=path, width=width)


@app.task(
    queue="media", retry=Retry(max_attempts=5, retry_for=(OSError,), dont_retry_for=(ValueError,)), run_seconds=60
)
def with_settings(path: Path, *, crop: Crop | None = None) -> list[Thumb]:
    return []


@app.task
def with_context(ctx: Context, count: int) -> None:
    try:
        ctx.progress(0.5, f"{count} of {ctx.remaining()}")
    except SoftDeadlineExceeded:
        pass
    except CancelRequested as error:
        print(error.reason)


@app.task
async def asynchronous(name: str) -> int:
    return len(name)


@app.task(isolation="Pod")
async def asynchronous_with_context(ctx: Context, name: str) -> dict[str, int]:
    return {name: ctx.attempt}


def calls() -> None:
    assert_type(plain("a.png"), Thumb)
    assert_type(plain.delay("a.png"), TaskHandle[Thumb])
    assert_type(plain.delay("a.png", width=64).get(timeout=30), Thumb)
    assert_type(with_settings.delay(Path("a"), crop=Crop(1, 2)).get(), list[Thumb])
    assert_type(with_context.delay(3), TaskHandle[None])
    assert_type(with_context(3), None)
    assert_type(asynchronous.delay("a").get(), int)
    assert_type(asynchronous_with_context.delay(name="a"), TaskHandle[dict[str, int]])
    coroutine: Coroutine[Any, Any, int] = asynchronous("a")
    coroutine.close()


def options() -> None:
    later = plain.options(countdown=60, key="a", priority=9, queue="slow")
    assert_type(later.delay("a.png"), TaskHandle[Thumb])
    assert_type(later.options(start_time=datetime.now(UTC), countdown=None).delay("b"), TaskHandle[Thumb])
    assert_type(plain.options(countdown=timedelta(minutes=5)).request("a"), TaskRequest)
    assert_type(plain.apply_async(("a.png",), {"width": 1}, countdown=60, expires=120), TaskHandle[Thumb])


async def awaited() -> None:
    handle = await plain.adelay("a.png")
    assert_type(handle, TaskHandle[Thumb])
    assert_type(await handle, Thumb)
    assert_type(await handle.aget(timeout=30), Thumb)
    assert_type(await plain.options(priority=1).adelay("a.png"), TaskHandle[Thumb])
    assert_type(await asynchronous("a"), int)


def any_task(task: TaskFunction[..., Any, Thumb]) -> str:
    return task.definition


def through_a_client(client: Client) -> None:
    assert_type(client.submit(definition="plain", params={"path": "a"}), TaskHandle[Any])
    client.submit_many(plain.request(path) for path in ("a", "b"))
    any_task(plain)


def tested() -> None:
    with testing.TestQueue(app) as queue:
        handle = plain.delay("a.png")
        queue.run()
        assert_type(handle.get(), Thumb)
