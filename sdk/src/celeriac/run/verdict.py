"""Why an attempt is stopped, as the operator recorded it before it stopped it."""

from __future__ import annotations

from celeriac.app.interruptions import CancelRequested
from celeriac.run.bus import Bus, BusDown
from celeriac.run.environment import Environment
from celeriac.wire.names import attempt_key
from celeriac.wire.records import AttemptRecord

UNKNOWN = "SIGTERM: it was cancelled, a deadline has passed, or its node is wanted"


def stopped_by(environment: Environment, bus: Bus | None, timeout: float) -> CancelRequested:
    """The exception for the function, with the operator's reason where there is one. timeout: seconds."""
    record = _record(environment, bus, timeout)
    if record is None or record.failure is None:
        return CancelRequested(UNKNOWN)
    return CancelRequested(record.message or str(record.failure), str(record.failure))


def _record(environment: Environment, bus: Bus | None, timeout: float) -> AttemptRecord | None:
    if bus is None or environment.uid is None:
        return None
    try:
        data = bus.read(attempt_key(environment.namespace, environment.uid, environment.attempt), timeout)
        return AttemptRecord.model_validate_json(data) if data else None
    except (BusDown, ValueError):
        return None
