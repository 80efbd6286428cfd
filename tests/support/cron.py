"""CronTasks and their runs for tests about deciding: a sensible default for all that the test is not about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.clock import T0

from celeriac.api.v1alpha1 import Condition, CronTaskSpec, CronTaskStatus
from celeriac.cron.run import run_name
from celeriac_operator.core.cron.facts import CronFacts, CronKey, CronWorld, Run
from celeriac_operator.core.facts import Refusal

CRON = "nightly"
CRON_UID = "cron-1"


def clock(text: str, day: int = 1) -> datetime:
    """A time of day on the day of T0, 1 March 2026, or one after it. T0 itself is noon."""
    hour, minute, *second = (int(part) for part in text.split(":"))
    return datetime(2026, 3, 1, hour, minute, *second, tzinfo=UTC) + timedelta(days=day - 1)


def cron_spec(schedule: str = "*/5 * * * *", **fields: Any) -> CronTaskSpec:
    """A CronTask's spec, in the words of the API; catchUp by its policy alone."""
    if isinstance(fields.get("catchUp"), str):
        fields["catchUp"] = {"policy": fields["catchUp"]}
    template = {"spec": {"container": {"image": "busybox:1.36"}}}
    return CronTaskSpec.model_validate({"schedule": schedule, "taskTemplate": template, **fields})


def make_cron(
    schedule: str = "*/5 * * * *",
    *,
    status: CronTaskStatus | None = None,
    created: datetime = T0,
    generation: int = 1,
    deleting: bool = False,
    **fields: Any,
) -> CronFacts:
    """A CronTask of every five minutes; further fields are its spec's."""
    return CronFacts(
        key=CronKey("media", CRON),
        uid=CRON_UID,
        version="100",
        generation=generation,
        created=created,
        spec=cron_spec(schedule, **fields),
        status=status or CronTaskStatus(),
        deleting=deleting,
    )


def cron_status(schedule: str = "*/5 * * * *", **fields: Any) -> CronTaskStatus:
    """The status of a CronTask that was seen before."""
    return CronTaskStatus(**{"observed_generation": 1, "observed_schedule": f"{schedule} Etc/UTC Once", **fields})


def condition(type_: str, status: str, reason: str = "Because", **fields: Any) -> Condition:
    """A condition."""
    return Condition.model_validate(
        {"type": type_, "status": status, "reason": reason, "last_transition_time": T0, **fields}
    )


def make_run(
    slot: datetime | None = None, *, name: str = "", finished_at: datetime | None = None, **fields: Any
) -> Run:
    """A run; it goes on unless it has finished."""
    name = name or (run_name(CRON, slot) if slot else f"{CRON}-manual-x7k2p")
    ended = {"finished": True, "succeeded": True, "finish_time": finished_at} if finished_at else {}
    return Run(**{"name": name, "uid": f"uid-{name}", "created": slot or T0, "slot": slot, **ended, **fields})


def make_cron_world(cron: CronFacts, *runs: Run, refusal: Refusal | None = None) -> CronWorld:
    """A snapshot."""
    return CronWorld(cron, runs, refusal)
