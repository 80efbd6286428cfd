"""What the operator trusts, and what it is trusted by, is renewed under Tasks: it goes on, and nothing runs twice.

A Kubernetes of the test's own, and an operator that has a service account's files where a pod has them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from e2e.cluster import pki
from e2e.support.connection import apply_crds
from e2e.support.kube import SECRETS, Kube, Obj
from e2e.support.manifests import definition, queue, task, task_of
from e2e.support.namespaces import Namespace
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import phase
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.control_plane import IDENTITIES, ControlPlane, control_plane
from tests.support.paper_node import PaperNode, paper_node

NAMESPACE = "media"
COUNT = 6
PATIENT = {"CELERIAC_LEASE_SECONDS": "60", "CELERIAC_RENEW_DEADLINE_SECONDS": "50"}
"""The API server is started anew meanwhile, which may take longer than a Lease lasts."""
_AS_IN_A_POD = """
mount -t tmpfs none /run; mkdir -p /run/secrets/kubernetes.io; ln -s "$1" /run/secrets/kubernetes.io/serviceaccount
unset KUBECONFIG; shift; exec "$@"
"""


@dataclass
class Site:
    """A control plane, and the operator's service account."""

    plane: ControlPlane
    kube: Kube
    space: Namespace
    node: PaperNode
    account: Path
    """Its files, as a pod has them."""
    another: Path
    """Certificates of an authority that the operator does not know."""
    bound: int = 0

    def write(self, name: str, text: str) -> None:
        """Replace a file of the account's, as the kubelet does: whoever reads it has the old one or the new one."""
        fresh = self.account / f".{name}"
        fresh.write_text(text)
        fresh.rename(self.account / name)

    def new_token(self) -> str:
        """One that is bound to a Secret of its own."""
        self.bound += 1
        self.kube.create(_secret(f"bound-{self.bound}"), NAMESPACE)
        return self.kube.token(NAMESPACE, "operator", bound_to=self.kube.get(SECRETS, NAMESPACE, f"bound-{self.bound}"))

    def restart(self) -> None:
        """A new API server, with what its files have now."""
        self.plane.kill("kube-apiserver")
        self.plane.bring_up("kube-apiserver")

    @contextmanager
    def operator(self, **settings: str) -> Iterator[LocalOperator]:
        """Running, with the files of the account where a pod has them."""
        where = urlsplit(self.plane.url)
        reach = {"KUBERNETES_SERVICE_HOST": str(where.hostname), "KUBERNETES_SERVICE_PORT": str(where.port)}
        within = ("unshare", "--mount", "sh", "-ec", _AS_IN_A_POD, "sh", str(self.account))
        with local_operator(self.plane.kubeconfig, NAMESPACE, within=within, **reach, **settings) as running:
            yield running

    def begin(self, prefix: str) -> list[str]:
        """Tasks that run until they may end."""
        names = [f"{prefix}-{number}" for number in range(COUNT)]
        self.node.plays |= dict.fromkeys(names, "runs")
        self.space.submit(*map(task, names))
        for name in names:
            self.space.wait(name, phase("Running"))
        return names

    def all_end_well(self, names: list[str], after: str) -> None:
        """These, and one of a definition that is made now: kopf's watches go on, too."""
        for name in names:
            self.node.plays[name] = "succeeds"
        self.space.apply(definition(after, "true"))
        self.space.submit(task_of(after, after))
        for name in (*names, after):
            self.space.wait(name, phase("Succeeded"))
            assert self.node.starts[name] == 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("needs root: the operator's process gets a mount namespace")
    there, account, another = (tmp_path_factory.mktemp(name) for name in ("plane", "account", "another"))
    pki.ensure(another, IDENTITIES)
    with control_plane(there) as plane:
        own = (plane.pki / "ca.crt").read_text()
        # For the test's own client, which is to speak with both.
        (plane.pki / "ca.crt").write_text(own + (another / "ca.crt").read_text())
        with Kube(plane.kubeconfig) as kube:
            apply_crds(kube)
            kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            space = Namespace(kube, NAMESPACE)
            space.apply(queue("default", inlineContainers="Allow"), *_service_account())
            with paper_node(kube, NAMESPACE) as node:
                found = Site(plane, kube, space, node, account, another)
                found.write("ca.crt", own)
                found.write("token", found.new_token())
                yield found


