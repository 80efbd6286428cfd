"""What is advised of what was measured: isolation and requests, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celeriac._advice import Advice, Definition, Requests, advise
from celeriac._task import Task
from celeriac.api.v1alpha1 import Attempt, TaskDefinitionSpec, TaskSpec, TaskStatus, Usage

BEGIN = datetime(2026, 11, 25, 10, tzinfo=UTC)
RUNNER = ["python", "-m", "celeriac.run", "app:app", "t"]
MIB = 1024**2


def definition(command: list[str] | None = None, **fields: Any) -> Definition:
    container = {"image": "i", "command": RUNNER if command is None else command, **fields.pop("container", {})}
    return Definition("team", "thumbnail", TaskDefinitionSpec.model_validate({"container": container, **fields}))


def attempt(at: float, *, start: float = 2, run_ms: int = 10, job: str = "t-abc-a1", **fields: Any) -> Attempt:
    created = BEGIN + timedelta(seconds=at)
    started = created + timedelta(seconds=start)
    given = {
        "usage": Usage(run_milliseconds=run_ms, cpu_milliseconds=run_ms, memory_bytes=50 * MIB),
        "finish_time": started + timedelta(milliseconds=run_ms),
        **fields,
    }
    return Attempt(number=1, job_name=job, create_time=created, start_time=started, **given)


def task(*attempts: Attempt) -> Task:
    status = TaskStatus(attempts=attempts)
    return Task("t", "team", "u", TaskSpec(definition_name="thumbnail"), status, {}, {}, BEGIN, {})


def tasks(count: int, every: float = 10, **fields: Any) -> list[Task]:
    return [task(attempt(number * every, **fields)) for number in range(count)]


@pytest.mark.parametrize(
    ("isolation", "done", "suggested", "why"),
    [
        pytest.param("Pod", tasks(10), "Warm", "2.0 s to start", id="a short task waits mostly for its pod"),
        pytest.param("Pod", tasks(10, run_ms=2000), "Warm", "", id="half of the time is enough"),
        pytest.param("Pod", tasks(10, run_ms=2001), "Pod", "would save 2.0 s", id="a longer task gains too little"),
        pytest.param("Warm", tasks(10, run_ms=9000), "Pod", "", id="a long task needs no pod that waits"),
        pytest.param("Pod", tasks(9), "Pod", "10 are enough", id="nine attempts are too few"),
        pytest.param("Warm", [], "Warm", "Of 0 attempts", id="what was never tried stays as it is"),
        pytest.param("Pod", tasks(10, every=600), "Warm", "", id="one in ten minutes is often enough"),
        pytest.param("Warm", tasks(10, every=601), "Pod", "seldom", id="a pod that would mostly wait is not worth it"),
        pytest.param("Pod", tasks(30, every=2), "Warm", "", id="thirty in a minute can have a pod each"),
        pytest.param("Pod", tasks(31, every=1.9), "Worker", "Up to 31", id="many short ones in a minute share pods"),
        pytest.param(
            "Pod", tasks(31, every=1, run_ms=5001), "Pod", "", id="many long ones do not gain from sharing a pod"
        ),
        pytest.param(
            "Warm", tasks(10, job="t-w-abc"), "Warm", "not known", id="how long a pod takes is known of cold ones only"
        ),
        pytest.param(
            "Warm",
            [*tasks(20, job="t-w-abc", start=0), *tasks(1, start=3)],
            "Warm",
            "3.0 s to start",
            id="one cold attempt tells how long a pod takes",
        ),
        pytest.param("Pod", tasks(20, finish_time=None), "Pod", "Of 0 attempts", id="what still runs says nothing"),
    ],
)
def test_isolation(isolation: str, done: list[Task], suggested: str, why: str) -> None:
    found = advise(definition(isolation=isolation), done)
    assert suggested == found.suggested
    assert why in found.why


def test_an_image_without_the_runner_cannot_wait() -> None:
    found = advise(definition(["./run"]), tasks(50))
    assert ("Pod", "Only the SDK's runner") == (found.suggested, found.why[:21])


def measured(run: int, cpu: int, memory: int) -> Task:
    return task(attempt(0, usage=Usage(run_milliseconds=run, cpu_milliseconds=cpu, memory_bytes=memory)))


@pytest.mark.parametrize(
    ("done", "fits"),
    [
        pytest.param([measured(1000, 500, 50 * MIB)] * 10, Requests("500m", "64Mi"), id="half a processor, and spare"),
        pytest.param([measured(1000, 501, 1)] * 10, Requests("510m", "16Mi"), id="rounded up"),
        pytest.param(
            [measured(1000, 100, MIB)] * 19 + [measured(1000, 4000, 1000 * MIB)],
            Requests("100m", "1200Mi"),
            id="the one in twenty that wants most processors waits, and the one that wants most memory would die",
        ),
        pytest.param([measured(99, 99, MIB)] * 10, Requests("10m", "16Mi"), id="a short run keeps no processor busy"),
        pytest.param([measured(0, 0, 0)] * 10, Requests("10m", "16Mi"), id="never nothing"),
        pytest.param([measured(1000, 500, MIB)] * 9, Requests(None, None), id="nine measurements are too few"),
        pytest.param(tasks(10, usage=None), Requests(None, None), id="nothing was measured"),
    ],
)
def test_requests(done: list[Task], fits: Requests) -> None:
    assert fits == advise(definition(), done).requests


@pytest.mark.parametrize(
    ("done", "warning"),
    [
        pytest.param(tasks(10), "", id="all is well"),
        pytest.param(tasks(2, usage=None), "No attempt has a measurement", id="nothing was measured"),
        pytest.param(tasks(10, failure="OOMKilled"), "10 attempts were killed", id="memory was missing"),
    ],
)
def test_warnings(done: list[Task], warning: str) -> None:
    found = advise(definition(), done).warnings
    assert (warning != "") == bool(found)
    assert all(each.startswith(warning) for each in found)


def test_what_is_known() -> None:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}}
    expected = Advice(
        "team",
        "thumbnail",
        "Warm",
        10,
        2.0,
        0.01,
        6,
        "Warm",
        "A pod takes 2.0 s to start and the task 10 ms: most of the time is waiting.",
        Requests("10m", "64Mi"),
        Requests("1", "1Gi"),
    )
    assert expected == advise(definition(isolation="Warm", container={"resources": resources}), tasks(10))
