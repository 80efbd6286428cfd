"""From a pod to a process: command line, environment, and why it cannot start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from celeriac_operator.dev.container import CannotStart, Process, expanded, process_of

RESULT = Path("/somewhere/result")


def process(container: dict[str, Any]) -> Process:
    pod = {"metadata": {"name": "p", "uid": "u-1"}, "spec": {"containers": [container]}}
    return process_of(pod, keys, "/venv/python", RESULT)


def keys(kind: str, name: str) -> Mapping[str, str] | None:
    return {("secretKeyRef", "s"): {"k": "secret"}, ("configMapKeyRef", "c"): {"k": "plain"}}.get((kind, name))


def env(*variables: dict[str, Any], **more: Any) -> Mapping[str, str]:
    return process({"command": ["x"], "env": list(variables), **more}).env


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(A)", "1-1"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$A ${A} $", "$A ${A} $"),
        ("$$$$", "$$"),
    ],
    ids=["a variable", "one that is not set stays", "two dollars are one", "a shell's own stay", "dollars by pairs"],
)
def test_expanded(text: str, expected: str) -> None:
    assert expected == expanded(text, {"A": "1"})


@pytest.mark.parametrize("program", ["python", "python3"])
def test_the_images_python_is_ours(program: str) -> None:
    assert ("/venv/python", "-m", "x") == process({"command": [program, "-m"], "args": ["x"]}).argv


def test_another_program_is_itself_and_its_words_are_expanded() -> None:
    found = process({"command": ["sh", "-c"], "args": ["echo $(A)"], "env": [{"name": "A", "value": "1"}]})

    assert ("sh", "-c", "echo 1") == found.argv


def test_a_variable_sees_those_before_it() -> None:
    found = env({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "C", "value": "3"})

    assert "1$(C)" == found["B"]


def test_the_result_goes_to_a_file_of_its_own() -> None:
    assert str(RESULT) == env({"name": "CELERIAC_RESULT_FILE", "value": "/dev/termination-log"})["CELERIAC_RESULT_FILE"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"fieldRef": {"fieldPath": "metadata.uid"}}, "u-1"),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "secret"),
        ({"configMapKeyRef": {"name": "c", "key": "k"}}, "plain"),
        ({"secretKeyRef": {"name": "none", "key": "k", "optional": True}}, None),
    ],
    ids=["the pod's own field", "a secret", "a config map", "a secret that may be missing"],
)
def test_a_variable_from(source: dict[str, Any], expected: str | None) -> None:
    assert expected == env({"name": "A", "valueFrom": source}).get("A")


def test_all_of_a_secret() -> None:
    sources = [{"secretRef": {"name": "s"}}, {"secretRef": {"name": "none", "optional": True}}]

    assert "secret" == env({"name": "A", "value": "$(k)"}, envFrom=sources)["A"]


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"image": "x"}, "there are no images here: give the container a command"),
        (
            {"command": ["x"], "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]},
            "secret none has no key k",
        ),
        ({"command": ["x"], "envFrom": [{"configMapRef": {"name": "none"}}]}, "configMap none is not there"),
    ],
    ids=["no command", "a secret is missing", "a whole config map is missing"],
)
def test_it_cannot_start(container: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        process(container)
