"""What happens to a CronTask in each situation. Every plan is told in words, so that a row reads as a sentence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.clock import T0
from tests.support.crd import problems
from tests.support.cron import clock, condition, cron_status, make_cron, make_cron_world, make_run

from celeriac_operator.core.cron.decide import decide_cron
from celeriac_operator.core.cron.facts import CronFacts, CronWorld, Run
from celeriac_operator.core.cron.plan import CronPlan
from celeriac_operator.core.facts import Refusal


def told(plan: CronPlan) -> dict[str, Any]:
    """What a plan does, without what it leaves alone."""
    status = plan.status
    facts: dict[str, Any] = {
        "create": plan.create and text(plan.create.slot),
        "last": status and status.last_schedule_time and text(status.last_schedule_time),
        "decided": status and status.decided_time and text(status.decided_time),
        "missed": status and status.missed_runs,
        "cancel": [run.name.removeprefix("nightly-") for run in plan.cancel],
        "delete": [run.name.removeprefix("nightly-") for run in plan.delete],
        "events": [event.reason for event in plan.events],
    }
    return {key: value for key, value in facts.items() if value}


def text(moment: datetime) -> str:
    day = (moment - T0.replace(hour=0)).days
    return f"{moment:%H:%M:%S}".removesuffix(":00") + (f" +{day}d" if day else "")


def settled(world: CronWorld, now: datetime) -> CronWorld:
    """The world once everything that can be written at once was: plan after plan, as the operator does."""
    for _ in range(30):
        plan = decide_cron(world, now)
        if plan.create is not None:
            world = with_runs(world, *world.runs, make_run(plan.create.slot))
        elif plan.status is not None:
            world = with_cron(world, status=plan.status)
        else:
            return world
        if world.cron.status.conditions:
            assert problems(world.cron.status.to_wire(), "CronTask") == []
    raise AssertionError("a hot loop")


def with_runs(world: CronWorld, *runs: Run) -> CronWorld:
    return CronWorld(world.cron, runs, world.refusal)


def with_cron(world: CronWorld, **fields: Any) -> CronWorld:
    values = {name: getattr(world.cron, name) for name in CronFacts.__slots__}
    return CronWorld(CronFacts(**{**values, **fields}), world.runs, world.refusal)


SEEN = cron_status(decided_time=clock("12:00"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("12:04:59", {}, id="before its first slot nothing is created"),
        pytest.param("12:05", {"create": "12:05"}, id="at the slot its Task is created"),
        pytest.param("12:05:59", {"create": "12:05"}, id="a minute late is on time"),
    ],
)
def test_a_slot(now: str, expected: dict[str, Any]) -> None:
    plan = decide_cron(make_cron_world(make_cron(status=SEEN)), clock(now))

    assert expected == {key: value for key, value in told(plan).items() if key == "create"}


def test_the_status_moves_only_once_the_task_exists() -> None:
    world = make_cron_world(make_cron(status=SEEN))
    before = decide_cron(world, clock("12:05"))
    after = decide_cron(with_runs(world, make_run(clock("12:05"))), clock("12:05"))

    assert before.create is not None
    assert before.status is None
    assert {"last": "12:05", "decided": "12:05"} == told(after)
    assert ["nightly-29539445"] == [run.name for run in after.status.active] if after.status else None


def test_a_new_crontask_does_not_run_slots_before_it_was_created() -> None:
    plan = decide_cron(make_cron_world(make_cron(created=clock("12:05"), catchUp="All")), clock("12:05:30"))

    assert plan.create is None
    assert plan.status is not None
    assert clock("12:10") == plan.status.next_schedule_time


def test_the_operator_looks_again_when_the_next_slot_is_due() -> None:
    world = settled(make_cron_world(make_cron(status=SEEN)), clock("12:01"))

    assert clock("12:05") == decide_cron(world, clock("12:01")).look_again


CATCH_UP: list[tuple[str, dict[str, Any], list[str], int]] = [
    # after an outage from 12:00 to 13:02:30, with slots every five minutes
    ("None: what is over a minute late is missed", {"catchUp": "None"}, [], 12),
    ("Latest: the newest runs", {"catchUp": "Latest"}, ["13:00"], 11),
    (
        "Latest: not where it is older than the window",
        {"catchUp": {"policy": "Latest", "windowSeconds": 120}},
        *([], 12),
    ),
    (
        "All: the newest maxRuns run, the oldest first",
        {"catchUp": {"policy": "All", "maxRuns": 3}},
        *(["12:50", "12:55", "13:00"], 9),
    ),
    (
        "All: within the window",
        {"catchUp": {"policy": "All", "windowSeconds": 600}},
        *(["12:55", "13:00"], 10),
    ),
    ("All, Forbid: one runs, the others are missed", {"catchUp": "All", "concurrencyPolicy": "Forbid"}, ["12:15"], 11),
    ("All, Queue: one runs, the others wait", {"catchUp": "All", "concurrencyPolicy": "Queue"}, ["12:15"], 2),
    ("All, Replace: only the newest", {"catchUp": "All", "concurrencyPolicy": "Replace"}, ["13:00"], 11),
]


@pytest.mark.parametrize(("fields", "runs", "missed"), [row[1:] for row in CATCH_UP], ids=[row[0] for row in CATCH_UP])
def test_after_an_outage(fields: dict[str, Any], runs: list[str], missed: int) -> None:
    world = settled(make_cron_world(make_cron(status=SEEN, **fields)), clock("13:02:30"))

    assert runs == [text(run.slot) for run in world.runs if run.slot]
    assert missed == world.cron.status.missed_runs


def test_missed_slots_are_told_once() -> None:
    world = make_cron_world(make_cron(status=SEEN))
    plan = decide_cron(world, clock("13:02:30"))

    assert {"decided": "13:02:30", "missed": 12, "events": ["MissedRuns"]} == told(plan)
    assert "12 run(s) up to 2026-03-01 13:02 UTC" in plan.events[0].message
    assert plan.status is not None
    assert told(decide_cron(with_cron(world, status=plan.status), clock("13:02:30"))) == {}


def test_a_year_of_minutes_is_caught_up_with_at_once() -> None:
    start = clock("12:00")
    cron = make_cron("* * * * *", status=cron_status("* * * * *", decided_time=start), catchUp="All")
    now = start + timedelta(days=365)
    world = settled(make_cron_world(cron), now)

    assert 10 == len(world.runs)
    assert 1000 == world.cron.status.missed_runs
    assert now == max(run.slot for run in world.runs if run.slot)


ACTIVE = make_run(clock("12:00"))


@pytest.mark.parametrize(
    ("fields", "runs", "expected"),
    [
        pytest.param({}, [ACTIVE], {"create": "12:05"}, id="Allow: both run"),
        pytest.param(
            {"concurrencyPolicy": "Forbid"},
            *([ACTIVE], {"decided": "12:05", "missed": 1, "events": ["RunSkipped"]}),
            id="Forbid: the slot is missed",
        ),
        pytest.param(
            {"concurrencyPolicy": "Forbid"},
            *([make_run(clock("12:00"), finished_at=clock("12:03"))], {"create": "12:05"}),
            id="Forbid: a run that has ended is in nobody's way",
        ),
        pytest.param(
            {"concurrencyPolicy": "Forbid"},
            *([make_run(None)], {"decided": "12:05", "missed": 1, "events": ["RunSkipped"]}),
            id="Forbid: a run by hand counts",
        ),
        pytest.param(
            {"concurrencyPolicy": "Forbid"},
            *([make_run(clock("11:00"), backfill=True)], {"create": "12:05"}),
            id="Forbid: a backfill does not count",
        ),
        pytest.param(
            {"concurrencyPolicy": "Replace"},
            *([ACTIVE], {"cancel": ["29539440"], "events": ["Replaced"], "decided": "12:00"}),
            id="Replace: what runs is cancelled",
        ),
        pytest.param(
            {"concurrencyPolicy": "Replace"},
            *([make_run(clock("12:00"), cancelling=True)], {"decided": "12:00"}),
            id="Replace: until it has ended the slot waits, and the cancel is asked once",
        ),
        pytest.param(
            {"concurrencyPolicy": "Replace"},
            *([make_run(clock("12:00"), finished_at=clock("12:05:10"), cancelling=True)], {"create": "12:05"}),
            id="Replace: then it starts",
        ),
        pytest.param({"concurrencyPolicy": "Queue"}, [ACTIVE], {"decided": "12:00"}, id="Queue: the slot waits"),
    ],
)
def test_a_slot_while_another_run_goes_on(fields: dict[str, Any], runs: list[Run], expected: dict[str, Any]) -> None:
    plan = decide_cron(make_cron_world(make_cron(status=SEEN, **fields), *runs), clock("12:05:30"))

    assert expected == told(plan)


QUEUED = make_cron(status=SEEN, concurrencyPolicy="Queue", catchUp={"maxRuns": 2})


def test_slots_that_wait_for_a_run_are_not_late() -> None:
    """Without catchUp, and for hours: they wait by the user's will."""
    world = settled(make_cron_world(QUEUED, ACTIVE), clock("12:11"))
    ended = with_runs(world, make_run(clock("12:00"), finished_at=clock("12:14:30")))

    assert [] == [run for run in world.runs if run != ACTIVE]
    assert {"create": "12:05"} == told(decide_cron(ended, clock("12:14:31")))


