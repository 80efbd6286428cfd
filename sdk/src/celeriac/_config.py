"""Where the cluster is and who asks: kubeconfig, or the service account of the pod that this runs in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio import client, config

from celeriac import errors

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Connection:
    """Settings of the Kubernetes client, and the namespace that goes with them."""

    configuration: Any
    namespace: str


VARIABLES = ("CELERIAC_KUBECONFIG", "KUBECONFIG")
"""The environment's, the first there is."""


async def load_connection(kubeconfig: str | None, context: str | None) -> Connection:
    """Settings from the file, CELERIAC_KUBECONFIG, KUBECONFIG, the default file, or the pod: the first there is."""
    named = {"kubeconfig=": kubeconfig, **{name: os.environ.get(name) for name in VARIABLES}}
    for name, paths in named.items():
        if paths:
            return await _from_files(paths, context, name)
    default = Path.home() / ".kube" / "config"
    if default.exists():
        return await _from_files(str(default), context, "it")
    if (SERVICE_ACCOUNT / "token").exists():
        return _from_pod()
    raise errors.ConnectionFailed(
        "No cluster is configured: set KUBECONFIG (or CELERIAC_KUBECONFIG) to a kubeconfig file, "
        f"put one at {default}, or run in a pod that has a service account token."
    )


async def _from_files(paths: str, context: str | None, named_by: str) -> Connection:
    if not _any_exists(paths):
        raise errors.ConnectionFailed(f"The kubeconfig file {paths} does not exist: correct {named_by} or create it.")
    configuration = client.Configuration()
    try:
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=paths, context=context, client_configuration=configuration, persist_config=False
        )
    except Exception as error:  # the loader raises whatever it stumbles over: YAML, types, missing keys
        raise errors.ConnectionFailed(
            f"The kubeconfig {paths} is not usable: {error}. Try 'kubectl version'."
        ) from error
    return Connection(configuration, loader.current_context["context"].get("namespace") or "default")


def _any_exists(paths: str) -> bool:
    return any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path)


def _from_pod() -> Connection:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except (config.ConfigException, OSError) as error:
        raise errors.ConnectionFailed(f"The pod's service account cannot be used: {error}.") from error
    return Connection(configuration, namespace or "default")
