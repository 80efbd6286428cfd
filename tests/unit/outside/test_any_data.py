"""Every parser of data from outside: no exception but the one that it tells of, and no more work than it is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import RawStreamMsg
from nats.js.kv import KeyValue
from tests.support.builders import make_task
from tests.support.clock import T0
from tests.support.objects import Raw, raw_job, raw_pod, raw_task, terminated
from tests.support.outside import BYTES, INT64, JSON, TEXTS, TIMES, as_in_the_operator, counting_calls, damaged
from tests.support.profiles import examples

from celeriac._burial import read_record
from celeriac._history import _parsed
from celeriac.cron.errors import CalendarError
from celeriac.cron.expression import parse_expression
from celeriac.wire import names
from celeriac.wire.dead import dead_letter
from celeriac.wire.message import MSG_ID
from celeriac.wire.names import DEAD_ORIGIN, SUBMIT_TIME_HEADER, queue_of_stream
from celeriac.wire.records import AttemptRecord, TaskRecord
from celeriac_operator.bus.bucket import Entry
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.delayed import Delayed, _arrival
from celeriac_operator.bus.records import RecordBook, RecordStore, _Known, _read, _take_claim
from celeriac_operator.bus.room import Room
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.attempt_record import counts
from celeriac_operator.core.intake.arrival import arrival
from celeriac_operator.core.intake.verdict import Bury, Known, verdict
from celeriac_operator.core.result import read_result
from celeriac_operator.core.task_record import stands
from celeriac_operator.kube.api import ApiError, _error, _event, unfenced
from celeriac_operator.kube.cache import Cache
from celeriac_operator.kube.parse import _accepted

QUEUE = QueueKey("media", "slow")
SUBJECTS = st.lists(TEXTS | st.sampled_from(["celeriac", "dead", "delayed", "media", "h", "29538000"]), max_size=6).map(
    ".".join
)
HEADERS = st.dictionaries(
    st.sampled_from([MSG_ID, DEAD_ORIGIN, SUBMIT_TIME_HEADER, names.DEAD_REASON, names.DEAD_BAND]), TEXTS | TIMES
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["ADDED", "BOOKMARK", "ERROR"]) | JSON},
    optional={"object": JSON | st.fixed_dictionaries({}, optional={"metadata": JSON, "code": JSON, "reason": JSON})},
).map(lambda event: json.dumps(event).encode())
LINES = BYTES | EVENTS
UTF8 = BYTES.map(lambda data: data.decode(errors="replace"))
"""As the API server tells it: never half a character."""


def judged(data: bytes, message_id: str) -> object:
    """What becomes of a message, and what is told of it."""
    arrived = arrival(QUEUE, "n", "CELERIAC_media_slow.1.7", T0, data, message_id=message_id)
    found = verdict(arrived, Known(), T0)
    assert not isinstance(found, Bury) or len(found.message) <= 1100
    return arrived.name, arrived.digest, found


def delayed_one(data: bytes, headers: dict[str, str]) -> object:
    raw = RawStreamMsg("celeriac.delayed.media.slow.n.1", 7, data, headers=headers, time=T0)
    return verdict(_arrival(QUEUE, "n", raw), Known(), T0)


def delayed_subject(subject: str) -> None:
    Delayed(cast(Bus, None), QUEUE, cast(Room, None))._load(f"celeriac.delayed.media.slow.{subject}", 1)


def attempt_record(data: bytes) -> object:
    record = _read(AttemptRecord, Entry(1, data))
    return record is not None and counts(record, "uid", None)


def claim(data: bytes) -> None:
    """What cannot be read is nobody's claim, and known all the same."""
    known = _Known("uid")
    _take_claim(known, Entry(1, data))
    assert known.claim is not None and known.claim.revision == 1


def watched(line: bytes) -> object:
    """The watch begins anew where it raises this; over anything else the operator would end."""
    try:
        return _event(line)
    except ApiError as error:
        return error.status + 0


def task_record(data: bytes) -> object:
    record = _read(TaskRecord, Entry(1, data))
    return record is not None and stands(record, make_task(submission="sha256:1"))


def told(key: str, data: bytes) -> None:
    book = RecordBook(cast(RecordStore, None), lambda _: None, unfenced)
    book._of(make_task())
    book.told(key, Entry(1, data))


def kv_entry(data: bytes) -> object:
    return read_record(KeyValue.Entry("celeriac-results", "a.b", data, 1, None, None, None))


@dataclass(frozen=True)
class Parser:
    """What reads, what it is given, and what it may raise."""

    reads: Callable[..., Any]
    given: tuple[st.SearchStrategy[Any], ...]
    raises: type[Exception] | None = None


