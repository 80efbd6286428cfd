"""The ways to a cluster and to NATS: their packages are extras, and are imported when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from celeriac import errors
from celeriac._door import Door
from celeriac._nats_options import NatsOptions
from celeriac._wire import Transport


def default_transport(kubeconfig: str | None, context: str | None) -> Transport:
    """The transport to a cluster, imported now: it takes a second."""
    transport: Transport = _load("celeriac._kubernetes", "kubernetes").KubernetesTransport(kubeconfig, context)
    return transport


def jetstream_door(options: NatsOptions, otherwise: Callable[[], Awaitable[str]]) -> Door:
    """The door that is NATS."""
    door: Door = _load("celeriac._jetstream_door", "nats").JetStreamDoor(options, otherwise)
    return door


def _load(module: str, extra: str) -> Any:
    """A module that needs packages which are an extra."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise errors.ConnectionFailed(
            f"A package is not installed ({error.name}): run pip install 'celeriac[{extra}]'."
        ) from error
