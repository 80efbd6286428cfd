"""How the SDK's runner in a pod reaches NATS, to record how its attempt ended. Pure.

Its credentials are a Secret in the Task's namespace. They are a TaskDefinition's to use, as all secrets are: a Task
with a container of its own runs whatever it likes. What is secret of them is a file, which the kubelet replaces under
pods that run.
"""

from __future__ import annotations

from dataclasses import dataclass

from celeriac.api.v1alpha1 import Container, DefinitionContainer
from celeriac.wire.runner import runs_runner
from celeriac_operator.manifests.security import Manifest

CREDS_VOLUME = "celeriac-nats"
CREDS_FOLDER = "/var/run/celeriac/nats"
_PASSWORD = "CELERIAC_NATS_PASSWORD"  # noqa: S105  its name


@dataclass(frozen=True, slots=True)
class RunnerAccess:
    """What the operator was told of NATS as pods see it."""

    url: str = ""
    """Servers, separated by commas; empty: what the Secret says, or none."""
    secret: str = ""
    """Name of a Secret in each Task's namespace, which may be missing there; empty: none."""
    creds: bool = False
    """The Secret has a ``.creds`` file, under the key creds; else its keys are the variables ``CELERIAC_NATS_…``."""


NO_ACCESS = RunnerAccess()


@dataclass(frozen=True, slots=True)
class Access:
    """What a pod gets for it."""

    env: tuple[Manifest, ...] = ()
    env_from: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()


def runner_access(container: Container | DefinitionContainer, access: RunnerAccess, *, of_definition: bool) -> Access:
    """What a pod with that container gets: nothing, where it does not run the runner.

    Args:
        of_definition: it is a TaskDefinition's, rather than a Task's own.
    """
    if not runs_runner(container):
        return Access()
    env = ({"name": "CELERIAC_NATS_URL", "value": access.url},) if access.url else ()
    if not access.secret or not of_definition:
        return Access(env)
    file, variable = ("creds", "CREDS") if access.creds else (_PASSWORD, "PASSWORD_FILE")
    secret = {"secretName": access.secret, "optional": True, "items": [{"key": file, "path": file}]}
    return Access(
        env=(*env, {"name": f"CELERIAC_NATS_{variable}", "value": f"{CREDS_FOLDER}/{file}"}),
        env_from=() if access.creds else ({"secretRef": {"name": access.secret, "optional": True}},),
        volumes=({"name": CREDS_VOLUME, "secret": secret},),
        mounts=({"name": CREDS_VOLUME, "mountPath": CREDS_FOLDER, "readOnly": True},),
    )
