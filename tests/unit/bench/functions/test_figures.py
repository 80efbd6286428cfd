"""The benchmark of functions: its page tells what was measured, and what is compared is comparable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from e2e.bench.document import target_text
from e2e.bench.figures import Figure
from e2e.bench.functions import workload
from e2e.bench.functions.document import Run, document
from e2e.bench.functions.figures import Round, rows
from e2e.bench.functions.measure import Plan
from e2e.bench.machine import Machine
from e2e.support.predicates import takes_messages

from celeriac.api.v1alpha1 import TaskDefinitionSpec, TaskQueueSpec, TaskSpec
from celeriac.wire.runner import runs_runner
from celeriac_operator.core.intake.window import window

MACHINE = Machine("A Processor", 2, 24.0, "Debian 12, Linux 6.1", "Kubernetes v1.34.4, 1 node, containerd 1.6")


def a_round(function: float, job: float, intake: float = 100.0, created: float = 200.0) -> Round:
    """A round with three samples of each around these times."""
    return Round([function - 0.1, function, function + 5], [job, job, job + 9], intake, created)


def test_ratios_are_taken_within_a_round() -> None:
    found = {row.name: row.figure for row in rows([a_round(1.0, 4.0), a_round(10.0, 40.0, 10.0, 40.0)], 500)}

    assert Figure(0.25, 0.25, 0.25) == found["alone: get() / Complete"]
    assert Figure(0.375, 0.25, 0.5) == found["intake / created by clients"]
    assert Figure(55.0, 10.0, 100.0) == found["intake: 500 messages into Tasks"]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        pytest.param(0.35, "≤ 0.35: met", id="just so"),
        pytest.param(0.36, "≤ 0.35: missed", id="a little more"),
    ],
)
def test_the_target_is_the_contracts(function: float, told: str) -> None:
    row = next(row for row in rows([a_round(function, 1.0)], 10) if row.target)

    assert told == target_text(row)


def test_the_page_has_every_figure_and_names_the_benchmark_of_submit_many() -> None:
    run = Run("python -m e2e.bench.functions", datetime(2026, 11, 26, tzinfo=UTC), MACHINE, 0.2, Plan(5, 8, 1000))
    measured = rows([a_round(1.0, 4.0)], 1000)

    page = document(run, measured)

    assert "$ python -m e2e.bench.functions" in page and "on 2 cores (A Processor)" in page
    assert all(f"| {row.name} |" in page for row in measured)
    assert "make bench-messages" in page
    assert "{" not in page


def test_a_raw_job_has_the_pod_of_the_operators_with_another_name_and_uid_of_its_task() -> None:
    env = [{"name": name, "value": "old"} for name in ("CELERIAC_TASK", "CELERIAC_TASK_UID", "CELERIAC_PARAMS")]
    given: dict[str, Any] = {"name": "CELERIAC_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    pod = {"restartPolicy": "Never", "containers": [{"name": "task", "image": "x", "env": [*env, given]}]}

    made = workload.jobs({"spec": {"template": {"spec": pod}}}).manifest("j")["spec"]["template"]["spec"]

    values = {each["name"]: each.get("value") for each in made["containers"][0]["env"]}
    assert {
        "CELERIAC_TASK": "j",
        "CELERIAC_TASK_UID": "j",
        "CELERIAC_PARAMS": "old",
        "CELERIAC_POD_UID": None,
    } == values
    assert {**made, "containers": None} == {**pod, "containers": None}
    assert env[0]["value"] == "old"


def test_the_function_is_run_by_the_runner_so_that_its_outcome_is_recorded_at_once() -> None:
    spec = TaskDefinitionSpec.model_validate(workload.function()["spec"])

    assert runs_runner(spec.container)


@pytest.mark.parametrize("size", [10, 1000])
def test_the_window_of_the_intakes_queue_is_no_limit(size: int) -> None:
    spec = TaskQueueSpec.model_validate(workload.intake_queue(size, held=False)["spec"])

    assert window(spec) >= size


def test_what_a_client_creates_is_what_a_message_becomes() -> None:
    asked, manifest = workload.message(1), workload.created().manifest("t")
    spec = TaskSpec.model_validate(manifest["spec"])

    assert (asked["definition"], asked["params"], asked["queue"], asked["suspend"]) == (
        spec.definition_name,
        spec.params,
        spec.queue_name,
        spec.suspend,
    )


@pytest.mark.parametrize(
    ("seen", "ready", "takes"),
    [
        pytest.param(2, "True", True, id="seen, and there is a stream"),
        pytest.param(1, "True", False, id="an earlier one was seen"),
        pytest.param(2, "False", False, id="there is no stream yet"),
    ],
)
def test_a_queue_takes_messages_once_the_operator_has_seen_it(seen: int, ready: str, takes: bool) -> None:
    status = {"observedGeneration": seen, "conditions": [{"type": "StreamReady", "status": ready}]}

    assert takes is takes_messages(2).holds({"status": status})
