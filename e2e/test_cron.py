"""CronTasks on the real node: slots come by the minute, so each of these tests waits for one or two of them."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from e2e.support.kube import CRONS, TASKS, Kube, Obj
from e2e.support.manifests import container
from e2e.support.namespaces import Namespace
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import Predicate, condition, gone, status

from celeriac import Client

LABEL = "celeriac.dev/cron"
SLOT = "celeriac.dev/scheduled-time"


def cron(name: str, script: str = "true", *, schedule: str = "* * * * *", task: Obj | None = None, **spec: Any) -> Obj:
    """A CronTask of every minute that runs a shell script."""
    template = {"spec": {"container": container(script), **(task or {})}}
    spec = {"schedule": schedule, "taskTemplate": template, **spec}
    return {"apiVersion": "celeriac.dev/v1alpha1", "kind": "CronTask", "metadata": {"name": name}, "spec": spec}


def wait(namespace: Namespace, name: str, text: str, test: Callable[[Obj], Any]) -> Obj:
    """Wait for something about a CronTask's status."""
    return namespace.kube.wait(CRONS, namespace.name, name, Predicate(text, lambda obj: test(status(obj))))


def runs_of(namespace: Namespace, name: str) -> list[Obj]:
    """The Tasks of a CronTask, in the order of their slots."""
    found = namespace.kube.list(TASKS, namespace.name, labels=f"{LABEL}={name}")
    return sorted(found, key=lambda task: task["metadata"]["name"])


def next_minute() -> datetime:
    """The slot that comes next."""
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


UNTIL_TOLD = "trap 'exit 3' TERM; sleep 300 & wait"


@pytest.fixture(scope="module")
def minutely(shared_namespace: Namespace) -> Namespace:
    """CronTasks of every minute, one for each test that waits for slots: they wait for the same."""
    refused = cron("refused")
    refused["spec"]["taskTemplate"]["metadata"] = {"labels": {f"{'a' * 254}/long": "x"}}  # CEL does not count
    shared_namespace.apply(
        cron("minutely", 'echo "\\"$CELERIAC_TASK\\"" > $CELERIAC_RESULT_FILE'),
        refused,
        cron("replacing", UNTIL_TOLD, concurrencyPolicy="Replace"),
        cron("forbidding", UNTIL_TOLD, concurrencyPolicy="Forbid"),
    )
    return shared_namespace


@pytest.fixture
def client(namespace: Namespace) -> Iterator[Client]:
    """The SDK, as a user has it."""
    with Client(namespace.name, kubeconfig=str(namespace.kube.kubeconfig)) as found:
        yield found


def test_a_slot_runs_under_its_name_and_goes_with_its_crontask(minutely: Namespace) -> None:
    namespace = minutely
    seen = wait(namespace, "minutely", "has run", lambda found: found.get("lastScheduleTime"))
    slot = datetime.fromisoformat(status(seen)["lastScheduleTime"])
    name = f"minutely-{int(slot.timestamp()) // 60}"
    task = namespace.wait(name)

    assert slot.second == 0
    assert task["metadata"]["annotations"][SLOT] == slot.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert status(task)["result"] == {"value": name}
    wait(namespace, "minutely", "shows no active run", lambda found: found.get("activeCount") == 0)
    namespace.kube.delete(CRONS, namespace.name, "minutely")
    namespace.wait(name, gone())


def test_replace_ends_the_earlier_run_before_the_next_starts(minutely: Namespace) -> None:
    namespace = minutely
    first = wait(namespace, "replacing", "runs", lambda found: found.get("active"))
    name = status(first)["active"][0]["name"]
    replaced = namespace.wait(name)
    second = wait(
        namespace, "replacing", "runs another", lambda found: [r for r in found.get("active", ()) if r["name"] != name]
    )
    started = namespace.kube.get(TASKS, namespace.name, status(second)["active"][0]["name"])

    assert status(replaced)["phase"] == "Cancelled"
    assert started is not None
    assert started["metadata"]["creationTimestamp"] >= status(replaced)["finishTime"]


