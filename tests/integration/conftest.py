"""Fixtures of the tests against a real API server: the CRDs, and nothing that acts on them.

`make integration` brings the cluster up before. An operator may run in it; these tests neither need nor mind it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.support.connection import apply_crds, connect, kubeconfig_path
from e2e.support.kube import Kube
from e2e.support.namespaces import Namespace, fresh_namespace


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """A connection to a cluster that has the CRDs of this checkout."""
    try:
        connection = connect(kubeconfig_path())
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)
    with connection:
        apply_crds(connection)
        yield connection


@pytest.fixture(scope="session")
def kubeconfig(kube: Kube) -> str:
    """Path of the admin's kubeconfig of a cluster that has the CRDs of this checkout."""
    path: Path = kube.kubeconfig
    return str(path)


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    with fresh_namespace(kube, prefix="e2e-api") as fresh:
        yield fresh


@pytest.fixture(scope="module")
def shared_namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace for all tests of a module."""
    with fresh_namespace(kube, prefix="e2e-api") as fresh:
        yield fresh
