"""Telling an attempt's end: the record in NATS that decides it, then the termination message, then the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celeriac.app.exit_code import ExitCode
from celeriac.run import container_log
from celeriac.run.bus_down import BusDown
from celeriac.run.environment import MAX_RESULT_BYTES, Environment
from celeriac.run.outcome import Failed, Outcome, Stopped, Succeeded, cut, invalid_result
from celeriac.run.usage import since
from celeriac.run.verdict import parse_record
from celeriac.wire.canonical import canonical_json, digest
from celeriac.wire.names import PAYLOADS_BUCKET, attempt_key, result_object
from celeriac.wire.storable import unstorable

if TYPE_CHECKING:
    from celeriac.run.port import Port

RECORD_SECONDS = 5.0
"""How long a record may take; without NATS the operator learns the outcome from the pod all the same."""
PAYLOAD_SECONDS = 60.0
"""How long a large result may take, which has no other way."""


def say(text: str) -> None:
    """A line of the runner's own; it never has params or results in it."""
    container_log.write((f"celeriac: {text}\n",))


@dataclass(frozen=True)
class Report:
    """What is to be recorded of an outcome."""

    outcome: Succeeded | Failed
    result: dict[str, Any] | None = None
    """``{"value": …}`` or ``{"ref": …}``."""
    text: str = ""
    """The termination message."""


def report(outcome: Outcome, environment: Environment, bus: Port | None) -> int:
    """Record the outcome. Returns what the process is to exit with."""
    if isinstance(outcome, Stopped):
        _write(environment, outcome.message)
        return ExitCode.STOPPED
    made = _with_result(outcome, environment, bus)
    if bus is not None and not _recorded(made, environment, bus):
        return ExitCode.GIVEN_UP
    _write(environment, made.text)
    return ExitCode.SUCCEEDED if isinstance(made.outcome, Succeeded) else made.outcome.exit_code


def _with_result(outcome: Succeeded | Failed, environment: Environment, bus: Port | None) -> Report:
    """The outcome with its result where that is to be kept: in the record, or by reference."""
    if isinstance(outcome, Failed):
        return Report(outcome, text=outcome.message)
    problem = unstorable(outcome.value)
    if problem is not None:
        return _with_result(invalid_result(f"result: {problem}"), environment, bus)
    data = canonical_json(outcome.value)
    if len(data) <= MAX_RESULT_BYTES:
        return Report(outcome, {"value": outcome.value}, data.decode())
    if bus is None or environment.uid is None:
        why = f"result: {len(data):,} bytes, and without NATS at most {MAX_RESULT_BYTES:,} are kept: return a reference"
        return _with_result(invalid_result(why), environment, bus)
    return _by_reference(outcome, data, environment, bus)


def _by_reference(outcome: Succeeded, data: bytes, environment: Environment, bus: Port) -> Report:
    assert environment.uid is not None  # noqa: S101 -- the caller has looked
    key = result_object(environment.namespace, environment.uid, environment.attempt)
    try:
        if bus.read(_key(environment), PAYLOAD_SECONDS) is None:  # a zombie must not write over what was recorded
            bus.put_payload(key, data, PAYLOAD_SECONDS)
    except BusDown as error:
        lost = f"The function returned, but its result of {len(data):,} bytes could not be stored: {error}"
        return _with_result(Failed("AppError", ExitCode.RAISED, lost), environment, bus)
    reference = {"bucket": PAYLOADS_BUCKET, "key": key, "size": len(data), "digest": digest(outcome.value)}
    return Report(outcome, {"ref": reference})


def _recorded(made: Report, environment: Environment, bus: Port) -> bool:
    """Whether the outcome stands: it is recorded, or could not be, and then the pod tells it. False: another's does."""
    if environment.uid is None:
        return True
    record = record_of(made, environment, datetime.now(UTC)) | {"usage": since(environment.mark)}
    try:
        existing = bus.create(_key(environment), canonical_json(record), RECORD_SECONDS)
    except BusDown as error:
        say(f"{error}; the outcome is told by the termination message alone")
        return True
    if existing is None or _is_ours(existing, environment):
        return True
    say(
        f"attempt {environment.attempt} of {environment.task} is decided already, {_by_whom(existing)}: outcome dropped"
    )
    return False


def record_of(made: Report, environment: Environment, now: datetime) -> dict[str, Any]:
    """The AttemptRecord as it is on the wire; not by the model, whose import takes longer than a short attempt."""
    failed = made.outcome if isinstance(made.outcome, Failed) else None
    record = {
        "author": "Runner",
        "taskUid": environment.uid,
        "attempt": environment.attempt,
        "podUID": environment.pod_uid,
        "failure": failed.failure if failed else None,
        "exitCode": int(failed.exit_code) if failed else 0,
        "message": failed.message if failed else "",
        "result": made.result,
        "startTime": environment.started.isoformat(),
        "finishTime": now.isoformat(),
    }
    return {name: value for name, value in record.items() if value is not None}


def _is_ours(existing: bytes, environment: Environment) -> bool:
    """Whether it is this pod's record: the answer to an earlier try was lost."""
    record = parse_record(existing)
    return record.get("author") == "Runner" and record.get("podUID") == environment.pod_uid is not None


def _by_whom(existing: bytes) -> str:
    record = parse_record(existing)
    if not record:
        return "and its record was collected"
    if record.get("author") == "Runner":
        return f"by pod {record.get('podUID')}"
    return f"by the operator ({record.get('failure') or 'Succeeded'})"


def _key(environment: Environment) -> str:
    assert environment.uid is not None  # noqa: S101 -- the callers have looked
    return attempt_key(environment.namespace, environment.uid, environment.attempt)


def _write(environment: Environment, text: str) -> None:
    """The termination message; where it cannot be written, the exit code still tells."""
    if environment.result_file is None:
        return
    try:
        environment.result_file.write_text(cut(text, MAX_RESULT_BYTES), encoding="utf-8", errors="replace")
    except OSError as error:
        say(f"the termination message cannot be written: {error.strerror}")