def test_forbid_skips_a_slot_and_says_so(minutely: Namespace) -> None:
    wait(minutely, "forbidding", "has missed a run", lambda found: found.get("missedRuns", 0) >= 1)

    assert len(runs_of(minutely, "forbidding")) == 1


def test_a_schedule_that_cannot_be_is_told(namespace: Namespace) -> None:
    namespace.apply(cron("never", schedule="0 0 30 2 *"))
    found = wait(namespace, "never", "looked at", lambda found: found.get("conditions"))

    assert condition(found, "Accepted") == "False"
    assert [each["reason"] for each in status(found)["conditions"] if each["type"] == "Stalled"] == ["InvalidSchedule"]


def test_a_template_that_the_api_server_refuses_is_told(minutely: Namespace) -> None:
    found = wait(
        minutely,
        "refused",
        "refused",
        lambda found: any(c["status"] == "False" for c in found.get("conditions", ())[:1]),
    )

    assert [each["reason"] for each in status(found)["conditions"] if each["type"] == "Accepted"] == ["InvalidTemplate"]
    assert "labels" in str(status(found)["conditions"])


def test_a_run_by_hand(namespace: Namespace, client: Client) -> None:
    namespace.apply(cron("yearly", schedule="@yearly", suspend=True))
    handle = client.cron_trigger("yearly")

    assert handle.wait(timeout=120).succeeded
    assert handle.name.startswith("yearly-manual-")


def test_a_backfill_runs_each_slot_once(namespace: Namespace, client: Client) -> None:
    namespace.apply(cron("hourly", schedule="0 * * * *", suspend=True))
    end = datetime.now(UTC)
    first = list(client.cron_backfill("hourly", end - timedelta(hours=3), end))
    again = list(client.cron_backfill("hourly", end - timedelta(hours=3), end))

    assert [run.succeeded for run in first] == [True] * 3
    assert [(run.name, run.existed) for run in again] == [(run.name, True) for run in first]


def test_an_operator_that_is_killed_around_its_slots_runs_each_of_them_once(kube: Kube, unwatched: Namespace) -> None:
    """Many CronTasks, so that some of them are between the create and the status at each kill.

    They catch up with what they miss: on a busy machine the kills of one slot last until after the next.
    """
    names = [f"cron-{number}" for number in range(12)]
    with local_operator(kube.kubeconfig, unwatched.name) as operator:
        unwatched.apply(*(cron(name, successfulTasksHistoryLimit=10, catchUp={"policy": "All"}) for name in names))
        slots = [next_minute(), next_minute() + timedelta(minutes=1)]
        for slot in slots:
            kill_around(operator, slot)
        for name in names:
            check_slots(unwatched, name, [slot.strftime("%Y-%m-%dT%H:%M:%SZ") for slot in slots])


def kill_around(operator: LocalOperator, slot: datetime, times: int = 6) -> None:
    """Kill the operator again and again from just before the slot."""
    time.sleep(max((slot - datetime.now(UTC)).total_seconds() - 1, 0))
    for _ in range(times):
        operator.kill_and_start()
        operator.wait_ready()
        time.sleep(0.3)


def check_slots(namespace: Namespace, name: str, slots: list[str]) -> None:
    """Each of the slots has one Task, which was run once; none was missed."""
    after = wait(
        namespace, name, f"through with {slots[-1]}", lambda found: found.get("lastScheduleTime", "") >= slots[-1]
    )
    tasks = {task["metadata"]["annotations"][SLOT]: task["metadata"]["name"] for task in runs_of(namespace, name)}
    ended = [namespace.wait(tasks[slot]) for slot in slots]

    assert (status(after).get("missedRuns") or 0) == 0
    assert [(status(task)["phase"], status(task)["attemptCount"]) for task in ended] == [("Succeeded", 1)] * len(slots)
