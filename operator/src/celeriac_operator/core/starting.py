"""Nothing is in the way: the next attempt starts. Pure."""

from __future__ import annotations

from celeriac.api.v1alpha1 import Failure, Phase
from celeriac_operator.core.ending import finish
from celeriac_operator.core.plan import Create, CreateJob, CreateRevision, Plan
from celeriac_operator.core.status import Saying
from celeriac_operator.core.view import View


def start_attempt(view: View) -> Plan | None:
    """Keep the definition's content, once for each generation, and create the attempt's Job."""
    accepted, revision = view.accepted, view.revision
    if accepted is None:
        return None
    if accepted.definition is not None and revision is None:
        gone = f"ControllerRevision {accepted.definition.revision} was deleted by something else: submit the task again"
        return finish(view, Saying(Phase.FAILED, Failure.INVALID_POD, gone))
    create: tuple[Create, ...] = (CreateJob(view.next_number, accepted, revision),)
    if revision is not None and not revision.stored:
        create = (CreateRevision(revision), *create)
    return Plan(create=create)
