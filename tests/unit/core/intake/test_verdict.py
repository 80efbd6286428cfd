"""What becomes of one message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401
from tests.support.builders import make_revision
from tests.support.clock import T0, at
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import Backlog, TaskQueueSpec
from celeriac.wire.message import encode
from celeriac.wire.names import DEFINITION_DIGEST_ANNOTATION, SUBMISSION, SUBMIT_TIME
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Revision
from celeriac_operator.core.intake.arrival import Arrival, arrival
from celeriac_operator.core.intake.verdict import Bury, Create, Delay, Known, verdict

QUEUE = QueueKey("media", "slow")
DIGEST = "0123456789abcdef" * 4
KEPT = Revision("resize-01234567", 1, make_revision().spec, DIGEST)
ORIGIN = "CELERIAC_media_slow.1.7"


def arrives(
    data: bytes | dict[str, Any] | None = None, *, delayed: bool = False, message_id: str = "", **spec: Any
) -> Arrival:
    """A message for the queue; further fields are its spec's."""
    found = data if data is not None else {"name": "resize-1", "spec": {"definitionName": "resize", **spec}}
    raw = found if isinstance(found, bytes) else encode(found)
    return arrival(QUEUE, "n", ORIGIN, T0, raw, message_id=message_id, delayed=delayed)


OLD = TaskQueueSpec(backlog=Backlog(max_age_seconds=60))
START = at(3600).isoformat()
CONTAINER = {"name": "a", "spec": {"container": {"image": "x"}}}

REASONS: dict[str, tuple[str, Arrival, Known]] = {
    "what is no JSON is malformed": ("MalformedMessage", arrives(b"{"), Known()),
    "what is too large is malformed": ("MalformedMessage", arrives(b" " * 262_145), Known()),
    "what waited too long is too old": ("TooOld", arrives(), Known(OLD)),
    "what is too old is that, whatever else it is": ("TooOld", arrives(CONTAINER), Known(OLD)),
    "a delayed message is too old once it has waited so long after its time": (
        "TooOld",
        arrives(startTime=at(30).isoformat(), delayed=True),
        Known(OLD),
    ),
    "a name must be a DNS label": ("InvalidTask", arrives({"name": "A_b", "spec": {}}), Known()),
    "a name may have 63 characters": ("InvalidTask", arrives({"name": "a" * 64, "spec": {}}), Known()),
    "an empty name is none that a Task can have": ("InvalidTask", arrives({"name": "", "spec": {}}), Known()),
    "a message goes to one queue": ("InvalidTask", arrives(queueName="fast"), Known()),
    "an integer that Kubernetes would round is none": ("InvalidTask", arrives(params={"n": [2**63]}), Known()),
    "messages may say no container by default": ("InlineContainerDenied", arrives(CONTAINER), Known()),
    "nor where only resources may": (
        "InlineContainerDenied",
        arrives(CONTAINER),
        Known(TaskQueueSpec(inline_containers="ResourcesOnly")),
    ),
    "nor where nobody may": (
        "InlineContainerDenied",
        arrives(CONTAINER),
        Known(TaskQueueSpec(inline_containers="Deny")),
    ),
    "a definition that is not kept any more is gone": ("DefinitionGone", arrives(definitionDigest=DIGEST), Known()),
    "a digest of a few characters is none": (
        "DefinitionGone",
        arrives(definitionDigest="0123"),
        Known(revisions=(KEPT,)),
    ),
}


@pytest.mark.parametrize(("reason", "arrived", "known"), REASONS.values(), ids=REASONS.keys())
def test_what_becomes_a_dead_letter(reason: str, arrived: Arrival, known: Known) -> None:
    found = verdict(arrived, known, at(100))
    assert isinstance(found, Bury)
    assert reason == found.reason


