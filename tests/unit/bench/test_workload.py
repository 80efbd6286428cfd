"""What is compared must be comparable: the same pod, and each kind's own end."""

from __future__ import annotations

import pytest
from e2e.bench.workload import job, jobs, task, tasks

POD = {"restartPolicy": "Never", "containers": [{"name": "task", "image": "x"}]}


def conditions(**truths: str) -> dict[str, object]:
    """An object with these conditions."""
    return {"status": {"conditions": [{"type": type_, "status": truth} for type_, truth in truths.items()]}}


def test_a_raw_job_has_the_operators_pod_and_none_of_its_labels() -> None:
    labels = {"celeriac.dev/task": "noop"}
    made = {"spec": {"template": {"metadata": {"labels": labels}, "spec": POD}, "selector": {}}}

    manifest = jobs(made).manifest("j")

    assert job("j", POD) == manifest
    assert manifest["spec"]["template"]["spec"] is POD
    assert "celeriac.dev" not in str(manifest)


@pytest.mark.parametrize(
    ("obj", "ended"),
    [
        pytest.param({}, None, id="without status"),
        pytest.param(conditions(Running="True", Finished="False", Succeeded="Unknown"), None, id="running"),
        pytest.param(conditions(Finished="True", Succeeded="True"), True, id="succeeded"),
        pytest.param(conditions(Finished="True", Succeeded="False"), False, id="failed"),
    ],
)
def test_a_task_has_ended_when_it_is_finished(obj: dict[str, object], ended: bool | None) -> None:
    assert tasks().ended(obj) is ended


@pytest.mark.parametrize(
    ("obj", "ended"),
    [
        pytest.param({}, None, id="without status"),
        pytest.param(conditions(SuccessCriteriaMet="True"), None, id="not complete yet"),
        pytest.param(conditions(SuccessCriteriaMet="True", Complete="True"), True, id="complete"),
        pytest.param(conditions(Failed="True"), False, id="failed"),
    ],
)
def test_a_job_has_ended_when_it_is_complete(obj: dict[str, object], ended: bool | None) -> None:
    assert jobs({"spec": {"template": {"spec": POD}}}).ended(obj) is ended


def test_a_task_asks_for_so_little_that_a_burst_fits_on_a_small_node() -> None:
    assert task("t")["spec"]["container"]["resources"]["requests"]["cpu"] == "10m"