PARSERS = {
    "a message": Parser(judged, (BYTES, TEXTS)),
    "a delayed message and its headers": Parser(delayed_one, (BYTES, HEADERS)),
    "the subject of a delayed message": Parser(delayed_subject, (SUBJECTS,)),
    "the subject and the headers of a dead letter": Parser(dead_letter, (SUBJECTS, HEADERS), ValueError),
    "the name of a stream": Parser(queue_of_stream, (TEXTS,)),
    "a termination message": Parser(read_result, (UTF8, st.none())),
    "a termination message with a schema": Parser(read_result, (UTF8, st.just({"type": "object"}))),
    "an attempt's record": Parser(attempt_record, (BYTES,)),
    "a claim on an attempt": Parser(claim, (BYTES,)),
    "a task's record": Parser(task_record, (BYTES,)),
    "a task's record, by a client": Parser(kv_entry, (BYTES,)),
    "news of a record": Parser(told, (SUBJECTS | st.sampled_from(["media.resize-42"]), BYTES)),
    "an event": Parser(_parsed, (BYTES,)),
    "what a Job was accepted with": Parser(_accepted, (UTF8,)),
    "an error of the API server's": Parser(lambda text: _error(500, text), (BYTES,)),
    "a line of a watch": Parser(watched, (LINES,)),
    "a schedule": Parser(lambda text: parse_expression(text, "media/x"), (TEXTS | TIMES,), CalendarError),
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@examples(40)
@given(st.data())
def test_it_raises_nothing_but_what_it_tells_of(parser: Parser, data: st.DataObject) -> None:
    values = [data.draw(strategy) for strategy in parser.given]
    with as_in_the_operator():
        try:
            parser.reads(*values)
        except Exception as error:
            assert parser.raises is not None and isinstance(error, parser.raises), repr(error)


SIZE = 200_000
LARGE = {
    "deep": b'{"spec":{"params":' + b'{"a":' * 9000 + b"1" + b"}" * 9002,
    "deeper than can be read": b"[" * SIZE,
    "long": b'{"name":"' + b"x" * SIZE + b'"}',
    "wide": b'{"spec":{"params":{' + b",".join(b'"k%d":%d' % (n, n) for n in range(SIZE // 14)) + b"}}}",
    "a list": b"[" + b"1," * (SIZE // 2) + b"1]",
    "escapes": b'"' + b"\\u001b" * (SIZE // 6) + b'"',
    "a long number": b'{"spec":{"priority":' + b"9" * 4000 + b"}}",
    "no text": b"\xff" * SIZE,
}
READS_BYTES = {name: parser for name, parser in PARSERS.items() if parser.given[0] in (BYTES, LINES)}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("parser", READS_BYTES.values(), ids=READS_BYTES)
def test_it_does_no_more_than_the_data_is_worth(parser: Parser, data: bytes) -> None:
    """Calls, not seconds: one for each byte would be more than any of them needs."""
    rest = [""] if parser.reads is judged else [{}] if parser.reads is delayed_one else []
    with as_in_the_operator(), counting_calls() as calls:
        parser.reads(data, *rest)

    assert calls[0] <= len(data) + 2000


# --- stored objects

NEWS: Raw = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
STORED = {
    "tasks": raw_task(
        spec={
            "container": {"image": "x", "args": ["$(params.a)"], "env": [{"name": "A", "value": "b"}]},
            "params": {"a": [1, {"b": None}]},
            "startTime": "2026-03-01T11:00:00Z",
            "deadlines": {"queueSeconds": 60, "runSeconds": 60},
            "retry": {"maxAttempts": 3, "backoff": {"initialSeconds": 1}},
            "cancel": {"reason": "x"},
        },
        status={
            "attempts": [{"number": 1, "jobName": "a"}],
            "conditions": [],
            "attemptCount": 1,
            "result": {"value": 1},
        },
    ),
    "jobs": raw_job(conditions=[{"type": "Failed", "status": "True"}]),
    "pods": raw_pod(terminated(1, "Error"), deletionTimestamp="2026-03-01T12:00:02Z", deletionGracePeriodSeconds=30),
    "definitions": raw_task("resize", spec={"container": {"image": "x"}, "defaults": {"priority": 1}}, status={"a": 1}),
    "queues": raw_task(
        "slow", spec={"maxConcurrency": 1, "rateLimit": {"tasks": 1, "periodSeconds": 2}}, status={"a": 1}
    ),
    "crons": raw_task("nightly", spec={"schedule": "@daily", "taskTemplate": {"spec": {}}}, status={"active": []}),
}


def with_any(kind: str) -> st.SearchStrategy[Raw]:
    """The object with spec, status and grace as anybody could have stored them; the rest is the API server's."""
    stored = STORED[kind]
    parts = [damaged({part: stored[part]}) | st.fixed_dictionaries({part: JSON}) for part in ("spec", "status")]
    times = st.fixed_dictionaries({}, optional={"deletionGracePeriodSeconds": INT64, "generation": INT64})
    return st.tuples(*parts, times).map(
        lambda drawn: {**stored, **drawn[0], **drawn[1], "metadata": {**stored["metadata"], **drawn[2]}}
    )


@pytest.mark.parametrize("kind", STORED)
@examples(60)
@given(st.data())
def test_the_cache_takes_in_whatever_is_stored(kind: str, data: st.DataObject) -> None:
    cache, raw = Cache(), data.draw(with_any(kind))

    cache.put(kind, raw)

    assert len(cache.kind(kind).entries) == 1
