"""The whole way through a release: client, the chart's NATS, operator, a pod with the SDK's runner, the record."""

from collections.abc import Iterator

import pytest
from e2e.cluster.images import catalogue
from e2e.support.isolation import Tenant, served
from e2e.support.kube import PATIENCE_SECONDS, TASKS, Kube
from e2e.support.predicates import finished, status
from e2e.support.release import Release

from celeriac import Client, errors


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[Tenant]:
    """While the operator for the whole cluster is at rest."""
    with served(kube, "bus") as found:
        found.space.apply(_definition())
        yield found


def test_a_functions_result_comes_back_and_its_task_says_the_same(client: Client, tenant: Tenant) -> None:
    namespace = tenant.space
    handle = client.submit(definition="translate", params={"pat": "*.py"})
    result = handle.get(PATIENCE_SECONDS)
    task = namespace.kube.wait(TASKS, namespace.name, handle.name, finished())

    assert isinstance(result, str) and ".py" in result
    assert result == status(task)["result"]["value"]
    assert "celeriac.dev/submission" in task["metadata"]["annotations"]


async def test_the_runner_in_the_pod_has_recorded_the_outcome_itself(client: Client, tenant: Tenant) -> None:
    """With the credentials of its namespace's Secret, which nobody else has put there than the chart."""
    namespace = tenant.space
    handle = client.submit(definition="translate", params={"pat": "*.txt"})
    handle.get(PATIENCE_SECONDS)
    task = namespace.kube.wait(TASKS, namespace.name, handle.name, finished())
    async with tenant.nats.connected("operator") as (operator, refused):
        bucket = await operator.jetstream().key_value("celeriac-results")
        entry = await bucket.get(f"{namespace.name}.{task['metadata']['uid']}.1")

    assert b'"author":"Runner"' in (entry.value or b"").replace(b" ", b"")
    assert refused == []


def test_an_exception_comes_back(client: Client) -> None:
    with pytest.raises(errors.TaskFailed):
        client.submit(definition="translate", params={"pat": 7}).get(PATIENCE_SECONDS)


def test_the_client_may_not_submit_to_another_namespace(client: Client) -> None:
    with pytest.raises(errors.Forbidden):
        client.submit(definition="translate", params={"pat": "x"}, namespace="kube-system")


def _definition() -> dict[str, object]:
    container = {
        "image": catalogue.SDK_IMAGE,
        "command": ["env", "CELERIAC_FUNCTION=fnmatch:translate", "python", "-m", "celeriac.run"],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "TaskDefinition",
        "metadata": {"name": "translate"},
        "spec": {"container": container},
    }
