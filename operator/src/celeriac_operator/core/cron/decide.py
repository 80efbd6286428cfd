"""What happens to a CronTask, all of it: the first rule that has an answer decides. Pure.

The order is meaning: what exists is recorded before anything is started, and what is missed is settled before the next
slot, so that the status always moves forward and no slot is looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from celeriac_operator.core.cron.facts import CronWorld
from celeriac_operator.core.cron.lifecycle import (
    being_deleted,
    calendar_changed,
    calendar_refused,
    resumed,
    suspended,
)
from celeriac_operator.core.cron.plan import CronPlan
from celeriac_operator.core.cron.slots import (
    forbidden,
    missed,
    record_run,
    refused,
    replaced,
    start_run,
    up_to_date,
    waits_for_another,
)
from celeriac_operator.core.cron.view import CronView

Rule = Callable[[CronView], CronPlan | None]

RULES: tuple[Rule, ...] = (
    being_deleted,  # the API server removes it and its runs: nothing to do
    calendar_refused,  # no such schedule or time zone: wait for another spec
    calendar_changed,  # its slots count from now on
    record_run,  # a slot's Task exists: write that down before anything else
    suspended,  # nothing starts
    resumed,  # slots of the suspension were not wanted, unless catchUp says so
    missed,  # slots that catchUp does not make up for: count them, and be done with them
    refused,  # the API server would not have a run: later
    forbidden,  # concurrencyPolicy Forbid: the slot is missed
    replaced,  # concurrencyPolicy Replace: cancel what runs
    waits_for_another,  # concurrencyPolicy Queue; and Replace, until what was cancelled has ended
    start_run,  # create the Task of the oldest slot that is to be run
    up_to_date,  # nothing is due
)


def decide_cron(world: CronWorld, now: datetime) -> CronPlan:
    """The plan for one CronTask.

    Args:
        world: one frozen snapshot.
        now: an aware datetime.
    """
    view = CronView(world, now)
    return next((plan for plan in (rule(view) for rule in RULES) if plan is not None), CronPlan())