def _service_account() -> list[Obj]:
    """One that may do everything in its namespace: what the operator's own may do is not asked here."""
    of = {"namespace": NAMESPACE, "name": "operator"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", **of}],
    }
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of}, binding]


def _secret(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}


def its_object_is_deleted(site: Site) -> None:
    site.kube.delete(SECRETS, NAMESPACE, f"bound-{site.bound - 1}")


def the_signing_key_is_another(site: Site) -> None:
    for name in ("sa.key", "sa.pub"):
        shutil.copy(site.another / name, site.plane.pki / name)
    site.restart()


@retry(retry=retry_if_exception_type(LookupError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
def is_refused(site: Site, token: str) -> None:
    """Wait until the API server knows that token no more: it remembers for ten seconds that it was good."""
    with urllib3.PoolManager(ca_certs=str(site.plane.pki / "ca.crt")) as pool:
        answer = pool.request("GET", f"{site.plane.url}/api", headers={"Authorization": f"Bearer {token}"})
    if answer.status != 401:
        raise LookupError(f"the API server answers {answer.status}")


@pytest.mark.parametrize(
    ("becomes_invalid", "prefix", "settings"),
    [
        pytest.param(its_object_is_deleted, "deleted", {}, id="the object that it was bound to is deleted"),
        pytest.param(the_signing_key_is_another, "signed", PATIENT, id="the signing key is another"),
    ],
)
def test_a_token_that_is_refused_while_tasks_run_is_replaced(
    site: Site, becomes_invalid: Callable[[Site], None], prefix: str, settings: dict[str, str]
) -> None:
    with site.operator(**settings) as operator:
        process, names = operator.pid, site.begin(prefix)
        before = (site.account / "token").read_text()
        after = site.new_token()
        becomes_invalid(site)
        is_refused(site, before)
        site.write("token", after if becomes_invalid is its_object_is_deleted else site.new_token())

        site.all_end_well(names, f"{prefix}-after")
        assert operator.pid == process


def test_watches_that_begin_anew_have_the_new_token(site: Site) -> None:
    with site.operator(**PATIENT) as operator:
        process, names = operator.pid, site.begin("watches")
        before, after = (site.account / "token").read_text(), site.new_token()
        its_object_is_deleted(site)
        is_refused(site, before)
        site.write("token", after)
        site.restart()

        site.all_end_well(names, "watches-after")
        assert operator.pid == process


def test_the_api_servers_certificate_is_renewed_by_the_same_authority(site: Site) -> None:
    with site.operator(**PATIENT) as operator:
        process, names = operator.pid, site.begin("served")
        for suffix in ("crt", "key"):
            (site.plane.pki / f"kube-apiserver.{suffix}").unlink()
        pki.ensure(site.plane.pki, IDENTITIES)
        site.restart()

        site.all_end_well(names, "served-after")
        assert operator.pid == process


def test_a_standby_that_does_not_know_a_new_authority_says_so_to_its_liveness_probe(site: Site) -> None:
    """It has no Lease to lose: nothing else would tell the kubelet to start it anew."""
    before = (site.account / "ca.crt").read_text()
    with site.operator() as leader, site.operator() as standby:
        assert (leader.problems(), standby.problems()) == ("", "")
        site.write("ca.crt", before + (site.another / "ca.crt").read_text())
        for replica in (standby, leader):
            assert "ca.crt has changed" in replica.problems()
            replica.stop()
            replica.start()
            replica.wait_ready()
            assert replica.problems() == ""
        site.all_end_well(site.begin("bundle"), "bundle-after")
    site.write("ca.crt", before)


def test_a_new_authority_is_known_to_the_process_that_follows_the_one_that_lost_its_lease(site: Site) -> None:
    """Kubernetes has pods replaced for that, once they have both authorities. Who was not goes the hard way."""
    with site.operator() as operator:
        process, names = operator.pid, site.begin("authority")
        for suffix in ("crt", "key"):
            shutil.copy(site.another / f"kube-apiserver.{suffix}", site.plane.pki)
        site.write("ca.crt", (site.another / "ca.crt").read_text())
        site.restart()

        site.all_end_well(names, "authority-after")
        assert operator.pid != process