CREATED: dict[str, tuple[Arrival, Known]] = {
    "a message for a definition": (arrives(), Known()),
    "one that is just not too old": (arrives(), Known(TaskQueueSpec(backlog=Backlog(max_age_seconds=100)))),
    "one that has waited for its time, and not long since": (
        arrives(startTime=at(90).isoformat(), delayed=True),
        Known(OLD),
    ),
    "a container where the queue allows it": (arrives(CONTAINER), Known(TaskQueueSpec(inline_containers="Allow"))),
    "one that names its queue": (arrives(queueName="slow"), Known()),
    "one for a definition as it is kept": (arrives(definitionDigest=DIGEST), Known(revisions=(KEPT,))),
    "one for a definition by the beginning of its digest": (
        arrives(definitionDigest=f"sha256:{DIGEST[:8]}"),
        Known(revisions=(KEPT,)),
    ),
    "the largest integer": (arrives(params={"n": [2**63 - 1]}), Known()),
    "a start a minute away": (arrives(startTime=at(160).isoformat()), Known()),
    "a start that was far away and has come near": (arrives(startTime=START, delayed=True), Known()),
    "a start that cannot be read is the API server's to refuse": (arrives(startTime="tomorrow"), Known()),
    "a start without a zone likewise": (arrives(startTime="2099-01-01T00:00:00"), Known()),
    "a start that is no text likewise": (arrives(startTime=7), Known()),
}


@pytest.mark.parametrize(("arrived", "known"), CREATED.values(), ids=CREATED.keys())
def test_what_becomes_a_task(arrived: Arrival, known: Known) -> None:
    assert isinstance(verdict(arrived, known, at(100)), Create)


def test_a_start_far_away_is_waited_for_under_its_minute() -> None:
    assert Delay(int(at(3600).timestamp()) // 60) == verdict(arrives(startTime=START), Known(), at(100))


def test_a_task_says_what_it_came_from_whatever_the_message_says() -> None:
    lies = {SUBMISSION: "sha256:0", SUBMIT_TIME: "1970-01-01T00:00:00Z", "team": "a"}
    lies |= {DEFINITION_DIGEST_ANNOTATION: "sha256:0"}
    sent = {"name": "a", "labels": {"x": "y"}, "annotations": lies, "spec": {"definitionName": "resize"}}
    arrived = arrives(sent)
    found = verdict(arrived, Known(), at(1))
    assert isinstance(found, Create)
    assert {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "Task",
        "metadata": {
            "name": "a",
            "namespace": "media",
            "labels": {"x": "y"},
            "annotations": {"team": "a", SUBMISSION: arrived.digest, SUBMIT_TIME: T0.isoformat()},
        },
        "spec": {"definitionName": "resize", "queueName": "slow"},
    } == found.manifest


def test_a_malformed_message_has_the_name_in_its_id_if_that_is_one() -> None:
    assert "resize-1" == arrives(b"{", message_id="resize-1.0123456789abcdef").name
    assert None is arrives(b"{", message_id="../x.0123456789abcdef").name
    assert None is arrives(b"{").name


def test_the_payload_is_in_no_repr() -> None:
    secret = arrives(params={"password": "hunter2"})
    assert "hunter2" not in repr(replace(secret, message=arrives().message))
    assert "hunter2" not in repr(verdict(secret, Known(), at(1)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["definitionName", "container", "startTime", "queueName", "definitionDigest", "params", "x"])
messages = st.fixed_dictionaries(
    {},
    optional={"name": json_values, "spec": st.dictionaries(fields, json_values) | json_values, "labels": json_values},
)


@given(
    data=st.binary(max_size=64) | messages.map(encode),
    seconds=st.integers(-10_000, 10_000),
    delayed=st.booleans(),
    message_id=st.text(max_size=80),
)
@examples(300)
def test_every_message_becomes_something(data: bytes, seconds: int, delayed: bool, message_id: str) -> None:
    found = verdict(arrives(data, delayed=delayed, message_id=message_id), Known(OLD), T0 + timedelta(seconds=seconds))
    match found:
        case Create(name, manifest):
            assert (name, "slow") == (manifest["metadata"]["name"], manifest["spec"]["queueName"])
            assert "container" not in manifest["spec"] or manifest["spec"]["container"] is None
        case Bury(reason, message):
            assert reason and message and "\n" not in message and len(message) <= 1100
        case Delay():
            assert not delayed


@given(st.text(alphabet="0123456789abcdef", min_size=8, max_size=64))
def test_a_digest_is_that_of_the_content_it_begins(wanted: str) -> None:
    assert DIGEST.startswith(wanted) == KEPT.is_of(wanted)
