"""No worker has a free slot: the Task waits for one, rather than start a pod of its own. Pure."""

from __future__ import annotations

from dataclasses import replace

from celeriac.api.v1alpha1 import Phase
from celeriac_operator.core import names
from celeriac_operator.core.plan import Plan
from celeriac_operator.core.slot import asks
from celeriac_operator.core.status import Saying
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import SAY_AFTER_SECONDS, waits

ASK_AGAIN_SECONDS = 60
"""Whoever is called is looked at at once; this is for when that was lost."""
CROWD_A_SECOND = 20
"""So many in a crowd need about a second on a small machine: what is usual is not said, or each task of a backlog that
goes on well would be written once more for it."""
LONGEST_SILENCE_SECONDS = 60


def wait_for_worker(view: View) -> Plan | None:
    """Wait, in the order of priority and age."""
    crowd = view.world.crowd
    if crowd is None or view.accepted is None or view.world.queue.kueue_queue_name is not None:
        return None
    name = view.task.spec.definition_name
    saying = Saying(Phase.QUEUED, names.NO_FREE_WORKER, f"Waiting: no worker of TaskDefinition {name} has a free slot")
    silent = min(SAY_AFTER_SECONDS + crowd // CROWD_A_SECOND, LONGEST_SILENCE_SECONDS)
    plan = waits(view, saying, until=view.soon(ASK_AGAIN_SECONDS), after_seconds=silent)
    return replace(plan, worker=asks(view))
