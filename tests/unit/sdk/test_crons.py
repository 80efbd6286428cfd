"""CronTasks through the client: list, get, trigger."""

from __future__ import annotations

import re

import pytest
from tests.unit.sdk.fake_api import CRONS, TASKS, FakeApi, status

from celeriac import AsyncClient, errors
from celeriac._wire import Unreachable


async def test_crontasks_are_listed_by_name(fake: FakeApi, client: AsyncClient) -> None:
    await fake.cron("weekly", schedule="@weekly")
    await fake.cron("nightly", {"missedRuns": 3})
    found = await client.cron_list()

    assert ["nightly", "weekly"] == [cron.name for cron in found]
    assert (3, "30 2 * * *") == (found[0].status.missed_runs, found[0].spec.schedule)


async def test_crontasks_of_all_namespaces(fake: FakeApi, client: AsyncClient) -> None:
    await fake.cron("nightly")

    assert ["team"] == [cron.namespace for cron in await client.cron_list(all_namespaces=True)]
    assert "/apis/celeriac.dev/v1alpha1/crontasks" == fake.calls[-1].path


@pytest.mark.parametrize("name", ["nightly", ""])
async def test_a_crontask_that_is_not_there(client: AsyncClient, name: str) -> None:
    with pytest.raises(errors.CronTaskNotFound, match="celeriac cron list"):
        await client.cron_get(name)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([], "", id="nothing was said yet"),
        pytest.param([("Stalled", "False", "Working", "")], "", id="all is well"),
        pytest.param([("Stalled", "True", "InvalidSchedule", "no")], "InvalidSchedule: no", id="a person is needed"),
    ],
)
async def test_the_problem_of_a_crontask(
    fake: FakeApi, client: AsyncClient, conditions: list[tuple[str, str, str, str]], expected: str
) -> None:
    keys = ("type", "status", "reason", "message")
    found = [dict(zip(keys, c, strict=True)) | {"lastTransitionTime": "2026-03-01T12:00:00Z"} for c in conditions]
    await fake.cron("nightly", {"conditions": found})

    assert expected == (await client.cron_get("nightly")).problem


async def test_a_run_by_hand_belongs_to_its_crontask(fake: FakeApi, client: AsyncClient) -> None:
    cron = await fake.cron("nightly", suspend=True, concurrencyPolicy="Forbid")
    handle = await client.cron_trigger("nightly")
    made = fake.objects[f"{TASKS}/{handle.name}"]

    assert re.fullmatch("nightly-manual-[a-z0-9]{5}", handle.name)
    assert {"celeriac.dev/cron": "nightly"} == made["metadata"]["labels"]
    assert [cron["metadata"]["uid"]] == [owner["uid"] for owner in made["metadata"]["ownerReferences"]]
    assert "celeriac.dev/scheduled-time" not in made["metadata"]["annotations"]
    assert {"container": {"image": "busybox"}} == made["spec"]
    assert cron == fake.objects[f"{CRONS}/nightly"]


async def test_two_runs_by_hand_are_two(fake: FakeApi, client: AsyncClient) -> None:
    await fake.cron("nightly")
    first, second = await client.cron_trigger("nightly"), await client.cron_trigger("nightly")

    assert first.name != second.name


async def test_a_run_by_hand_whose_answer_is_lost_is_one(
    fake: FakeApi, client: AsyncClient, pauses: list[float]
) -> None:
    await fake.cron("nightly")

    original = fake.request
    lost = 0

    async def request(call):  # type: ignore[no-untyped-def]
        nonlocal lost
        reply = await original(call)
        if call.method == "POST" and not lost:
            lost += 1
            raise Unreachable("the answer is lost")
        return reply

    fake.request = request  # type: ignore[method-assign]
    await client.cron_trigger("nightly")

    assert 1 == len([path for path in fake.objects if path.startswith(TASKS)])


async def test_a_mark_that_is_taken_is_another_mark(
    fake: FakeApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fake.cron("nightly")
    await fake.task("nightly-manual-bbbbb")
    marks = iter("b" * 5 + "c" * 5)
    monkeypatch.setattr("celeriac._crons.secrets.choice", lambda _: next(marks))

    assert "nightly-manual-ccccc" == (await client.cron_trigger("nightly")).name


async def test_a_template_that_the_api_server_refuses(fake: FakeApi, client: AsyncClient) -> None:
    await fake.cron("nightly")
    cause = {"field": "metadata.labels", "message": "Invalid value"}

    async def refuse(_call):  # type: ignore[no-untyped-def]
        return status(422, "Invalid", causes=[cause])

    fake._post = refuse  # type: ignore[method-assign]
    with pytest.raises(errors.InvalidTask, match=r"metadata\.labels"):
        await client.cron_trigger("nightly")