def test_no_more_than_max_runs_wait() -> None:
    world = settled(make_cron_world(QUEUED, ACTIVE), clock("13:02"))
    ended = with_runs(world, make_run(clock("12:00"), finished_at=clock("13:02:30")))

    assert 10 == world.cron.status.missed_runs
    assert {"create": "12:55"} == told(decide_cron(ended, clock("13:02:31")))


def test_slots_of_an_outage_do_not_pass_for_waiting() -> None:
    ended = make_run(clock("12:00"), finished_at=clock("12:06"))
    world = settled(make_cron_world(QUEUED, ended), clock("13:02"))

    assert (ended,) == world.runs
    assert 12 == world.cron.status.missed_runs


def test_where_both_run_no_slot_has_waited_for_another() -> None:
    ended = make_run(clock("12:00"), finished_at=clock("12:21:40"))
    world = settled(make_cron_world(make_cron(status=SEEN), ended), clock("12:22"))

    assert (ended,) == world.runs
    assert 4 == world.cron.status.missed_runs


def test_a_replacing_slot_waits_for_the_grace_period_however_long_that_is() -> None:
    cron = make_cron(status=SEEN, concurrencyPolicy="Replace")
    world = settled(make_cron_world(cron, make_run(clock("12:00"), cancelling=True)), clock("12:13"))
    ended = with_runs(world, make_run(clock("12:00"), finished_at=clock("12:13:30")))

    assert {"create": "12:10"} == told(decide_cron(ended, clock("12:13:31")))
    assert 1 == world.cron.status.missed_runs  # 12:05, which 12:10 took the place of


