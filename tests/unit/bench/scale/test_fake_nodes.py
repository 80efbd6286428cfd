"""Nothing real lands on a fake node, nothing of the benchmark elsewhere, and the stages take a pod to its end."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.bench.scale.fake_nodes import STAGES, TAINT, command, deaf, node
from e2e.bench.scale.workload import definition, task, tasks

from celeriac.api.v1alpha1.definition import TaskDefinitionSpec

PATHS = sorted(STAGES.glob("*.yaml"))


def stages() -> dict[str, dict[str, Any]]:
    """All stages by name."""
    documents = itertools.chain.from_iterable(yaml.safe_load_all(path.read_text()) for path in PATHS)
    return {each["metadata"]["name"]: each for each in documents}


def test_a_fake_node_is_tainted_and_the_definition_tolerates_just_that() -> None:
    pod = TaskDefinitionSpec.model_validate(definition()["spec"]).pod
    assert pod is not None and pod.tolerations is not None

    (tolerated,) = pod.tolerations
    assert [TAINT] == node(1)["spec"]["taints"]
    assert (TAINT["key"], "Equal", TAINT["value"], TAINT["effect"]) == (
        tolerated.key,
        tolerated.operator,
        tolerated.value,
        tolerated.effect,
    )


def test_the_definitions_pods_go_to_fake_nodes_only() -> None:
    pod = TaskDefinitionSpec.model_validate(definition()["spec"]).pod
    assert pod is not None and pod.node_selector is not None

    assert pod.node_selector.items() <= node(7)["metadata"]["labels"].items()


def test_a_task_is_of_that_definition() -> None:
    assert {"definitionName": definition()["metadata"]["name"]} == task("t")["spec"]
    assert task("t") == tasks().manifest("t")


def test_a_pod_runs_ends_well_and_goes() -> None:
    found = stages()

    assert {"node-ready", "pod-run", "pod-complete", "pod-delete"} == found.keys()
    assert "phase: Running" in found["pod-run"]["spec"]["next"]["statusTemplate"]
    assert "exitCode: 0" in found["pod-complete"]["spec"]["next"]["statusTemplate"]
    assert found["pod-delete"]["spec"]["next"]["delete"] is True


def test_only_pods_of_jobs_end() -> None:
    conditions = stages()["pod-complete"]["spec"]["selector"]["matchExpressions"]

    assert {"key": ".metadata.ownerReferences.[].kind", "operator": "In", "values": ["Job"]} in conditions


def test_kwok_manages_marked_nodes_only_and_gets_every_stage() -> None:
    words = command(Path("/bin/kwok"), Path("/k"))

    assert "--manage-all-nodes=false" in words
    assert "--manage-nodes-with-label-selector=celeriac.dev/bench=scale" in words
    assert [f"--config={path}" for path in PATHS] == [word for word in words if word.startswith("--config=")]


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_clearing_up_is_not_interrupted_and_what_comes_after_is(sig: signal.Signals) -> None:
    heard: list[int] = []
    before = signal.signal(sig, lambda number, _: heard.append(number))
    try:
        with deaf():
            os.kill(os.getpid(), sig)
        assert [] == heard
        os.kill(os.getpid(), sig)
        assert [sig] == heard
    finally:
        signal.signal(sig, before)
