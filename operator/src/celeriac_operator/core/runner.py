"""What the exit codes of the SDK's runner mean. Pure."""

from __future__ import annotations

from dataclasses import replace

from celeriac.api.v1alpha1 import Failure
from celeriac.app.exit_code import FAILURES
from celeriac_operator.core.outcome import Ended, Outcome


def told_by_exit_code(found: Outcome) -> Outcome:
    """The outcome of a runner's attempt: without a record, its exit code tells more than that the process failed."""
    if not isinstance(found, Ended) or found.failure is not Failure.APP_ERROR:
        return found
    told = FAILURES.get(found.exit_code or 0)
    return replace(found, failure=Failure(told)) if told is not None else found
