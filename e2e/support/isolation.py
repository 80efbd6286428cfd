"""Functions of the standard library as tasks, with an operator and a NATS of their own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import pytest
from e2e.cluster.images import catalogue
from e2e.support.kube import DEFINITIONS, Kube, Obj
from e2e.support.manifests import backoff, definition, queue
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.nats import ReleasedNats
from e2e.support.predicates import Predicate, status
from e2e.support.release import Release
from e2e.support.volumes import NATS_CLAIM, NATS_ON_A_VOLUME, volume_for

from celeriac import Client

DEADLINES = {"graceSeconds": 1}


class Tenant(NamedTuple):
    """A namespace, and who serves it alone."""

    space: Namespace
    nats: ReleasedNats
    release: Release
    values: tuple[str, ...]
    """Of the release."""


@contextmanager
def served(kube: Kube, what: str, *, durable: bool = False) -> Iterator[Tenant]:
    """A namespace with an operator and a NATS of its own.

    Args:
        durable: what NATS has outlives its pod.
    """
    own = f"e2e-{what}-{secrets.token_hex(3)}"
    with (
        fresh_namespace(kube, labels=RESTRICTED) as namespace,
        volume_for(kube, own, NATS_CLAIM, "1Gi") if durable else nullcontext(),
    ):
        release = Release(kube, f"{what}-{secrets.token_hex(3)}", own)
        watched = f"watch.namespaces={{{namespace.name}}}"
        volume = NATS_ON_A_VOLUME if durable else ()
        values = ("fullnameOverride=celeriac", "admissionPolicies.enabled=false", watched, *volume)
        try:
            release.install(*values)
            namespace.apply(queue("default"))
            yield Tenant(namespace, ReleasedNats(kube, own), release, values)
        finally:
            release.uninstall()


@contextmanager
def connected(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client with the credentials of its namespace only."""
    user = f"client-{tenant.space.name}"
    monkeypatch.setenv("CELERIAC_KUBECONFIG", str(tenant.space.kube.kubeconfig))
    monkeypatch.setenv("CELERIAC_NATS_USER", user)
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", tenant.nats.password(user))
    monkeypatch.setenv("CELERIAC_NATS_INBOX_PREFIX", f"_INBOX_{user}")
    with tenant.nats.reached() as url, Client(tenant.space.name, nats_url=url) as client:
        yield client


def function(name: str, location: str, image: str = catalogue.SDK_IMAGE, **spec: object) -> Obj:
    """A TaskDefinition of a function that any image with the SDK has."""
    fields = {
        "image": image,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": location}],
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
    }
    defaults = {"deadlines": DEADLINES, "retry": {"maxAttempts": 1, "backoff": backoff(0)}}
    return definition(name, container_fields=fields, **{"defaults": defaults, **spec})


def ready(space: Namespace, name: str, count: int = 1) -> None:
    """Wait until so many of a definition's pods take a task."""
    enough = Predicate(f"{count} pods wait", lambda obj: (status(obj).get("warm") or {}).get("ready", 0) >= count)
    space.kube.wait(DEFINITIONS, space.name, name, enough)
