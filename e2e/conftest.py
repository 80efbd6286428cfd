"""Fixtures of the end-to-end tests: a real node, the chart, the image.

`make e2e` brings the cluster up and the images into it before.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from e2e.support.connection import apply_crds, connect, is_local, kubeconfig_path
from e2e.support.isolation import Tenant, connected, ready
from e2e.support.kube import Kube
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.release import Release
from e2e.support.report import namespace_report

from celeriac import Client

MakeNamespace = Callable[[], Namespace]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--uninstall` takes the release away at the end."""
    parser.addoption("--uninstall", action="store_true", help="uninstall the release celeriac at the end")


_OF_A_MODULE = {"tenant", "shared_namespace", "scene", "installed"}
"""Fixtures that cost much and that a module's tests share: those stay in one process."""


@pytest.hookimpl(tryfirst=True)  # before the plugin that reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with operators of their own come last, as the release is at rest from then on."""
    items.sort(key=lambda item: "quiet" in _fixtures(item))
    for item in items:
        if "quiet" in _fixtures(item) and not item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.beside)
        if _OF_A_MODULE & _fixtures(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """The admin's kubeconfig of the cluster under test."""
    try:
        return kubeconfig_path()
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def kube(kubeconfig: Path) -> Iterator[Kube]:
    """A connection to the cluster, as the admin."""
    try:
        connection = connect(kubeconfig)
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)
    with connection:
        yield connection


@pytest.fixture
def local_only(kube: Kube) -> None:
    """The test kills processes of the cluster, so they must be ours."""
    if not is_local(kube.kubeconfig):
        pytest.skip("needs the local cluster (CELERIAC_CLUSTER=local): it kills processes of the node")


@pytest.fixture(scope="session")
def release(kube: Kube, request: pytest.FixtureRequest) -> Iterator[Release]:
    """The chart, installed for the whole cluster, with the image as it is now."""
    apply_crds(kube)
    found = Release(kube, "celeriac", "celeriac-system")
    with found.installed(keep=not request.config.getoption("--uninstall")):
        yield found


@pytest.fixture
def namespace(kube: Kube, release: Release) -> Iterator[Namespace]:
    """A namespace of the test's own, in which the restricted Pod Security Standard is enforced."""
    with fresh_namespace(kube, labels=RESTRICTED) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def shared_namespace(kube: Kube, release: Release) -> Iterator[Namespace]:
    """As `namespace`, for all tests of a module: they submit at once and wait one after the other."""
    with fresh_namespace(kube, labels=RESTRICTED) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def quiet(release: Release) -> Iterator[Release]:
    """No operator of the release runs."""
    with release.paused():
        yield release


@pytest.fixture
def unwatched(kube: Kube, quiet: Release) -> Iterator[Namespace]:
    """A namespace that no operator watches yet."""
    with fresh_namespace(kube, labels=RESTRICTED) as fresh:
        yield fresh


@pytest.fixture
def space(tenant: Tenant) -> Namespace:
    """The namespace of the module's tenant, once there are pods for its two definitions."""
    for name in ("translate", "nap"):
        ready(tenant.space, name)
    return tenant.space


@pytest.fixture
def client(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of the namespace of the module's tenant, with the credentials of that namespace only."""
    with connected(tenant, monkeypatch) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with the state of the test's namespaces and the operator's log."""
    report = yield
    if call.when in ("setup", "call") and report.failed and isinstance(item, pytest.Function):
        for title, text in _evidence(item.funcargs):
            report.sections.append((title, text))
    return report


def _evidence(used: dict[str, object]) -> Iterator[tuple[str, str]]:
    for value in list(used.values()):
        try:
            if isinstance(value, Namespace):
                yield f"namespace {value.name}", namespace_report(value.kube, value.name)
            elif isinstance(value, Release):
                yield "operator log", value.log()
        except Exception as error:  # the failure itself matters more than its evidence
            yield "evidence", f"cannot be had: {error!r}"
