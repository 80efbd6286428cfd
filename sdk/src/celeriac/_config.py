"""Where the cluster is and who asks: kubeconfig, or the service account of the pod that this runs in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
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
    filled = _filled(paths, named_by)
    configuration = client.Configuration()
    try:
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=filled, context=context, client_configuration=configuration, persist_config=False
        )
    except Exception as error:  # the loader raises whatever it stumbles over: types, missing keys
        raise _unusable(paths, str(error)) from error
    return Connection(configuration, loader.current_context["context"].get("namespace") or "default")


def _filled(paths: str, named_by: str) -> str:
    """Those of the files that there are and that say something."""
    existing = [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().exists()]
    if not existing:
        raise errors.ConnectionFailed(f"The kubeconfig file {paths} does not exist: correct {named_by} or create it.")
    filled = [path for path in existing if _has_content(Path(path).expanduser())]
    if not filled:
        raise _unusable(paths, f"it is empty: correct {named_by}, or have the cluster's administrator fill it")
    return os.pathsep.join(filled)


def _has_content(path: Path) -> bool:
    """False if the file is empty, as one of several may be. Raises ConnectionFailed: it is no kubeconfig."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unusable(path, f"it cannot be read as YAML: {error}") from error
    if content is not None and (problem := _problem(content)):
        raise _unusable(path, problem)
    return content is not None


def _problem(content: object) -> str | None:
    """What the loader would stumble over."""
    if not isinstance(content, dict):
        return "it is YAML, but no kubeconfig: it has no clusters, users and contexts"
    for key in ("clusters", "users", "contexts"):
        entries = content.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
            return f"{key} is not a list of entries that have a name each"
    return None


def _unusable(path: object, why: str) -> errors.ConnectionFailed:
    return errors.ConnectionFailed(f"The kubeconfig {path} is not usable: {why}. 'kubectl config view' shows it.")


def _from_pod() -> Connection:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except (config.ConfigException, OSError) as error:
        raise errors.ConnectionFailed(f"The pod's service account cannot be used: {error}.") from error
    return Connection(configuration, namespace or "default")
