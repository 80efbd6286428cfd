"""Why an attempt is stopped, as the operator recorded it before it stopped it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celeriac.app.interruptions import CancelRequested
from celeriac.run.bus_down import BusDown
from celeriac.run.environment import Environment
from celeriac.wire.names import attempt_key

if TYPE_CHECKING:
    from celeriac.run.bus import Bus

UNKNOWN = "SIGTERM: it was cancelled, a deadline has passed, or its node is wanted"


def stopped_by(environment: Environment, bus: Bus | None, timeout: float) -> CancelRequested:
    """The exception for the function, with the operator's reason where there is one. timeout: seconds."""
    if bus is None or environment.uid is None:
        return CancelRequested(UNKNOWN)
    try:
        data = bus.read(attempt_key(environment.namespace, environment.uid, environment.attempt), timeout)
    except BusDown:
        data = None
    failure, message = (parse_record(data or b"").get(field) for field in ("failure", "message"))
    return CancelRequested(str(message or failure or UNKNOWN), str(failure) if failure else None)


def parse_record(data: bytes) -> Mapping[str, Any]:
    """An AttemptRecord's fields as they are on the wire; none where the bytes are no record.

    Not by the model, whose import takes longer than all the rest of a short attempt.
    """
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