@pytest.mark.parametrize(
    ("schedule", "fields", "says"),
    [
        pytest.param("0 0 30 2 *", {}, "InvalidSchedule", id="a schedule that never matches"),
        pytest.param("61 * * * *", {}, "InvalidSchedule", id="a schedule that is none"),
        pytest.param("0 0 * * *", {"timeZone": "Mars/Olympus"}, "UnknownTimeZone", id="a time zone that is none"),
    ],
)
def test_what_cannot_be_used_is_said_once(schedule: str, fields: dict[str, Any], says: str) -> None:
    world = settled(make_cron_world(make_cron(schedule, **fields)), clock("12:05"))
    accepted = world.cron.status.condition("Accepted")
    stalled = world.cron.status.condition("Stalled")

    assert accepted is not None
    assert stalled is not None
    assert ("False", says) == (accepted.status, accepted.reason)
    assert "True" == stalled.status
    assert world.runs == ()
    assert CronPlan() == decide_cron(world, clock("12:30"))


def test_a_schedule_that_was_mended_counts_from_then_on() -> None:
    broken = settled(make_cron_world(make_cron("61 * * * *", catchUp="All")), clock("12:30"))
    mended = make_cron(status=broken.cron.status, generation=2, catchUp="All")
    world = settled(make_cron_world(mended), clock("13:01"))

    assert world.runs == ()
    assert clock("13:05") == world.cron.status.next_schedule_time
    assert not world.cron.status.missed_runs


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"schedule": "*/2 * * * *"}, id="another schedule"),
        pytest.param({"timeZone": "Asia/Kathmandu"}, id="another time zone"),
        pytest.param({"dstPolicy": "Twice"}, id="another dstPolicy"),
    ],
)
def test_another_calendar_does_not_invent_slots_of_the_past(change: dict[str, Any]) -> None:
    cron = make_cron(**{"status": SEEN, "generation": 2, "catchUp": "All", **change})
    world = settled(make_cron_world(cron), clock("12:59:30"))

    assert world.runs == ()
    assert clock("12:59:30") == world.cron.status.decided_time
    assert not world.cron.status.missed_runs


