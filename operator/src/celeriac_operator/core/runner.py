"""Whether a container runs the SDK's runner, which records how its attempt ended, and what its exit codes mean. Pure.

It does where command or args say ``-m celeriac.run``, as ``celeriac manifest`` writes them. An image whose own
entry point is the runner has to say so in its TaskDefinition's command; else it counts as any other container.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from celeriac.api.v1alpha1 import Container, DefinitionContainer, Failure
from celeriac.app.exit_code import FAILURES
from celeriac_operator.core.outcome import Ended, Outcome

RUNNER_MODULE = "celeriac.run"


def runs_runner(container: Container | DefinitionContainer | None) -> bool:
    """Whether attempts of this container have records."""
    words = (*(container.command or ()), *(container.args or ())) if container is not None else ()
    return ("-m", RUNNER_MODULE) in itertools.pairwise(words)


def told_by_exit_code(found: Outcome) -> Outcome:
    """The outcome of a runner's attempt: without a record, its exit code tells more than that the process failed."""
    if not isinstance(found, Ended) or found.failure is not Failure.APP_ERROR:
        return found
    told = FAILURES.get(found.exit_code or 0)
    return replace(found, failure=Failure(told)) if told is not None else found
