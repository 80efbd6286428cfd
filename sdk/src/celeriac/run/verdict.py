"""Why an attempt is stopped, as the operator said it before it stopped it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celeriac.app.interruptions import CancelRequested
from celeriac.run.bus_down import BusDown
from celeriac.run.environment import Environment
from celeriac.wire.names import attempt_key, stop_key

if TYPE_CHECKING:
    from celeriac.run.port import Port

UNKNOWN = "SIGTERM: it was cancelled, a deadline has passed, or its node is wanted"


def stopped_by(environment: Environment, bus: Port | None, timeout: float) -> CancelRequested:
    """The exception for the function, with the operator's reason where there is one. timeout: seconds."""
    return exception_of(_said(environment, bus, timeout) if bus is not None else {})


def exception_of(said: Mapping[str, Any]) -> CancelRequested:
    """The exception of what was said of the stop; empty: nothing was."""
    failure, message = said.get("failure"), said.get("message")
    return CancelRequested(str(message or failure or UNKNOWN), str(failure) if failure else None)


def _said(environment: Environment, bus: Port, timeout: float) -> Mapping[str, Any]:
    """The notice; where there is none, the record of an attempt that was given up, as on a node that was cut off."""
    if environment.uid is None:
        return {}
    attempt = environment.namespace, environment.uid, environment.attempt
    try:
        return parse_record(bus.read(stop_key(*attempt), timeout) or bus.read(attempt_key(*attempt), timeout) or b"")
    except BusDown:
        return {}


def parse_record(data: bytes) -> Mapping[str, Any]:
    """An AttemptRecord's fields as they are on the wire; none where the bytes are no record.

    Not by the model, whose import takes longer than all the rest of a short attempt.
    """
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
