"""The whole way through a release: client, the chart's NATS, operator, a pod with the SDK's runner, the record."""

import secrets
from collections.abc import Iterator

import pytest
from e2e.cluster.images import catalogue
from e2e.support.kube import PATIENCE_SECONDS, TASKS, Kube
from e2e.support.manifests import queue
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.nats import ReleasedNats
from e2e.support.predicates import finished, status
from e2e.support.release import Release

from celeriac import Client, errors


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[tuple[Namespace, ReleasedNats]]:
    """A namespace with an operator and a NATS of its own, while the operator for the whole cluster is at rest."""
    own = f"e2e-bus-{secrets.token_hex(3)}"
    with fresh_namespace(kube, labels=RESTRICTED) as namespace:
        release = Release(kube, f"bus-{secrets.token_hex(3)}", own)
        watched = f"watch.namespaces={{{namespace.name}}}"
        try:
            release.install("fullnameOverride=celeriac", "admissionPolicies.enabled=false", watched)
            namespace.apply(queue("default"), _definition())
            yield namespace, ReleasedNats(kube, own)
        finally:
            release.uninstall()


@pytest.fixture
def client(tenant: tuple[Namespace, ReleasedNats], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client with the credentials of its namespace only."""
    namespace, nats = tenant
    user = f"client-{namespace.name}"
    monkeypatch.setenv("CELERIAC_NATS_USER", user)
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", nats.password(user))
    monkeypatch.setenv("CELERIAC_NATS_INBOX_PREFIX", f"_INBOX_{user}")
    with nats.reached() as url, Client(namespace.name, nats_url=url) as connected:
        yield connected


def test_a_functions_result_comes_back_and_its_task_says_the_same(
    client: Client, tenant: tuple[Namespace, ReleasedNats]
) -> None:
    namespace, _ = tenant
    handle = client.submit(definition="translate", params={"pat": "*.py"})
    result = handle.get(PATIENCE_SECONDS)
    task = namespace.kube.wait(TASKS, namespace.name, handle.name, finished())

    assert isinstance(result, str) and ".py" in result
    assert result == status(task)["result"]["value"]
    assert "celeriac.dev/submission" in task["metadata"]["annotations"]


async def test_the_runner_in_the_pod_has_recorded_the_outcome_itself(
    client: Client, tenant: tuple[Namespace, ReleasedNats]
) -> None:
    """With the credentials of its namespace's Secret, which nobody else has put there than the chart."""
    namespace, nats = tenant
    handle = client.submit(definition="translate", params={"pat": "*.txt"})
    handle.get(PATIENCE_SECONDS)
    task = namespace.kube.wait(TASKS, namespace.name, handle.name, finished())
    async with nats.connected("operator") as (operator, refused):
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
