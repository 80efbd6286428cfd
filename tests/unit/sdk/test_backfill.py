"""Backfill: which slots, how many at once, and what becomes of each."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.sdk.fake_api import TASKS, FakeApi, finished, status

from celeriac import AsyncClient, BackfillRun, errors
from celeriac._wire import Call, Reply

START = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = [f"nightly-{29538870 + 1440 * day}" for day in range(5)]
"""The runs of 02:30 on the first days of March."""


class Busy(FakeApi):
    """Tasks end a little after they were created; how many went on at once is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.going_on = self.most = 0
        self.ending: set[asyncio.Task[None]] = set()
        self.refused: dict[str, Reply] = {}
        self.outcome = "Succeeded"

    async def _post(self, call: Call) -> Reply:
        name = call.body["metadata"]["name"]
        if name in self.refused:
            return self.refused[name]
        reply = await super()._post(call)
        if reply.status == 201:
            self.going_on += 1
            self.most = max(self.most, self.going_on)
            self.ending.add(asyncio.create_task(self._end(name)))
        return reply

    async def _end(self, name: str) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        self.going_on -= 1
        path = f"{TASKS}/{name}"
        await self.put(path, self.objects[path] | {"status": finished(self.outcome)})


@pytest.fixture
def fake() -> Busy:
    return Busy()


async def collect(client: AsyncClient, days: float = 5, **options: Any) -> list[BackfillRun]:
    return [run async for run in client.cron_backfill("nightly", START, START + timedelta(days=days), **options)]


@pytest.mark.parametrize(
    ("days", "options", "count"),
    [
        pytest.param(5, {}, 5, id="all of the time that is asked for"),
        pytest.param(5, {"most": 2}, 2, id="no more than the most"),
        pytest.param(0.1, {}, 0, id="no slot in that time"),
        pytest.param(150 / 1440, {}, 1, id="a slot at the very end"),
    ],
)
async def test_slots(fake: Busy, client: AsyncClient, days: float, options: dict[str, Any], count: int) -> None:
    await fake.cron("nightly")
    runs = await collect(client, days, **options)

    assert NAMES[:count] == [run.name for run in runs]
    assert all(run.succeeded and not run.existed for run in runs)


async def test_a_slot_that_is_still_to_come_is_not_run(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    now = datetime.now(UTC)
    runs = client.cron_backfill("nightly", now, now + timedelta(days=9))

    assert [] == [run.name async for run in runs]


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_so_many_at_once(fake: Busy, client: AsyncClient, concurrency: int) -> None:
    await fake.cron("nightly")
    runs = await collect(client, concurrency=concurrency)

    assert 5 == len(runs)
    assert concurrency == fake.most


async def test_the_runs_are_those_of_the_schedule_and_say_that_they_are_late(fake: Busy, client: AsyncClient) -> None:
    cron = await fake.cron("nightly")
    await collect(client, 1)
    meta = fake.objects[f"{TASKS}/{NAMES[0]}"]["metadata"]

    assert {
        "celeriac.dev/scheduled-time": "2026-03-01T02:30:00Z",
        "celeriac.dev/backfill": "true",
    } == meta["annotations"]
    assert cron["metadata"]["uid"] == meta["ownerReferences"][0]["uid"]


async def test_a_slot_whose_task_is_there_is_not_run_again(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    first = await collect(client, 2)
    again = await collect(client, 3)

    assert [True, True, False] == [run.existed for run in again]
    assert [run.task and run.task.uid for run in first] == [run.task and run.task.uid for run in again[:2]]


async def test_another_task_of_the_name_is_no_run(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    await fake.task(NAMES[0], finished("Succeeded"))
    runs = await collect(client, 2)

    assert isinstance(runs[0].error, errors.AlreadyExists)
    assert [False, True] == [run.succeeded for run in runs]


async def test_the_trouble_of_one_slot_does_not_keep_the_others_from_it(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    fake.refused[NAMES[1]] = status(422, "Invalid", "no")
    runs = await collect(client, 3)

    assert [True, False, True] == [run.succeeded for run in runs]
    assert isinstance(runs[1].error, errors.InvalidTask)


async def test_a_failed_run_is_told_as_that(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    fake.outcome = "AppError"
    [run] = await collect(client, 1)

    assert ("AppError", False) == (run.task and run.task.outcome, run.succeeded)


async def test_one_that_is_closed_early_starts_no_more(fake: Busy, client: AsyncClient) -> None:
    await fake.cron("nightly")
    runs = client.cron_backfill("nightly", START, START + timedelta(days=5))
    await anext(runs)
    await runs.aclose()

    assert 1 == len([path for path in fake.objects if path.startswith(TASKS)])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param({"schedule": "0 0 30 2 *"}, "no day matches", id="a schedule that never matches"),
        pytest.param({"timeZone": "Mars/Olympus"}, "IANA", id="a time zone that is none"),
    ],
)
async def test_a_calendar_that_cannot_be_used(fake: Busy, client: AsyncClient, spec: dict[str, str], says: str) -> None:
    await fake.cron("nightly", **spec)
    with pytest.raises(errors.InvalidTask, match=says):
        await collect(client)


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        pytest.param(datetime(2026, 3, 1), START, "start has no time zone", id="a beginning without a zone"),
        pytest.param(START, datetime(2026, 3, 1), "end has no time zone", id="an end without a zone"),
        pytest.param(START, "2026-03-02", "end is a str: give an aware datetime", id="text"),
    ],
)
async def test_times_that_are_none(fake: Busy, client: AsyncClient, start: Any, end: Any, says: str) -> None:
    await fake.cron("nightly")
    with pytest.raises(errors.InvalidTask, match=says):
        [_ async for _ in client.cron_backfill("nightly", start, end)]
