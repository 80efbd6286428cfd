"""What is recorded of an outcome, in which order, and what the process exits with; NATS is played here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from celeriac.run.bus import Bus
from celeriac.run.bus_down import BusDown
from celeriac.run.environment import Environment, read_environment
from celeriac.run.outcome import Failed, Outcome, Stopped, Succeeded
from celeriac.run.progress import Progress
from celeriac.run.reporting import Report, record_of, report
from celeriac.run.verdict import UNKNOWN, stopped_by
from celeriac.wire.events import TaskEvent
from celeriac.wire.records import AttemptRecord

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LARGE = Succeeded("x" * 5000)


class Played:
    """NATS, as a test wants it: what it is asked for is written down."""

    def __init__(self, existing: bytes | None = None, down: frozenset[str] = frozenset()) -> None:
        self.existing = existing
        self.down = down
        self.calls: list[str] = []
        self.created = b""

    def create(self, key: str, data: bytes, timeout: float) -> bytes | None:
        self._call("create")
        self.created = data
        return self.existing

    def read(self, key: str, timeout: float) -> bytes | None:
        self._call("read")
        return self.existing

    def put_payload(self, name: str, data: bytes, timeout: float) -> None:
        self._call("put")

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if what in self.down:
            raise BusDown("NATS cannot be used: it did not answer")


def environment(tmp_path: Path, **given: str) -> Environment:
    base = {"CELERIAC_TASK_UID": "u", "CELERIAC_POD_UID": "p", "CELERIAC_RESULT_FILE": str(tmp_path / "result")}
    return read_environment(base | given)


VERDICT = b'{"author": "Operator", "failure": "Cancelled", "message": "not needed"}'


@pytest.mark.parametrize(
    ("outcome", "nats", "code", "calls", "text"),
    [
        pytest.param(Succeeded(1), None, 0, [], "1", id="without NATS the termination message says all"),
        pytest.param(LARGE, None, 103, [], "ResultInvalid: ", id="which is too small for some results"),
        pytest.param(Succeeded(2**64), None, 103, [], "ResultInvalid: ", id="and for numbers that would be rounded"),
        pytest.param(Failed("AppError", 100, "no"), None, 100, [], "no", id="a failure"),
        pytest.param(Succeeded(1), Played(), 0, ["create"], "1", id="with NATS the record decides"),
        pytest.param(LARGE, Played(), 0, ["read", "put", "create"], "", id="a payload goes before the record of it"),
        pytest.param(LARGE, Played(VERDICT), 102, ["read", "create"], None, id="no payload where it is decided"),
        pytest.param(Succeeded(1), Played(VERDICT), 102, ["create"], None, id="the operator decided before"),
        pytest.param(Succeeded(1), Played(b""), 102, ["create"], None, id="the record was collected"),
        pytest.param(Succeeded(1), Played(down=frozenset({"create"})), 0, ["create"], "1", id="NATS is down"),
        pytest.param(
            LARGE,
            Played(down=frozenset({"read", "create"})),
            1,
            ["read", "create"],
            "The function returned, but",
            id="NATS is down, and the result has no other way",
        ),
        pytest.param(Stopped("why"), Played(), 143, [], "why", id="SIGTERM: the operator knows better"),
    ],
)
def test_report(
    tmp_path: Path, outcome: Outcome, nats: Played | None, code: int, calls: list[str], text: str | None
) -> None:
    of = environment(tmp_path)
    assert code == report(outcome, of, cast("Bus | None", nats))
    assert calls == (nats.calls if nats else [])
    written = (tmp_path / "result").read_text() if (tmp_path / "result").exists() else None
    assert written is None if text is None else (written or "").startswith(text)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(Report(Succeeded(None), {"value": None}), id="null"),
        pytest.param(Report(Failed("ResultInvalid", 103, "no")), id="a failure"),
        pytest.param(
            Report(Succeeded(1), {"ref": {"bucket": "b", "key": "k", "size": 1, "digest": "sha256:0"}}),
            id="a reference",
        ),
    ],
)
def test_the_record_is_the_models(tmp_path: Path, made: Report) -> None:
    raw = record_of(made, environment(tmp_path), NOW)
    record = AttemptRecord.model_validate(raw)
    times = {"startTime", "finishTime"}
    wire = {"message": "", **record.to_wire()}
    assert {name: raw[name] for name in raw if name not in times} == {n: wire[n] for n in wire if n not in times}
    assert NOW == record.finish_time


def test_the_process_says_what_it_took(tmp_path: Path) -> None:
    nats = Played()
    report(Succeeded(1), environment(tmp_path), cast("Bus", nats))
    usage = AttemptRecord.model_validate_json(nats.created).usage

    assert usage is not None
    assert usage.memory_bytes > 0


@pytest.mark.parametrize(
    ("nats", "reason", "failure"),
    [
        pytest.param(None, UNKNOWN, None, id="without NATS nobody says why"),
        pytest.param(Played(), UNKNOWN, None, id="nothing was recorded"),
        pytest.param(Played(down=frozenset({"read"})), UNKNOWN, None, id="NATS is down"),
        pytest.param(Played(b"no JSON"), UNKNOWN, None, id="what was recorded is no record"),
        pytest.param(Played(VERDICT), "not needed", "Cancelled", id="the operator's verdict"),
    ],
)
def test_why_it_is_stopped(tmp_path: Path, nats: Played | None, reason: str, failure: str | None) -> None:
    stopped = stopped_by(environment(tmp_path), cast("Bus | None", nats), 1)
    assert (reason, failure) == (stopped.reason, stopped.failure)


def test_progress_is_at_most_twice_a_second(tmp_path: Path) -> None:
    published: list[tuple[str, bytes]] = []
    times = iter([0.0, 0.1, 0.49, 0.5, 0.6, 0.7])
    progress = Progress(environment(tmp_path), lambda *each: published.append(each), lambda: next(times))
    for fraction in (0.0, 0.1, 0.2, 0.3, 0.4, 1.0):
        progress(fraction, "\ud800" + "x" * 9000)
    events = [TaskEvent.model_validate_json(data) for _, data in published]
    assert [0.0, 0.3, 1.0] == [event.progress for event in events]
    assert {"celeriac.events.local.local.Progress"} == {subject for subject, _ in published}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ("local", 1, "{}", None), id="by hand"),
        pytest.param(
            {
                "CELERIAC_TASK": "t",
                "CELERIAC_ATTEMPT": "2",
                "CELERIAC_DEADLINE": "2026-11-25T00:00:00Z",
                "CELERIAC_PARAMS_REF": "",
            },
            ("t", 2, "{}", NOW),
            id="as the operator sets them",
        ),
    ],
)
def test_environment(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = read_environment(given)
    assert expected == (found.task, found.attempt, found.params, found.deadline)
