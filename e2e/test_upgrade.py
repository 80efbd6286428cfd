"""The chart upgraded, rolled back and uninstalled while tasks are in flight: none is lost, none runs twice.

From an earlier state of this repository to that of today, with NATS on a volume, and Tasks that come both ways.
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.cluster.images.catalogue import OPERATOR_IMAGE, SDK_IMAGE
from e2e.support.audit import Audit, audit, definition_for, started_ahead
from e2e.support.connection import apply_crds, load_yaml
from e2e.support.earlier import FIRST, WITH_WORKERS, Earlier, earlier
from e2e.support.isolation import ready
from e2e.support.kube import CLAIMS, CRDS, NAMESPACES, PODS, Kube
from e2e.support.load import audited, load
from e2e.support.manifests import queue, task
from e2e.support.messages import Mailbox
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.nats import ReleasedNats
from e2e.support.operator import local_operator
from e2e.support.predicates import attempt_runs, gone, status
from e2e.support.release import Release
from e2e.support.volumes import NATS_CLAIM, NATS_ON_A_VOLUME, volume_for

EACH = 3
"""So many Tasks by kubectl, and as many by message, at a time."""
LONG_SECONDS = 15
"""Longer than it takes until another operator leads."""
AHEAD = ("Warm", "Worker")


@contextmanager
def released(kube: Kube, directory: Path, commit: str, tag: str) -> Iterator[Earlier]:
    """A release that is upgraded from, with its CRDs; those of today are there again afterwards."""
    found = earlier(directory, commit, tag)
    found.load_image()
    for manifest in load_yaml(found.crds):
        kube.apply(manifest)
    yield found
    apply_crds(kube)


@pytest.fixture
def first(kube: Kube, quiet: Release, tmp_path: Path) -> Iterator[Earlier]:
    """The first release."""
    with released(kube, tmp_path, FIRST, "first") as found:
        yield found


@pytest.fixture
def with_workers(kube: Kube, quiet: Release, tmp_path: Path) -> Iterator[Earlier]:
    """One that has pods which are started ahead."""
    with released(kube, tmp_path, WITH_WORKERS, "workers") as found:
        yield found


@pytest.fixture
def watched(kube: Kube, quiet: Release) -> Iterator[Namespace]:
    """The namespace of the tasks."""
    with fresh_namespace(kube, labels=RESTRICTED) as found:
        yield found


@pytest.fixture
def own(kube: Kube, watched: Namespace) -> Iterator[Release]:
    """A release for that namespace, not installed yet; NATS gets a volume."""
    name = f"upgrade-{secrets.token_hex(3)}"
    with (
        fresh_namespace(kube, prefix="e2e-own", labels=RESTRICTED) as place,
        volume_for(kube, place.name, NATS_CLAIM, "1Gi"),
    ):
        release = Release(kube, name, place.name)
        try:
            yield release
        finally:
            release.uninstall()


def values(watched: Namespace, *more: str) -> tuple[str, ...]:
    return (
        "fullnameOverride=celeriac",
        f"watch.namespaces[0]={watched.name}",
        *NATS_ON_A_VOLUME,
        *more,
    )


class Traffic:
    """Tasks of all sorts, half of them by message, and the end that each must have."""

    def __init__(self, watched: Namespace, release: Release) -> None:
        self._nats = ReleasedNats(watched.kube, release.namespace)
        self._mailbox = Mailbox("", watched)
        self._namespace = watched
        self.expected: dict[str, str] = {}

    @property
    def mailbox(self) -> Mailbox:
        """The queue's door: after an installation its address is another."""
        self._nats.pod()
        with self._nats.reached() as url:
            host = url.removeprefix("nats://")
            self._mailbox.url = f"nats://operator:{self._nats.password('operator')}@{host}"
        return self._mailbox

    def send(self, prefix: str, mode: str = "Pod", *, long: bool = True) -> None:
        """Send some of each sort, and a long one first."""
        by_hand, by_message = load(f"{prefix}-k", EACH, mode), load(f"{prefix}-m", EACH, mode)
        if long:
            first = f"{prefix}-long"
            by_hand = {first: (audited(first, LONG_SECONDS, 0, mode=mode), "Succeeded"), **by_hand}
        for manifest, _ in by_hand.values():
            self._namespace.submit(manifest)
        self.mailbox.submit(*(manifest for manifest, _ in by_message.values()))
        self.expected |= {name: wanted for name, (_, wanted) in (by_hand | by_message).items()}

    def send_during(
        self, prefix: str, doing: Future[str] | Future[None], mode: str = "Pod", *, long: bool = True
    ) -> int:
        """Send on until it is done, as fast as tasks end; how many rounds that took."""
        rounds = 0
        while not doing.done():
            self.send(f"{prefix}-{rounds}", mode, long=long)
            self._namespace.wait(f"{prefix}-{rounds}-k-0")
            rounds += 1
        doing.result()
        return rounds

    def settle(self) -> None:
        """Wait until every one has ended."""
        self.mailbox.wait_empty()
        for name in self.expected:
            self._namespace.wait(name)


