"""Asking the daemons and the API server how they are; the only place that speaks HTTP to the cluster."""

import socket
import ssl
import urllib.request
from pathlib import Path

from e2e.cluster.local.components import Component
from e2e.cluster.settings import Settings

_TIMEOUT_SECONDS = 2.0


def is_healthy(settings: Settings, component: Component) -> bool:
    """Tell whether a daemon says that it is well."""
    try:
        if isinstance(component.health, Path):
            return _takes_connections(component.health)
        _get(settings, component.health)
    except (OSError, ValueError):
        return False
    return True


def get(settings: Settings, path: str) -> str:
    """Read one object or list from the API server, as JSON; OSError where that fails."""
    return _get(settings, settings.network.api_url + path).decode()


def _takes_connections(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT_SECONDS)
        client.connect(str(path))
    return True


def _get(settings: Settings, url: str) -> bytes:
    # No proxy: the addresses are the cluster's own, whatever the environment says about the world outside.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_tls(settings)))
    with urllib.request.build_opener(*handlers).open(url, timeout=_TIMEOUT_SECONDS) as response:
        return bytes(response.read())


def _tls(settings: Settings) -> ssl.SSLContext:
    pki = settings.layout.pki
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    return context
