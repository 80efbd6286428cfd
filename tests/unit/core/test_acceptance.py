"""The policy a Task runs under, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import (
    EFFECTIVE,
    make_container,
    make_job,
    make_revision,
    make_spec,
    make_status,
    make_task,
)

from celeriac.api.v1alpha1 import Defaults, ObjectRef, TaskQueueSpec, TaskSpec
from celeriac_operator.core.acceptance import Rejected, accept, effective, params_problem, queue_name
from celeriac_operator.core.facts import Accepted


def layered(*layers: dict[str, Any]) -> dict[str, Any]:
    """The effective policy of a Task (the first layer) over defaults (the others)."""
    spec, *defaults = layers
    whole = TaskSpec.model_validate({"container": {"image": "x"}, **spec})
    return effective(whole, [Defaults.model_validate(layer) for layer in defaults]).to_wire()


def test_what_is_built_in() -> None:
    assert layered({}) == {
        "queueName": "default",
        "priority": 0,
        "deadlines": {"startSeconds": 300, "graceSeconds": 30},
        "retry": {
            "maxAttempts": 1,
            "maxDisruptions": 10,
            "backoff": {"initialSeconds": 10, "multiplierPercent": 200, "maxSeconds": 600, "jitter": "Full"},
            "rules": [],
        },
        "ttlSecondsAfterFinished": 3600,
    }


def test_the_task_wins_over_the_definition_and_that_over_the_operator() -> None:
    found = layered({"priority": 1}, {"priority": 2, "queueName": "b"}, {"priority": 3, "queueName": "c"})

    assert (found["priority"], found["queueName"]) == (1, "b")


def test_zero_and_nothing_are_values() -> None:
    found = layered({"priority": 0, "ttlSecondsAfterFinished": 0}, {"priority": 5, "ttlSecondsAfterFinished": 60})

    assert (found["priority"], found["ttlSecondsAfterFinished"]) == (0, 0)


def test_deadlines_are_layered_field_by_field() -> None:
    found = layered(
        {"deadlines": {"runSeconds": 1}},
        {"deadlines": {"runSeconds": 2, "startSeconds": 3}},
        {"deadlines": {"totalSeconds": 4}},
    )

    assert found["deadlines"] == {"runSeconds": 1, "startSeconds": 3, "totalSeconds": 4, "graceSeconds": 30}


def test_retry_and_its_backoff_are_layered_field_by_field() -> None:
    found = layered(
        {"retry": {"maxAttempts": 4}},
        {"retry": {"maxDisruptions": 2, "backoff": {"initialSeconds": 1}}},
        {"retry": {"maxAttempts": 9, "backoff": {"initialSeconds": 7, "jitter": "None"}}},
    )["retry"]

    assert (found["maxAttempts"], found["maxDisruptions"]) == (4, 2)
    assert (found["backoff"]["initialSeconds"], found["backoff"]["jitter"]) == (1, "None")


def test_rules_are_taken_as_a_whole_and_none_is_a_whole_too() -> None:
    theirs = {"retry": {"rules": [{"onFailures": ["OOMKilled"], "action": "Fail"}]}}

    assert layered({"retry": {"rules": []}}, theirs)["retry"]["rules"] == []
    assert len(layered({"retry": {"maxAttempts": 3}}, theirs)["retry"]["rules"]) == 1


def deep(levels: int) -> Any:
    """A value nested so deep."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too large": ({"a": "x" * 40_000}, {}, "spec.params: 40008 bytes"),
    "counted in bytes": ({"a": "é" * 20_000}, {}, "spec.params: 40008 bytes"),
    "too deep": ({"a": deep(100)}, {}, "spec.params: nested more than 64"),
    "deeper than Python can walk": ({"a": deep(50_000)}, {}, "spec.params: nested more than 64"),
    "a reference without its parameter": ({}, {"args": ["$(params.who)"]}, "spec.params.who: missing"),
    "a reference in an env value": ({}, {"env": [{"name": "A", "value": "$(params.a-b)"}]}, "spec.params.a-b: missing"),
    "a reference with an endless name": ({}, {"args": [f"$(params.{'x' * 30_000})"]}, "spec.params.xxx"),
}


@pytest.mark.parametrize(("params", "container", "wanted"), REFUSED.values(), ids=REFUSED)
def test_params_that_are_refused(params: dict[str, Any], container: dict[str, Any], wanted: str) -> None:
    spec = make_spec(container=make_container(**container)).model_copy(update={"params": params})
    found = params_problem(spec, None)

    assert found is not None
    assert found.startswith(wanted)
    assert len(found) < 1000


def test_params_just_small_enough_are_taken() -> None:
    assert params_problem(make_spec(params={"a": "x" * (32 * 1024 - 8)}), None) is None