def test_any_other_change_leaves_the_slots_as_they_were() -> None:
    cron = make_cron(status=SEEN, generation=2, catchUp="All", jitterSeconds=0, successfulTasksHistoryLimit=9)

    assert {"create": "12:05"} == told(decide_cron(make_cron_world(cron), clock("12:12")))


@pytest.mark.parametrize(
    ("catch_up", "runs", "missed"),
    [
        pytest.param("None", [], 0, id="None: its slots were not wanted, so they are not missed either"),
        pytest.param("Latest", ["12:25"], 4, id="Latest: the newest runs"),
        pytest.param("All", ["12:05", "12:10", "12:15", "12:20", "12:25"], 0, id="All: all run"),
    ],
)
def test_the_time_of_a_suspension(catch_up: str, runs: list[str], missed: int) -> None:
    held = settled(make_cron_world(make_cron(status=SEEN, suspend=True, catchUp=catch_up)), clock("12:27"))
    resumed = make_cron(status=held.cron.status, generation=2, catchUp=catch_up)
    world = settled(make_cron_world(resumed), clock("12:28"))
    condition = world.cron.status.condition("Suspended")

    assert held.runs == ()
    assert held.cron.status.next_schedule_time is None
    assert runs == [text(run.slot) for run in world.runs if run.slot]
    assert missed == (world.cron.status.missed_runs or 0)
    assert condition is not None
    assert "False" == condition.status


@pytest.mark.parametrize(
    ("catch_up", "suspended", "missed"),
    [
        pytest.param("None", True, 0, id="None: the others were not wanted"),
        pytest.param("None", False, 4, id="None, without a suspension: the others are missed"),
        pytest.param("All", True, 0, id="All: the others still run"),
    ],
)
def test_a_slot_of_a_suspension_that_is_backfilled(catch_up: str, suspended: bool, missed: int) -> None:
    run = make_run(clock("12:25"), finished_at=clock("12:26"), backfill=True)
    world = make_cron_world(make_cron(status=SEEN, suspend=suspended, catchUp=catch_up), run)

    assert missed == (settled(world, clock("12:27")).cron.status.missed_runs or 0)


def test_a_suspended_crontask_shows_what_still_runs() -> None:
    world = settled(make_cron_world(make_cron(status=SEEN, suspend=True), ACTIVE), clock("12:07"))

    assert 1 == world.cron.status.active_count
    assert decide_cron(world, clock("12:07")).look_again is None


def refusal(reason: str, at: str) -> Refusal:
    return Refusal(reason, "spec.taskTemplate makes a Task that is refused", clock(at))


