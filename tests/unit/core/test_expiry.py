"""When a record has had its time."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.clock import T0, at

from celeriac.wire.names import attempt_key, claim_key, record_key, stop_key
from celeriac_operator.core.expiry import expired, task_of

WEEK = timedelta(days=7)
OLD = T0 - timedelta(days=8)


def record(seconds: float) -> bytes:
    wire = {"kind": "Finished", "outcome": "Succeeded", "finishTime": T0.isoformat()}
    return json.dumps({**wire, "expireTime": at(seconds).isoformat()}).encode()


@pytest.mark.parametrize(
    ("key", "value", "stored", "expected"),
    [
        pytest.param("media.a", record(-1), T0, True, id="a task's record goes when it says so, however young"),
        pytest.param("media.a", record(1), OLD, False, id="and not before, however old"),
        pytest.param("media.uid.1", b"{}", OLD, True, id="an attempt's goes when it is old"),
        pytest.param("media.uid.1", record(-1), T0, False, id="whatever it says"),
        pytest.param("media.a", b"nonsense", OLD, True, id="what is no record goes when it is old"),
        pytest.param("media.a", b"nonsense", T0, False, id="and not before"),
        pytest.param("media.a", None, OLD, True, id="the note of a deletion goes when it is old"),
        pytest.param("media.a", None, T0, False, id="and is left alone before"),
    ],
)
def test_what_has_expired(key: str, value: bytes | None, stored: object, expected: bool) -> None:
    assert expected is expired(key, value, stored, T0, WEEK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "uid"),
    [
        pytest.param(record_key("media", "claim"), None, id="a task's record outlives its Task"),
        pytest.param(attempt_key("media", "uid", 1), "uid", id="an attempt's is its Task's"),
        pytest.param(stop_key("media", "uid", 1), "uid", id="so is why it is stopped"),
        pytest.param(claim_key("media", "uid", 1), "uid", id="so is its claim"),
        pytest.param("media", None, id="what is no key is nobody's"),
    ],
)
def test_whose_record_it_is(key: str, uid: str | None) -> None:
    assert task_of(key) == uid
