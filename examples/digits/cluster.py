"""Everything that must be there before the sweep: the image, Celeriac itself, the namespace and the TaskDefinition."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from e2e.cluster import commands, kubectl, providers
from e2e.cluster.images import build, catalogue
from e2e.cluster.progress import step
from e2e.cluster.settings import Provider, from_environ
from e2e.support.connection import apply_crds
from e2e.support.kube import DEPLOYMENTS, SERVICE_ACCOUNTS, Kube
from e2e.support.namespaces import RESTRICTED
from e2e.support.predicates import exists
from e2e.support.release import Release
from examples.digits.trainings import DEFINITION, LABELS, Training, manifest

from celeriac import Client, TaskRequest

NAMESPACE = "digits"
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
RELEASE, RELEASE_NAMESPACE = "celeriac", "celeriac-system"
WITH_NATS = "census"
"""Namespace of the demo's second part, which has NATS users. They are made here already: to change them later would
restart NATS, and with it go the messages of a cluster that has no storage."""


def load_images(*names: str) -> None:
    """Build and load these images where they changed; a cluster of your own must have them."""
    settings = from_environ()
    if settings.provider is not Provider.CURRENT:
        known = catalogue.known()
        loader = providers.choose(settings).loader()
        build.ensure(settings.layout, loader, [known[name] for name in names])


def install(kube: Kube) -> None:
    """Install Celeriac with helm, or bring it up to date; in a cluster of your own it is left as it is."""
    installed = kube.get(DEPLOYMENTS, RELEASE_NAMESPACE, RELEASE) is not None
    if installed and from_environ().provider is Provider.CURRENT:
        return
    with step("Celeriac, with helm", 10):
        apply_crds(kube)
        make_namespace(kube, WITH_NATS)
        Release(kube, RELEASE, RELEASE_NAMESPACE).install(f"nats.auth.namespaces={{{WITH_NATS}}}")


def make_namespace(kube: Kube, name: str) -> None:
    """A namespace where only pods without any privileges are let in."""
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    kube.wait(SERVICE_ACCOUNTS, name, "default", exists())  # pods are refused before


def prepare_namespace(kube: Kube) -> None:
    """The namespace, without tasks of an earlier run."""
    with step(f"Namespace {NAMESPACE} and its TaskDefinition", 2):
        make_namespace(kube, NAMESPACE)
        _kubectl(kube, "delete", "tasks", f"--selector={SELECTOR}", "--ignore-not-found", "--wait")
        _kubectl(kube, "apply", f"--filename={Path(__file__).parent / 'definition.yaml'}")


def apply_with_kubectl(kube: Kube, trainings: Iterable[Training]) -> None:
    """Submit as a script or a GitOps tool does: manifests, applied."""
    manifests: list[dict[str, Any]] = [manifest(training) for training in trainings]
    _kubectl(kube, "apply", "--filename=-", stdin=yaml.safe_dump_all(manifests, sort_keys=False))


def submit_with_sdk(kube: Kube, trainings: Iterable[Training]) -> None:
    """Submit as a Python program does."""
    with Client(NAMESPACE, kubeconfig=str(kube.kubeconfig)) as client:
        for training in trainings:
            client.submit(TaskRequest(definition=DEFINITION, params=training.params, name=training.name, labels=LABELS))


def _kubectl(kube: Kube, *words: str, stdin: str | None = None) -> None:
    where = (f"--kubeconfig={kube.kubeconfig}", f"--namespace={NAMESPACE}")
    commands.run(kubectl.find(), *where, *words, stdin=stdin)