def test_params_that_a_container_multiplies_are_counted_and_not_made() -> None:
    multiplied = make_container(args=["$(params.x)" * 2_900] * 40)

    found = params_problem(make_spec(params={"x": "x" * 32_000}, container=multiplied), None)

    assert found == "spec.params: 3712000000 bytes where the container refers to them, and at most 131072 are allowed"


def test_a_param_may_be_referred_to_several_times() -> None:
    container = make_container(args=["$(params.x)"] * 4)

    assert params_problem(make_spec(params={"x": "x" * 32_000}, container=container), None) is None


def test_the_definitions_schema_names_the_parameter() -> None:
    revision = make_revision(params_schema={"properties": {"width": {"type": "integer"}}})
    found = accept(make_spec(definition_name="resize", params={"width": "wide"}), revision, Defaults(), TaskQueueSpec())

    assert found == Rejected("InvalidParams", "spec.params.width: 'wide' is not of type 'integer'")


def test_an_accepted_task_is_pinned_to_the_revision() -> None:
    revision = make_revision(defaults={"priority": 4})
    found = accept(make_spec(definition_name="resize"), revision, Defaults(), TaskQueueSpec())

    assert isinstance(found, Accepted)
    assert found.definition is not None
    assert (found.definition.revision, found.effective.priority) == (revision.name, 4)


QUEUE_NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "a task that was accepted stays in its queue": ({"status": "media", "spec": "a", "job": "b"}, "media"),
    "a Job that was not recorded says what the task was accepted with": ({"job": "b", "spec": "a"}, "b"),
    "the task's own queue comes before its definition's": ({"spec": "a", "definition": "d"}, "a"),
    "the definition's comes before the operator's": ({"definition": "d", "operator": "o"}, "d"),
    "the operator's comes before the built-in one": ({"operator": "o"}, "o"),
    "the built-in one is default": ({}, "default"),
}


@pytest.mark.parametrize(("layers", "expected"), QUEUE_NAMES.values(), ids=list(QUEUE_NAMES))
def test_the_queue_of_a_task(layers: dict[str, str], expected: str) -> None:
    accepted = {key: EFFECTIVE.model_copy(update={"queue_name": name}) for key, name in layers.items()}
    status = make_status(effective=accepted.get("status"))
    task = make_task(status=status, definition_name="resize", queue_name=layers.get("spec"))
    job = make_job(accepted=Accepted(accepted["job"])) if "job" in layers else None
    live = make_revision(defaults={"queueName": layers["definition"]} if "definition" in layers else {})

    assert expected == queue_name(task, job, live, Defaults(queue_name=layers.get("operator")))


DENIALS: dict[str, tuple[str | None, bool, bool]] = {
    "Deny refuses a container": ("Deny", True, True),
    "Deny lets a definition in": ("Deny", False, False),
    "ResourcesOnly lets a Task object's container in": ("ResourcesOnly", True, False),
    "by default a container is let in": (None, True, False),
}


@pytest.mark.parametrize(("setting", "container", "denied"), DENIALS.values(), ids=list(DENIALS))
def test_a_queue_may_take_no_containers(setting: Any, container: bool, denied: bool) -> None:
    spec = make_spec(queue_name="media", **({} if container else {"definition_name": "resize"}))
    found = accept(spec, None if container else make_revision(), Defaults(), TaskQueueSpec(inline_containers=setting))
    message = (
        "spec.container: queue media takes no containers (its spec.inlineContainers is Deny): "
        "name a TaskDefinition instead"
    )

    assert (Rejected("InlineContainerDenied", message) if denied else found) == found
    assert denied == isinstance(found, Rejected)


DIGEST = f"sha256:{'a' * 64}"
REF = ObjectRef(bucket="celeriac-payloads", key=f"media.params.{'a' * 64}", size=40_000, digest=DIGEST)


@pytest.mark.parametrize(
    ("changes", "container", "problem"),
    [
        pytest.param({}, {}, None, id="its own object"),
        pytest.param({"key": f"other.params.{'a' * 64}"}, {}, "spec.paramsRef", id="another namespace's object"),
        pytest.param({"bucket": "secrets"}, {}, "spec.paramsRef", id="an object of another bucket"),
        pytest.param(
            {"digest": "md5:1", "key": "media.params.md5:1"}, {}, "spec.paramsRef", id="another kind of digest"
        ),
        pytest.param({"size": -1}, {}, "spec.paramsRef", id="a size that is none"),
        pytest.param({}, {"args": ("$(params.who)",)}, "$(params.who)", id="a container that refers to a parameter"),
    ],
)
def test_params_that_are_elsewhere(changes: dict[str, Any], container: dict[str, Any], problem: str | None) -> None:
    spec = make_spec(params_ref=REF.model_copy(update=changes), container=make_container(**container))
    found = accept(spec, None, Defaults(), TaskQueueSpec(), "media")
    if problem is None:
        assert isinstance(found, Accepted)
    else:
        assert isinstance(found, Rejected)
        assert (found.reason, problem in found.message) == ("InvalidParams", True)