@pytest.mark.parametrize(
    ("reason", "accepted"),
    [
        pytest.param("InvalidTemplate", "False", id="a template that is wrong"),
        pytest.param("QuotaExceeded", "True", id="a quota that is full"),
        pytest.param("RunNameTaken", "True", id="a name that is taken"),
    ],
)
def test_a_run_that_the_api_server_refuses_is_said_and_tried_again_later(reason: str, accepted: str) -> None:
    world = make_cron_world(make_cron(status=SEEN, catchUp="All"), refusal=refusal(reason, "12:10"))
    plan = decide_cron(world, clock("12:05:01"))

    assert plan.create is None
    assert plan.status is not None
    assert clock("12:10") == plan.look_again
    stalled, condition_ = plan.status.condition("Stalled"), plan.status.condition("Accepted")
    assert stalled is not None
    assert condition_ is not None
    assert ("True", reason) == (stalled.status, stalled.reason)
    assert accepted == condition_.status
    assert {"create": "12:05"} == told(decide_cron(with_cron(world, status=plan.status), clock("12:10")))


def test_what_was_refused_is_remembered_by_the_status_over_a_restart() -> None:
    refused = settled(
        make_cron_world(make_cron(status=SEEN), refusal=refusal("InvalidTemplate", "12:10")), clock("12:05:01")
    )
    restarted = settled(CronWorld(refused.cron), clock("12:07"))
    stalled = restarted.cron.status.condition("Stalled")

    assert stalled is not None
    assert "InvalidTemplate" == stalled.reason


def test_what_was_refused_of_another_spec_is_forgotten() -> None:
    said = condition("Stalled", "True", "InvalidTemplate", observed_generation=1)
    status = cron_status(decided_time=clock("12:00"), conditions=(said,))
    world = settled(make_cron_world(make_cron(status=status, generation=2)), clock("12:01"))
    stalled = world.cron.status.condition("Stalled")

    assert stalled is not None
    assert ("False", 2) == (stalled.status, stalled.observed_generation)


def test_a_run_that_exists_clears_what_was_said() -> None:
    status = cron_status(
        decided_time=clock("12:00"),
        conditions=(condition("Stalled", "True", "InvalidTemplate", observed_generation=1),),
    )
    world = settled(make_cron_world(make_cron(status=status)), clock("12:05"))
    stalled = world.cron.status.condition("Stalled")

    assert stalled is not None
    assert "False" == stalled.status


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("12:05:30", {}, id="the slot of a clock that went back does not run again"),
        pytest.param("11:00", {}, id="however far it went back"),
        pytest.param("12:10", {"create": "12:10"}, id="and the next one runs at its time"),
    ],
)
def test_a_slot_that_ran_is_behind_a_fence(now: str, expected: dict[str, Any]) -> None:
    """Its Task is gone: by TTL, the history's limit, or a person."""
    status = cron_status(last_schedule_time=clock("12:05"), decided_time=clock("12:05"))
    plan = decide_cron(make_cron_world(make_cron(status=status)), clock(now))

    assert expected.get("create") == (text(plan.create.slot) if plan.create else None)


def test_a_run_that_was_never_recorded_is_not_missed() -> None:
    """The operator died between the create and the status, and came back after hours."""
    run = make_run(clock("12:05"), finished_at=clock("12:06"))
    world = settled(make_cron_world(make_cron(status=SEEN), run), clock("13:02:30"))

    assert clock("12:05") == world.cron.status.last_schedule_time
    assert 11 == world.cron.status.missed_runs
    assert (run,) == world.runs


def test_slots_before_a_run_that_was_never_recorded_are_missed() -> None:
    """Its creator counted them, or was about to, and died."""
    world = settled(make_cron_world(make_cron(status=SEEN), make_run(clock("12:15"))), clock("12:15:30"))

    assert clock("12:15") == world.cron.status.last_schedule_time
    assert 2 == world.cron.status.missed_runs


def test_a_task_of_a_slot_in_the_future_moves_nothing() -> None:
    """Somebody made a Task of such a name, with the CronTask as its owner."""
    world = settled(make_cron_world(make_cron(status=SEEN), make_run(clock("12:00", day=300))), clock("12:05"))

    assert clock("12:05") == world.cron.status.last_schedule_time


