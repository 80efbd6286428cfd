"""Settings come from the environment, and nonsense is refused with the variables' names."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Provider, from_environ


def test_nothing_set_gives_the_defaults() -> None:
    settings = from_environ({"HOME": "/home/ada"})

    assert settings.provider is Provider.AUTO
    assert settings.layout.cluster == Path("/home/ada/.cache/celeriac/cluster")
    assert settings.layout.binaries == Path("/home/ada/.cache/celeriac/bin")
    assert not settings.unsafe_etcd


def test_xdg_cache_home_moves_everything() -> None:
    settings = from_environ({"HOME": "/home/ada", "XDG_CACHE_HOME": "/big"})

    assert settings.layout.kubeconfig == Path("/big/celeriac/cluster/kubeconfig")


def test_another_name_has_another_directory_but_shares_the_cache() -> None:
    settings = from_environ({"XDG_CACHE_HOME": "/big", "CELERIAC_CLUSTER_NAME": "two"})

    assert settings.layout.cluster == Path("/big/celeriac/cluster-two")
    assert settings.layout.images == Path("/big/celeriac/images")


def test_one_subnet_gives_every_address() -> None:
    network = from_environ({"CELERIAC_CLUSTER_SUBNET": "10.9.0.0/16"}).network

    assert (network.host_ip, network.node_ip) == (IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"))
    assert (str(network.services), str(network.pods)) == ("10.9.64.0/18", "10.9.128.0/18")
    assert (str(network.api_service_ip), str(network.dns_service_ip)) == ("10.9.64.1", "10.9.64.10")
    assert network.api_url == "https://10.9.0.2:6443"


@pytest.mark.parametrize(("text", "wanted"), [("", False), ("0", False), ("false", False), ("1", True)])
def test_etcd_is_unsafe_only_when_asked_for(text: str, wanted: bool) -> None:
    assert from_environ({"CELERIAC_CLUSTER_UNSAFE_ETCD": text}).unsafe_etcd is wanted


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"CELERIAC_CLUSTER": "minikube"}, id="a provider that we do not have"),
        pytest.param({"CELERIAC_CLUSTER_NAME": "Much-Too-Long-A-Name"}, id="a name that no interface can have"),
        pytest.param({"CELERIAC_CLUSTER_SUBNET": "10.9.0.0/24"}, id="a subnet with no room for pods"),
        pytest.param({"CELERIAC_CLUSTER_SUBNET": "ten"}, id="a subnet that is none"),
    ],
)
def test_nonsense_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ClusterError, match="CELERIAC_CLUSTER"):
        from_environ(environ)
