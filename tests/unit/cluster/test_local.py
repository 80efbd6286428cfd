"""The local cluster's daemons keep to their own directory, and are restarted when they should run differently."""

import struct
import tomllib
from pathlib import Path

import pytest
import yaml
from e2e.cluster import preflight, status
from e2e.cluster.local import addons, components, configuration, dns
from e2e.cluster.local.components import Component
from e2e.cluster.settings import Settings, from_environ


@pytest.fixture
def settings() -> Settings:
    return from_environ({"XDG_CACHE_HOME": "/c", "CELERIAC_CLUSTER_SUBNET": "10.9.0.0/16"})


def test_containerd_keeps_everything_below_the_clusters_directory(settings: Settings) -> None:
    config = tomllib.loads(configuration.containerd(settings))

    paths = (config["root"], config["state"], config["grpc"]["address"])
    assert all(path.startswith("/c/celeriac/cluster/") for path in paths)


def test_kubelet_neither_evicts_nor_trusts_strangers(settings: Settings) -> None:
    config = configuration.kubelet(settings)

    assert config["authentication"]["anonymous"] == {"enabled": False}  # type: ignore[index]
    assert config["evictionHard"]["nodefs.available"] == "0%"  # type: ignore[index]


def test_etcd_syncs_unless_told_otherwise(settings: Settings) -> None:
    unsafe = settings.model_copy(update={"unsafe_etcd": True})

    assert "--unsafe-no-fsync" not in components.all_of(settings)["etcd"].argv
    assert "--unsafe-no-fsync" in components.all_of(unsafe)["etcd"].argv


def test_the_recipe_changes_with_arguments_and_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("a")
    daemon = Component("x", ("x", "--a"), "", config)
    before = daemon.recipe()

    assert Component("x", ("x", "--b"), "", config).recipe() != before
    config.write_text("b")
    assert daemon.recipe() != before


def test_the_dns_manifest_has_no_gaps(settings: Settings) -> None:
    objects = list(yaml.safe_load_all(addons.coredns_manifest(settings)))

    assert [each["spec"]["clusterIP"] for each in objects if each["kind"] == "Service"] == ["10.9.64.10"]


def test_a_dns_question_is_as_the_rfc_wants_it() -> None:
    assert dns.question("a.bc")[12:] == b"\x01a\x02bc\x00\x00\x01\x00\x01"


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        pytest.param(struct.pack("!6H", 0x5EED, 0x8580, 1, 1, 0, 0), True, id="an answer"),
        pytest.param(struct.pack("!6H", 0x5EED, 0x8583, 1, 0, 0, 0), False, id="no such name"),
        pytest.param(struct.pack("!6H", 0x5EED, 0x8580, 1, 0, 0, 0), False, id="no address"),
        pytest.param(struct.pack("!6H", 0x1234, 0x8580, 1, 1, 0, 0), False, id="answer to somebody else"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_only_a_real_answer_counts(reply: bytes, wanted: bool) -> None:
    assert dns.is_positive(reply) is wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        pytest.param({"cgroup.controllers": "cpu memory pids\n"}, {"cpu", "memory", "pids"}, id="version 2"),
        pytest.param({"cpu,cpuacct/cgroup.procs": "", "memory/cgroup.procs": ""}, {"cpu", "cpuacct", "memory"}, id="1"),
        pytest.param({}, set(), id="none mounted"),
    ],
)
def test_cgroup_controllers_are_found(tmp_path: Path, files: dict[str, str], wanted: set[str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert preflight.controllers(tmp_path) == wanted


def test_a_cluster_with_no_node_is_not_healthy() -> None:
    found = status.ClusterStatus(provider="local", kubeconfig=Path("/k"))

    assert not found.healthy
