"""Messages that requests become."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from celeriac import errors
from celeriac._door import Identity
from celeriac._letter import letter_of
from celeriac._request import TaskRequest
from celeriac.wire.message import MSG_ID, decode, message_id
from celeriac.wire.names import REQUEST_DIGEST

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def letter(**options: Any) -> Any:
    return letter_of(TaskRequest(**({"definition": "d"} | options)), "team", NOW)


def test_the_message_and_its_id_are_those_of_the_wire() -> None:
    made = letter(name="n", params={"b": "ü", "a": 1})
    message = decode(made.data)

    assert message.digest == made.digest
    assert (
        message_id({"name": "n", "annotations": dict(message.annotations), "spec": dict(message.spec)})
        == (made.headers[MSG_ID])
    )
    assert message.annotations[REQUEST_DIGEST] == made.request_digest


@pytest.mark.parametrize(
    ("options", "subject", "stream"),
    [
        ({}, "celeriac.submit.team.default.n", "CELERIAC_team_default"),
        ({"queue": "q", "priority": 5}, "celeriac.submit.team.q.h", "CELERIAC_team_q"),
        ({"namespace": "far", "priority": -5}, "celeriac.submit.far.default.l", "CELERIAC_far_default"),
    ],
    ids=["as the contract has it", "a queue and a priority", "another namespace"],
)
def test_where_it_goes(options: dict[str, Any], subject: str, stream: str) -> None:
    made = letter(**options)

    assert (subject, stream) == (made.subject, made.headers["Nats-Expected-Stream"])


@pytest.mark.parametrize(
    ("options", "equal"),
    [
        ({"name": "n"}, True),
        ({"name": "n", "params": {"a": 1}}, False),
        ({"name": "n", "countdown": 5}, False),
        ({"name": "n", "labels": {"a": "b"}}, True),
    ],
    ids=["the same again", "other params", "a countdown", "a label is no content"],
)
def test_the_digest_of_the_request_tells_contents_apart(options: dict[str, Any], equal: bool) -> None:
    assert equal == (letter(**options).request_digest == letter(name="n").request_digest)


def test_a_countdown_is_known_by_the_request_alone() -> None:
    first, second = (
        letter_of(TaskRequest(definition="d", key="k", countdown=5), "team", now)
        for now in (NOW, datetime(2027, 1, 1, tzinfo=UTC))
    )

    assert first.digest != second.digest
    assert first.identity == second.identity == Identity(None, None, first.request_digest)


def test_a_name_that_was_made_up_needs_nothing_to_tell_it_from_others() -> None:
    assert Identity() == letter().submitted().identity
    assert Identity() != letter(key="k").submitted().identity


def test_what_is_too_large_names_its_size() -> None:
    with pytest.raises(errors.InvalidTask, match=r"262,\d+ bytes as a message; at most 262,144"):
        letter(annotations={"a": "x" * 262_100})
