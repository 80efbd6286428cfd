"""The chart, installed as a user does: its own test, its probes and metrics, and an operator for one namespace only."""

import secrets
from collections.abc import Iterator

import pytest
from e2e.support.kube import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, TASKS, Kube, Refused
from e2e.support.manifests import task
from e2e.support.metrics import parse
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.predicates import exists, gone, status
from e2e.support.release import Release

METRICS = {
    "celeriac_leader",
    "celeriac_tasks",
    "celeriac_task_queue_wait_seconds_bucket",
    "celeriac_attempt_start_latency_seconds_bucket",
    "celeriac_attempt_run_seconds_bucket",
    "celeriac_attempts_total",
    "celeriac_tasks_finished_total",
    "celeriac_reconcile_seconds_bucket",
    "celeriac_workqueue_depth",
    "celeriac_workqueue_oldest_seconds",
    "celeriac_watch_age_seconds",
    "celeriac_watch_events_total",
    "celeriac_api_calls_total",
    "celeriac_events_dropped_total",
    "process_resident_memory_bytes",
}


def test_helm_test_passes(release: Release) -> None:
    assert "Phase:          Succeeded" in release.test()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_operator_says_that_it_is_well_at(release: Release, path: str) -> None:
    assert release.http(path) == "ok"


def test_the_service_offers_the_metrics(release: Release, namespace: Namespace) -> None:
    before = release.metrics().total("celeriac_tasks_finished_total", phase="Failed")
    namespace.submit(task("measured", "exit 1"))
    namespace.wait("measured")

    metrics = release.metrics()

    assert METRICS - metrics.names == set()
    assert "celeriac_leader" in parse(release.http("/metrics")).names  # of either pod
    assert metrics.total("celeriac_tasks_finished_total", phase="Failed") > before
    assert metrics.total("celeriac_attempts_total", failure="AppError") >= 1


def test_no_reconcile_has_ever_raised(release: Release) -> None:
    assert release.metrics().total("celeriac_reconcile_errors_total", kind="bug") == 0


def test_the_operator_runs_under_the_restricted_standard(release: Release) -> None:
    labelled = {"metadata": {"labels": RESTRICTED}}
    release.kube.patch(NAMESPACES, None, release.namespace, labelled)

    spec = release.leader()["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "same-as-the-operator"}, "spec": spec}
    pod["spec"].pop("nodeName")

    assert release.kube.create(pod, release.namespace, dry_run=True)["metadata"]["name"] == "same-as-the-operator"


def test_two_operators_are_ready_and_one_leads(release: Release) -> None:
    leader = release.leader()["metadata"]["name"]
    ready = [all(each["ready"] for each in pod["status"]["containerStatuses"]) for pod in release.pods()]

    assert ready == [True, True]
    assert leader in {pod["metadata"]["name"] for pod in release.pods()}


def test_params_cannot_be_changed_after_creation(release: Release, namespace: Namespace) -> None:
    namespace.submit(task("fixed", suspend=True, params={"a": 1, "deep": {"b": 2}}))

    for change in ({"a": 2}, {"a": None, "c": 1}, {"deep": {"b": None, "x": 2}}, None):
        with pytest.raises(Refused, match=r"spec\.params: is immutable"):
            namespace.set("fixed", params=change)


def test_params_that_are_far_too_large_are_refused(release: Release, namespace: Namespace) -> None:
    with pytest.raises(Refused, match=r"spec\.params: is too large"):
        namespace.submit(task("large", params={"text": "x" * 140_000}))


@pytest.fixture
def small_release(kube: Kube, quiet: Release) -> Iterator[tuple[Release, Namespace]]:
    """A release that watches one namespace, while that for the whole cluster is at rest."""
    own = f"e2e-release-{secrets.token_hex(3)}"
    with fresh_namespace(kube, labels=RESTRICTED) as watched:
        small = Release(kube, "small", own)
        try:
            small.install("fullnameOverride=celeriac", f"watch.namespaces[0]={watched.name}")
            yield small, watched
        finally:
            small.uninstall()


def test_a_release_for_one_namespace_runs_tasks_there_and_nowhere_else(
    small_release: tuple[Release, Namespace], kube: Kube
) -> None:
    small, watched = small_release
    with fresh_namespace(kube, labels=RESTRICTED) as other:
        other.submit(task("elsewhere"))
        watched.submit(task("here"))

        assert status(watched.wait("here"))["phase"] == "Succeeded"
        assert other.jobs_of("elsewhere") == []
        account = kube.acting_as(f"system:serviceaccount:{small.namespace}:celeriac")
        with pytest.raises(Refused, match="forbidden"):
            account.list(TASKS, other.name)
    for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS):
        assert kube.list(kind, None, labels="app.kubernetes.io/instance=small") == []
    assert "Phase:          Succeeded" in small.test()
    assert small.metrics().total("celeriac_reconcile_errors_total", kind="bug") == 0


@pytest.mark.alone
def test_tasks_that_waited_while_no_operator_ran_are_run_when_it_is_back(
    release: Release, namespace: Namespace
) -> None:
    with release.paused():
        namespace.submit(task("patient"), task("leaves"))
        namespace.kube.wait(TASKS, namespace.name, "patient", exists())
        namespace.delete_task("leaves")

    assert status(namespace.wait("patient"))["phase"] == "Succeeded"
    assert namespace.jobs_of("leaves") == []
    namespace.wait("leaves", gone())
