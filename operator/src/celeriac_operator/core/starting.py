"""Nothing is in the way: the next attempt starts. Pure."""

from __future__ import annotations

from celeriac.api.v1alpha1 import Failure, Phase
from celeriac_operator.core.ending import finish
from celeriac_operator.core.plan import CreateJob, Plan
from celeriac_operator.core.status import Saying
from celeriac_operator.core.view import View


def start_attempt(view: View) -> Plan | None:
    """Create the attempt's Job."""
    accepted, revision = view.accepted, view.revision
    if accepted is None:
        return None
    if accepted.definition is not None and revision is None:
        gone = f"ControllerRevision {accepted.definition.revision} was deleted by something else: submit the task again"
        return finish(view, Saying(Phase.FAILED, Failure.INVALID_POD, gone))
    kueue = view.world.queue.kueue_queue_name
    return Plan(create=(CreateJob(view.next_number, accepted, revision, kueue),))