def test_an_older_slot_goes_before_the_record_of_a_newer_run() -> None:
    newer = make_run(clock("12:10"), finished_at=clock("12:11"), backfill=True)
    world = make_cron_world(make_cron(status=SEEN, catchUp="All"), newer)

    assert {"create": "12:05"} == told(decide_cron(world, clock("12:12")))
    assert ["12:05", "12:10"] == sorted(text(run.slot) for run in settled(world, clock("12:12")).runs if run.slot)


def finished(minutes: list[int], **fields: Any) -> list[Run]:
    """Runs that ended a minute after their slots."""
    slots = [clock("10:00") + timedelta(minutes=each) for each in minutes]
    return [make_run(slot, finished_at=slot + timedelta(minutes=1), **fields) for slot in slots]


@pytest.mark.parametrize(
    ("fields", "runs", "deleted"),
    [
        pytest.param({}, finished([0, 5, 10, 15, 20]), ["29539320", "29539325"], id="three that succeeded are kept"),
        pytest.param({}, finished([0, 5], succeeded=False), ["29539320"], id="one without success is kept"),
        pytest.param(
            {"successfulTasksHistoryLimit": 0}, finished([0, 5]), ["29539320", "29539325"], id="none, where so asked"
        ),
        pytest.param({}, finished([0, 5, 10, 15], backfill=True), [], id="a backfill's runs are no history"),
        pytest.param({}, finished([0, 5, 10, 15], deleting=True), [], id="what goes already is not deleted again"),
        pytest.param(
            {"successfulTasksHistoryLimit": 0},
            [make_run(None, finished_at=clock("11:00"))],
            ["manual-x7k2p"],
            id="a run by hand is part of it",
        ),
        pytest.param({"failedTasksHistoryLimit": 0}, [ACTIVE], [], id="what runs is not deleted"),
        pytest.param(
            {"successfulTasksHistoryLimit": 0},
            *([make_run(clock("12:10"), finished_at=clock("12:11"))], []),
            id="nor what is not recorded yet, since the clock went back",
        ),
    ],
)
def test_the_history(fields: dict[str, Any], runs: list[Run], deleted: list[str]) -> None:
    world = settled(make_cron_world(make_cron(status=SEEN, **fields), *runs), clock("12:02"))

    assert deleted == told(decide_cron(world, clock("12:02"))).get("delete", [])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"concurrencyPolicy": "Queue"}, id="a queue that is never empty"),
        pytest.param({"concurrencyPolicy": "Replace"}, id="runs that are always replaced"),
        pytest.param({"suspend": True}, id="a suspension"),
    ],
)
def test_the_history_is_kept_short_while_slots_wait(fields: dict[str, Any]) -> None:
    runs = [*finished([0, 5], succeeded=False), ACTIVE]
    world = settled(make_cron_world(make_cron(status=SEEN, **fields), *runs), clock("12:05:30"))

    assert ["29539320"] == told(decide_cron(world, clock("12:05:30")))["delete"]


def test_a_crontask_that_is_being_deleted_is_left_alone() -> None:
    assert CronPlan() == decide_cron(make_cron_world(make_cron(deleting=True)), clock("12:05"))


def test_when_nothing_changes_nothing_is_written() -> None:
    world = settled(make_cron_world(make_cron(status=SEEN), ACTIVE), clock("12:06"))
    later = decide_cron(world, clock("12:07"))

    assert (None, ()) == (later.status, later.events)


def test_more_runs_than_a_status_shows_are_counted() -> None:
    runs = [make_run(clock("10:00") + timedelta(minutes=5 * n)) for n in range(24)]
    status = settled(make_cron_world(make_cron(status=SEEN), *runs), clock("12:02")).cron.status

    assert (20, 24) == (len(status.active), status.active_count)
    assert runs[-1].name == status.active[-1].name
