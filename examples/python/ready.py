"""What must be there before the census: images, Celeriac, the namespace with its definitions and queues, and NATS."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from e2e.cluster.errors import ClusterError
from e2e.cluster.progress import step
from e2e.support.kube import QUEUES, SECRETS, Kube
from e2e.support.manifests import queue
from e2e.support.namespaces import Namespace
from e2e.support.nats import ReleasedNats
from e2e.support.predicates import takes_messages
from examples.digits import cluster
from examples.python.census import app

from celeriac import Client
from celeriac.app.definition import definitions_of
from celeriac.app.submitting import ClientSubmitter

NAMESPACE = cluster.WITH_NATS
LOCATION = "examples.python.census:app"
DOOR, BATCH = "door", "batch"
DOOR_HOLDS = 5
"""Messages that the small queue takes before it is full."""
WHY = "the demo fills it first"


def install(kube: Kube) -> None:
    """Images, Celeriac with a NATS user for the namespace, and what is in the namespace."""
    cluster.load_images("operator", "nats", "census")
    cluster.install(kube)
    cluster.make_namespace(kube, NAMESPACE)
    with step(f"Namespace {NAMESPACE}: TaskDefinitions and queues", 5):
        furnish(Namespace(kube, NAMESPACE), definitions_of(app, LOCATION), queues())


def queues() -> list[dict[str, Any]]:
    """The census's own queue, and two that are paused at first, so that they fill."""
    own = yaml.safe_load((Path(__file__).parent / "queue.yaml").read_text())
    paused: dict[str, Any] = {"stopPolicy": "Hold", "stopReason": WHY}
    door = queue(DOOR, maxConcurrency=4, backlog={"maxTasks": DOOR_HOLDS}, **paused)
    return [own, door, queue(BATCH, maxConcurrency=8, **paused)]


def furnish(namespace: Namespace, definitions: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Apply them, and wait until messages are taken: a queue's stream is the operator's to make."""
    for each in definitions:
        namespace.define(each)
    for each in wanted:
        generation = namespace.kube.apply(each, namespace.name)["metadata"]["generation"]
        name = each["metadata"]["name"]
        namespace.kube.wait(QUEUES, namespace.name, name, takes_messages(generation))


@contextmanager
def connected(kube: Kube) -> Iterator[Client]:
    """A client with the credentials of the namespace and nothing else, as a program there has it; the App's too."""
    own = _credentials(kube)
    with ReleasedNats(kube, cluster.RELEASE_NAMESPACE).reached() as url:
        os.environ.update(own, CELERIAC_NATS_URL=url)  # the Secret has the address that pods use
        with Client(NAMESPACE, kubeconfig=str(kube.kubeconfig)) as client:
            app.submitter = ClientSubmitter(lambda: client)
            yield client


def _credentials(kube: Kube) -> dict[str, str]:
    secret = kube.get(SECRETS, NAMESPACE, "celeriac-nats-client")
    if secret is None:
        raise ClusterError(
            f"Namespace {NAMESPACE} has no NATS user: there is no Secret celeriac-nats-client in it.",
            f"helm upgrade {cluster.RELEASE} charts/celeriac -n {cluster.RELEASE_NAMESPACE} --reuse-values "
            f"--set 'nats.auth.namespaces={{{NAMESPACE}}}'",
        )
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
