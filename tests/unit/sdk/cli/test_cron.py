"""``celeriac cron``."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import condition, finished

RANGE = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-03T00:00:00Z")


@pytest.fixture(autouse=True)
def crons(cluster: Cluster) -> None:
    status = {
        "activeCount": 1,
        "missedRuns": 3,
        "lastScheduleTime": "2026-03-01T02:30:00Z",
        "nextScheduleTime": "2126-03-01T02:30:00Z",
    }
    broken = {"conditions": [condition("Stalled", "True", "InvalidSchedule") | {"message": "no day matches"}]}
    asyncio.run(cluster.cron("nightly", status, timeZone="Europe/Berlin"))
    asyncio.run(cluster.cron("odd", broken))
    asyncio.run(cluster.cron("paused", suspend=True))


def test_the_list(celeriac: Command) -> None:
    head, nightly, odd, paused = celeriac("cron", "list").stdout.splitlines()

    assert ["NAME", "SCHEDULE", "ZONE", "ACTIVE", "MISSED", "LAST", "NEXT", "MESSAGE"] == head.split()
    assert "nightly   30 2 * * *   Europe/Berlin   1        3" in nightly
    assert " ago   in " in nightly
    assert odd.endswith("InvalidSchedule: no day matches")
    assert paused.endswith("-       -                Suspended") or paused.split()[-1] == "Suspended"


def test_the_list_for_programs(celeriac: Command) -> None:
    names = celeriac("cron", "list", "-o", "name").stdout.split()
    items = json.loads(celeriac("cron", "list", "-o", "json").stdout)["items"]

    assert ["crontask.celeriac.dev/nightly", "crontask.celeriac.dev/odd", "crontask.celeriac.dev/paused"] == names
    assert ["CronTask"] * 3 == [item["kind"] for item in items]


def test_the_list_of_all_namespaces(celeriac: Command) -> None:
    assert "team" == celeriac("cron", "list", "-A").stdout.splitlines()[1].split()[0]


def test_nothing_to_list(celeriac: Command, cluster: Cluster) -> None:
    cluster.objects.clear()
    result = celeriac("cron", "list")

    assert (0, "", "No CronTasks.") == (result.exit_code, result.stdout, result.stderr.strip())


@pytest.mark.parametrize("name", ["nightly", "crontask.celeriac.dev/nightly"])
def test_trigger(celeriac: Command, name: str) -> None:
    result = celeriac("cron", "trigger", name)

    assert result.stdout.startswith("task.celeriac.dev/nightly-manual-")
    assert 0 == result.exit_code


def test_trigger_of_one_that_is_not_there(celeriac: Command) -> None:
    result = celeriac("cron", "trigger", "nope")

    assert 2 == result.exit_code
    assert "There is no CronTask nope in namespace team" in result.stderr


def test_backfill_shows_its_progress(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded")
    result = celeriac("cron", "backfill", "nightly", *RANGE)

    assert "2 slot(s) of team/nightly, 2026-03-01 01:30 to 2026-03-02 01:30 UTC, 1 at a time." in result.stderr
    assert [
        "1/2  2026-03-01 01:30 UTC  nightly-29538810  Succeeded",
        "2/2  2026-03-02 01:30 UTC  nightly-29540250  Succeeded",
    ] == result.stdout.splitlines()
    assert 0 == result.exit_code


def test_backfill_again_runs_nothing_twice(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded")
    celeriac("cron", "backfill", "nightly", *RANGE)
    again = celeriac("cron", "backfill", "nightly", *RANGE)

    assert ["Succeeded (it was there)"] * 2 == [line.split("  ")[-1] for line in again.stdout.splitlines()]


def test_backfill_with_a_run_that_failed(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("AppError")

    assert 1 == celeriac("cron", "backfill", "nightly", *RANGE, "--max", "1").exit_code


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--max", "1"], "1 slot(s)", id="no more than the most"),
        pytest.param([], "2 slot(s)", id="all of them"),
        pytest.param(["--to", "2026-03-01T00:00:00Z"], "has no slots in that time", id="none"),
    ],
)
def test_a_dry_run_creates_nothing(celeriac: Command, cluster: Cluster, words: list[str], says: str) -> None:
    result = celeriac("cron", "backfill", "nightly", *RANGE, "--dry-run", *words)

    assert says in result.stderr
    assert [] == [call for call in cluster.calls if call.method == "POST"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(
            ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-01T00:00:00Z"],
            "--to: 2",
            id="an end before the beginning",
        ),
        pytest.param(
            ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-02T00:30:00+01:00"],
            "--to: 2026-03-01 23:30 UTC is before --from",
            id="the same, by its zone",
        ),
        pytest.param(["--from", "2999-01-01T00:00:00Z"], "--from: 2", id="a beginning that is still to come"),
        pytest.param(["--from", "2026-03-02"], "'2026-03-02' has no time zone: write 2026-03-02T00:00:00Z", id="a day"),
        pytest.param(
            ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-02T12:00:00"],
            "'2026-03-02T12:00:00' has no time zone: write 2026-03-02T12:00:00Z",
            id="an end without a zone",
        ),
    ],
)
def test_a_time_that_can_have_no_slots_is_a_mistake(celeriac: Command, words: list[str], says: str) -> None:
    result = celeriac("cron", "backfill", "nightly", *words)

    assert 2 == result.exit_code
    assert says in " ".join(result.stderr.replace("│", "").split())


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        pytest.param("table", "2026-03-01T01:30:00Z\n", id="a time"),
        pytest.param("name", "task.celeriac.dev/nightly-29538810\n", id="the name of the Task that it would be"),
        pytest.param("yaml", "- slot: '2026-03-01T01:30:00Z'\n  name: nightly-29538810\n", id="both"),
    ],
)
def test_a_dry_run_for_programs(celeriac: Command, output: str, wanted: str) -> None:
    words = [*RANGE, "--max", "1", "--dry-run", "-o", output]

    assert wanted == celeriac("cron", "backfill", "nightly", *words).stdout


def test_backfill_for_programs(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded")
    data = json.loads(celeriac("cron", "backfill", "nightly", *RANGE, "-o", "json").stdout)
    names = celeriac("cron", "backfill", "nightly", *RANGE, "-o", "name").stdout.split()

    assert ["2026-03-01T01:30:00Z", "2026-03-02T01:30:00Z"] == [run["slot"] for run in data]
    assert ["task.celeriac.dev/nightly-29538810", "task.celeriac.dev/nightly-29540250"] == names