def problems(traffic: Traffic, book: Audit) -> list[str]:
    letters = [f"{letter.name}: a dead letter, {letter.reason}" for letter in traffic.mailbox.letters()]
    return [*book.problems(traffic.expected), *book.made_again(), *letters]


def images(release: Release) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in release.pods()}


@pytest.mark.alone
def test_what_is_upgraded_from_is_an_earlier_state(first: Earlier) -> None:
    if first.is_of_today:
        pytest.skip("the history is not here (a shallow clone?): today's state is upgraded to itself by another tag")


@pytest.mark.alone
def test_an_upgrade_and_a_rollback_lose_nothing_and_run_nothing_twice(
    kube: Kube, first: Earlier, watched: Namespace, own: Release
) -> None:
    with audit(watched) as book, ThreadPoolExecutor(1) as beside:
        own.install(*values(watched, f"image.tag={first.tag}"), chart=first.chart)
        watched.apply(queue("default", maxConcurrency=8, inlineContainers="Allow"))
        traffic = Traffic(watched, own)
        traffic.send("before")
        assert images(own) == {first.image}

        apply_crds(kube)  # as docs/upgrades.md says: before the operator that needs them
        during_upgrade = traffic.send_during("up", beside.submit(own.install, *values(watched)))
        assert images(own) == {OPERATOR_IMAGE}
        during_rollback = traffic.send_during("down", beside.submit(own.rollback))
        assert images(own) == {first.image}
        traffic.settle()

        print(
            f"{len(traffic.expected)} tasks; {during_upgrade} rounds in the upgrade, {during_rollback} in the rollback"
        )
        assert problems(traffic, book) == []


@pytest.mark.alone
def test_an_upgrade_and_a_rollback_under_pods_that_are_started_ahead(
    kube: Kube, with_workers: Earlier, watched: Namespace, own: Release
) -> None:
    """Their SDK is older than the operator that is upgraded to, then newer than the one that is gone back to."""
    with audit(watched, *AHEAD, image=with_workers.image) as book, ThreadPoolExecutor(1) as beside:
        own.install(*values(watched, f"image.tag={with_workers.tag}"), chart=with_workers.chart)
        watched.apply(queue("default", maxConcurrency=8, inlineContainers="Allow"))
        traffic = Traffic(watched, own)
        in_flight(traffic, watched, "up")
        apply_crds(kube)
        traffic.send_during("upgrade", beside.submit(own.install, *values(watched)), "Worker", long=False)
        assert images(own) == {OPERATOR_IMAGE}
        traffic.settle()

        for mode in AHEAD:
            watched.define(started_ahead(mode, SDK_IMAGE))
        in_flight(traffic, watched, "down")
        traffic.send_during("rollback", beside.submit(own.rollback), "Worker", long=False)
        assert images(own) == {with_workers.image}

        in_flight(traffic, watched, "after")
        traffic.settle()
        assert problems(traffic, book) == []


def in_flight(traffic: Traffic, watched: Namespace, prefix: str) -> None:
    """Tasks of each sort in pods that waited and in workers; of each mode a long one runs."""
    for mode in AHEAD:
        ready(watched, definition_for(mode))
        traffic.send(f"{prefix}-{mode.lower()}", mode)
    for mode in AHEAD:
        long = f"{prefix}-{mode.lower()}-long"
        watched.wait(long, attempt_runs(1))
        assert "-w-" in watched.job_name(long), "no pod had waited for it"


def test_an_uninstall_leaves_nothing_stuck_and_the_next_installation_goes_on(
    kube: Kube, watched: Namespace, own: Release
) -> None:
    own.install(*values(watched))
    with audit(watched, *AHEAD) as book:
        watched.apply(queue("default", maxConcurrency=8, inlineContainers="Allow"))
        for mode in AHEAD:
            ready(watched, definition_for(mode))
        traffic = Traffic(watched, own)
        for mode in ("Pod", *AHEAD):
            traffic.send(f"across-{mode.lower()}", mode)
        for mode in ("Pod", *AHEAD):
            watched.wait(f"across-{mode.lower()}-long", attempt_runs(1))
        own.remove()

        assert own.pods() == []
        assert kube.list(PODS, own.namespace) == []
        assert status(kube.get(CLAIMS, own.namespace, NATS_CLAIM)).get("phase") == "Bound"  # kept, as NOTES.txt says
        assert kube.get(CRDS, None, "tasks.celeriac.dev") is not None
        assert "finalizers" not in watched.task("across-pod-long")["metadata"]

        own.install(*values(watched))
        traffic.settle()
        for mode in AHEAD:
            ready(watched, definition_for(mode))
        assert problems(traffic, book) == []


def test_a_namespace_with_tasks_goes_though_no_operator_runs(kube: Kube, unwatched: Namespace) -> None:
    with local_operator(kube.kubeconfig, unwatched.name):
        unwatched.submit(task("left", "sleep 600", deadlines={"graceSeconds": 1}))
        unwatched.wait("left", attempt_runs(1))

    kube.delete(NAMESPACES, None, unwatched.name)

    kube.wait(NAMESPACES, None, unwatched.name, gone())
