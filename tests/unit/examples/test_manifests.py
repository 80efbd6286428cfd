"""The example manifests: valid by the models, and readable for newcomers. What they come to is for e2e to test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from celeriac.api.v1alpha1 import CronTaskSpec, Failure, Phase, TaskDefinitionSpec, TaskQueueSpec, TaskSpec
from celeriac.cron.calendar import calendar_of

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))
EXPECT = "celeriac.dev/expect"
REASONS = {*Failure, "InvalidParams", "QueueHeld", "Suspended"}


def documents(path: Path) -> list[dict[str, Any]]:
    """The manifests of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def of_kind(kind: str) -> list[Any]:
    """Each manifest of that kind, with the file and the name as its id."""
    found = [(path, each) for path in FILES for each in documents(path) if each["kind"] == kind]
    return [pytest.param(each, id=f"{path.stem}/{each['metadata']['name']}") for path, each in found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_begins_with_what_it_shows_and_how_to_try_it(path: Path) -> None:
    comment = [line for line in path.read_text().split("apiVersion:")[0].splitlines() if line.startswith("# ")]

    assert f"kubectl apply -f examples/{path.name}" in "\n".join(comment)
    assert 2 <= len(comment) <= 6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_readme_lists_every_file(path: Path) -> None:
    assert f"[{path.name}]({path.name})" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("manifest", of_kind("Task"))
def test_a_task_is_valid_and_says_what_it_comes_to(manifest: dict[str, Any]) -> None:
    TaskSpec.model_validate(manifest["spec"])
    phase, _, reason = manifest["metadata"]["annotations"][EXPECT].partition("/")

    assert phase in set(Phase)
    assert not reason or reason in REASONS


@pytest.mark.parametrize("manifest", of_kind("TaskDefinition"))
def test_a_definition_is_valid(manifest: dict[str, Any]) -> None:
    TaskDefinitionSpec.model_validate(manifest["spec"])


@pytest.mark.parametrize("manifest", of_kind("TaskQueue"))
def test_a_queue_is_valid_and_all_of_it_is_understood(manifest: dict[str, Any]) -> None:
    assert manifest["spec"] == TaskQueueSpec.model_validate(manifest["spec"]).to_wire()


@pytest.mark.parametrize("manifest", of_kind("CronTask"))
def test_a_crontask_is_valid(manifest: dict[str, Any]) -> None:
    calendar_of(CronTaskSpec.model_validate(manifest["spec"]), "media", manifest["metadata"]["name"])


def test_the_full_crontask_has_every_field() -> None:
    (full,) = documents(EXAMPLES / "76-cron-full.yaml")

    assert {field.alias or name for name, field in CronTaskSpec.model_fields.items()} == set(full["spec"])


def test_names_are_used_once_so_that_all_examples_fit_into_one_namespace() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for path in FILES for each in documents(path)]

    assert len(names) == len(set(names))


def test_the_full_example_has_every_field_but_those_that_it_says_it_lacks() -> None:
    (full,) = documents(EXAMPLES / "90-full.yaml")
    wire_names = {field.alias or name for name, field in TaskSpec.model_fields.items()}

    assert wire_names - {"definitionName", "cancel", "paramsRef"} == set(full["spec"])
