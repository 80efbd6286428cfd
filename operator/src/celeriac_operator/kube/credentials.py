"""Where the API server is and who asks: the pod's service account, or the kubeconfig where there is none."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio import client, config
from kubernetes.aio.config import incluster_config


def in_pod() -> bool:
    """Whether this process goes by its pod's service account."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ


async def found() -> client.Configuration:
    """What there is."""
    if in_pod():
        return of_pod()
    configuration = client.Configuration()
    await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return configuration


def of_pod() -> client.Configuration:
    """The way from a pod."""
    configuration = client.Configuration()
    config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.refresh_api_key_hook = _read_token  # type: ignore[assignment]  # by itself it is None
    return configuration


def authority() -> bytes:
    """Whom a pod trusts to say which API server is its own, as the kubelet has it now; nothing outside of a pod."""
    return Path(incluster_config.SERVICE_CERT_FILENAME).read_bytes() if in_pod() else b""


def _read_token(configuration: client.Configuration) -> None:
    """At each request, as its file has it then: the client looks once a minute, and a Lease is lost in less."""
    token = Path(incluster_config.SERVICE_TOKEN_FILENAME).read_text()
    configuration.api_key["BearerToken"] = f"Bearer {token.strip()}"
