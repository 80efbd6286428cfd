"""Whether a container runs the SDK's runner, which records how its attempt ended. Pure.

It does where command or args say ``-m celeriac.run``, as ``celeriac manifest`` writes them. An image whose own
entry point is the runner has to say so in its TaskDefinition's command; else it counts as any other container.
"""

from __future__ import annotations

import itertools

from celeriac.api.v1alpha1 import Container, DefinitionContainer

RUNNER_MODULE = "celeriac.run"


def runs_runner(container: Container | DefinitionContainer | None) -> bool:
    """Whether attempts of this container have records."""
    words = (*(container.command or ()), *(container.args or ())) if container is not None else ()
    return ("-m", RUNNER_MODULE) in itertools.pairwise(words)
