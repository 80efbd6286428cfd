"""From keyword arguments to a Task manifest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest

from celeriac import Deadlines, InvalidParams, InvalidTask, Resources, Retry, TaskOptions, TaskRequest
from celeriac._names import IDEMPOTENCY_KEY
from celeriac._request import build_task, request_of
from celeriac.wire.names import REQUEST_DIGEST

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def build(**options: Any) -> dict[str, Any]:
    return build_task(request_of(options), "team", NOW)  # type: ignore[arg-type]


def test_options_and_request_have_the_same_fields() -> None:
    assert get_type_hints(TaskOptions).keys() == TaskRequest.__dataclass_fields__.keys()


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        pytest.param({"definition": "d"}, {"definitionName": "d"}, id="what is not said is not written"),
        pytest.param(
            {"image": "i", "command": ["a"], "args": ["b"], "env": {"X": "y"}, "working_dir": "/w"},
            {
                "container": {
                    "image": "i",
                    "command": ["a"],
                    "args": ["b"],
                    "env": [{"name": "X", "value": "y"}],
                    "workingDir": "/w",
                }
            },
            id="the container's parts go into the container",
        ),
        pytest.param(
            {"image": "i", "resources": Resources(limits={"memory": "1Gi"}), "image_pull_policy": "Never"},
            {"container": {"image": "i", "resources": {"limits": {"memory": "1Gi"}}, "imagePullPolicy": "Never"}},
            id="resources as a model",
        ),
        pytest.param(
            {"image": "i", "resources": {"requests": {"cpu": "1"}}},
            {"container": {"image": "i", "resources": {"requests": {"cpu": "1"}}}},
            id="resources as a mapping",
        ),
        pytest.param(
            {"definition": "d", "params": {"a": None, "b": [1.5, "x"]}},
            {"definitionName": "d", "params": {"a": None, "b": [1.5, "x"]}},
            id="null params are kept",
        ),
        pytest.param(
            {"definition": "d", "retry": Retry(max_attempts=3)},
            {"definitionName": "d", "retry": {"maxAttempts": 3}},
            id="retry writes only what it says",
        ),
        pytest.param(
            {"definition": "d", "run_seconds": 5, "deadlines": Deadlines(run_seconds=9, grace_seconds=0)},
            {"definitionName": "d", "deadlines": {"runSeconds": 5, "graceSeconds": 0}},
            id="single deadlines go before the object",
        ),
        pytest.param(
            {"definition": "d", "countdown": 90},
            {"definitionName": "d", "startTime": "2026-11-23T12:01:30+00:00"},
            id="a countdown becomes a start time",
        ),
        pytest.param(
            {"definition": "d", "countdown": timedelta(hours=1)},
            {"definitionName": "d", "startTime": "2026-11-23T13:00:00+00:00"},
            id="a countdown may be a timedelta",
        ),
        pytest.param(
            {"definition": "d", "start_time": NOW, "suspend": True, "ttl_seconds_after_finished": 0, "priority": -3},
            {
                "definitionName": "d",
                "startTime": "2026-11-23T12:00:00Z",
                "suspend": True,
                "ttlSecondsAfterFinished": 0,
                "priority": -3,
            },
            id="zero and false are values",
        ),
        pytest.param(
            {"definition": "d", "queue": "q", "concurrency_key": "u-1"},
            {"definitionName": "d", "queueName": "q", "concurrencyKey": "u-1"},
            id="the queue and the concurrency key",
        ),
    ],
)
def test_spec(options: dict[str, Any], spec: dict[str, Any]) -> None:
    assert spec == build(**options)["spec"]


def test_metadata_carries_labels_annotations_and_the_digest() -> None:
    meta = build(definition="d", name="n", namespace="other", labels={"a": "b"}, annotations={"c": "d"})["metadata"]

    assert (meta["name"], meta["namespace"], meta["labels"]) == ("n", "other", {"a": "b"})
    assert {"c", REQUEST_DIGEST} == set(meta["annotations"])


def test_what_kubernetes_takes_for_labels_and_annotations_goes_through() -> None:
    labels = {"a": "", "x.example/A_b.c-d": "V_a.l-1", "z" * 63: "v" * 63}
    annotations = {"X.Example/Any": "any thing\n at all"}
    meta = build(definition="d", labels=labels, annotations=annotations)["metadata"]

    assert labels == meta["labels"]
    assert annotations.items() <= meta["annotations"].items()


def test_a_key_makes_the_name_and_is_written_down_for_people() -> None:
    meta = build(definition="d", key="order 7")["metadata"]

    assert build(definition="d", key="order 7")["metadata"]["name"] == meta["name"]
    assert meta["annotations"][IDEMPOTENCY_KEY] == "order 7"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"countdown": 60}, {"countdown": 60.0}, True, id="the same countdown is the same content"),
        pytest.param({"countdown": 60}, {"countdown": 61}, False, id="another countdown is other content"),
        pytest.param({"params": {"a": 1}}, {"params": {"a": 2}}, False, id="other params are other content"),
        pytest.param({"labels": {"a": "b"}}, {}, True, id="labels are not content"),
        pytest.param({"name": "a"}, {"name": "b"}, True, id="the name is not content"),
    ],
)
def test_digest(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    digests = [
        build_task(TaskRequest(definition="d", **options), "team", NOW + timedelta(seconds=at))["metadata"][
            "annotations"
        ]
        for at, options in enumerate((one, other))
    ]

    assert (digests[0] == digests[1]) is same


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({}, "exactly one of definition and image", id="neither definition nor image"),
        pytest.param({"definition": "d", "image": "i"}, "exactly one", id="both definition and image"),
        pytest.param(
            {"definition": "d", "env": {"A": "b"}}, "env cannot be given with a definition", id="env of a definition"
        ),
        pytest.param({"definition": "d", "name": "Bad_Name"}, "cannot be a name", id="a name that is no DNS label"),
        pytest.param({"definition": "d", "name": "x" * 64}, "at most 63", id="a name that is too long"),
        pytest.param({"definition": "d", "name": "a", "key": "b"}, "name or key", id="both name and key"),
        pytest.param(
            {"definition": "d", "countdown": 1, "start_time": NOW}, "start_time or countdown", id="two starts"
        ),
        pytest.param({"definition": "d", "start_time": "2026-12-01"}, "start_time is a str: give", id="a text"),
        pytest.param({"definition": "d", "start_time": NOW.date()}, "start_time is a date: give", id="a day"),
        pytest.param({"definition": "d", "countdown": float("nan")}, "countdown is nan", id="a countdown of NaN"),
        pytest.param({"definition": "d", "countdown": float("inf")}, "countdown is inf", id="a countdown for ever"),
        pytest.param({"definition": "d", "countdown": 1e15}, "a hundred years", id="a countdown past all dates"),
        pytest.param({"definition": "d", "countdown": timedelta.max}, "a hundred years", id="the longest timedelta"),
        pytest.param({"definition": "d", "start_time": datetime(2026, 1, 1)}, "time zone", id="a start without a zone"),
        pytest.param({"image": "i", "command": "echo hi"}, "list of words", id="a command that is one string"),
        pytest.param({"definition": "d", "countdown": "5"}, "countdown is a str: give seconds", id="text for seconds"),
        pytest.param({"definition": "d", "key": 5}, "key is a int: give a text", id="a number as a key"),
        pytest.param({"definition": "d", "key": "\ud800"}, "key is no Unicode text", id="a key that cannot be written"),
        pytest.param({"definition": "d", "namespace": 5}, "namespace is a int: give", id="a number as a namespace"),
        pytest.param({"definition": "d", "labels": ["a"]}, "labels is a list: give a dict", id="labels in a list"),
        pytest.param({"definition": "d", "annotations": "a"}, "annotations is a str: give a dict", id="notes as text"),
        pytest.param({"image": "i", "env": [("A", "b")]}, "env is a list: give a dict", id="variables in a list"),
        pytest.param(
            {"image": "i", "command": 5}, "command is a int: give a list of words", id="a number as a command"
        ),
        pytest.param(
            {"definition": "d", "deadlines": {"run_seconds": 5}}, "deadlines is a dict: give Deadl", id="no Deadlines"
        ),
        pytest.param({"definition": "d", "retry": {"max_attempts": 5}}, "retry is a dict: give Retry", id="no Retry"),
        pytest.param(
            {"definition": "d", "retry": Retry(retry_for=(OSError,))},
            "retry_for and dont_retry_for belong to @app.task",
            id="exceptions, of which only the process knows",
        ),
        pytest.param(
            {"image": "i", "resources": {"limit": {"cpu": 1}}},
            "spec.container.resources.limit: Extra",
            id="a misspelt part",
        ),
        pytest.param({"definition": "d", "key": ""}, "key is empty", id="a key that would be everybody's"),
        pytest.param({"definition": "d", "labels": {"a b": "c"}}, "metadata.labels: 'a b' cannot", id="a label's key"),
        pytest.param(
            {"definition": "d", "labels": {"x/y/z": "c"}}, "metadata.labels: 'x/y/z' cannot", id="two domains"
        ),
        pytest.param(
            {"definition": "d", "labels": {"A.b/c": ""}}, "metadata.labels: 'A.b/c' cannot", id="a bad domain"
        ),
        pytest.param({"definition": "d", "labels": {"a": "b c"}}, "metadata.labels.a: the value", id="a label's value"),
        pytest.param({"definition": "d", "labels": {"a": "b" * 64}}, "metadata.labels.a: the value", id="a long value"),
        pytest.param({"definition": "d", "labels": {"a": 1}}, "metadata.labels.a: the value", id="a number as a label"),
        pytest.param(
            {"definition": "d", "annotations": {"": "c"}}, "metadata.annotations: '' cannot", id="no key at all"
        ),
        pytest.param(
            {"definition": "d", "annotations": {"a": 1}}, "metadata.annotations.a: .* type int", id="a number as a note"
        ),
        pytest.param(
            {"definition": "d", "annotations": {"a": "x" * 262_144}},
            "262,145 bytes",
            id="annotations that are too large",
        ),
        pytest.param({"definition": "d", "prioritty": 3}, "no argument prioritty", id="a misspelt argument"),
        pytest.param({"definition": "d", "priority": 5000}, "spec.priority", id="a value that the API refuses"),
        pytest.param({"definition": "d", "run_seconds": 0}, "spec.deadlines.runSeconds", id="a deadline of no time"),
        pytest.param({"image": "i", "env": {"A B": "c"}}, "spec.container.env.0.name", id="a variable that cannot be"),
        pytest.param(
            {"image": "i", "resources": {"limits": {"cpu": [1]}}},
            "spec.container.resources.limits.cpu",
            id="resources that cannot be",
        ),
    ],
)
def test_invalid_task(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InvalidTask, match=wanted):
        build(**options)


def test_an_invalid_task_names_its_fields_and_never_their_values() -> None:
    with pytest.raises(InvalidTask) as caught:
        build(definition="d", concurrency_key="secret" * 100)

    assert tuple(path for path, _ in caught.value.fields) == ("spec.concurrencyKey",)
    assert "secret" not in str(caught.value)


def nested(lists: int) -> Any:
    value: Any = 1
    for _ in range(lists):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        pytest.param({"a": object()}, "not JSON", id="an object"),
        pytest.param({"a": float("nan")}, "not JSON", id="not a number"),
        pytest.param({"a": 2**63}, "params.a: an integer is over 64 bits", id="an integer that would be rounded"),
        pytest.param({"a": {"b": nested(64)}}, "params.a: it is nested", id="nested too deep"),
        pytest.param({"a": "x" * 33_000}, "32,768 are allowed", id="more than 32 KiB"),
        pytest.param({"a": "é" * 16_400}, "32,768 are allowed", id="more than 32 KiB once it is UTF-8"),
    ],
)
def test_invalid_params(params: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InvalidParams, match=wanted):
        build(definition="d", params=params)


@pytest.mark.parametrize("policy", [Retry, Deadlines])
def test_a_misspelt_policy_is_an_error(policy: type) -> None:
    with pytest.raises(ValueError, match="max_atempts"):
        policy(max_atempts=3)


@pytest.mark.parametrize("parts", [{"backoff": {"initial_secs": 3}}, {"rules": [{"on_codes": [1], "action": "Fail"}]}])
def test_a_misspelt_part_of_a_policy_is_an_error(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        Retry(**parts)
