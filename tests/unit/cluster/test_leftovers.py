"""What a killed cluster left is told from what belongs to others."""

import ipaddress
from pathlib import Path

import pytest
from e2e.cluster.local import leftovers, network

_CLUSTER = Path("/c/celeriac/cluster")
_MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
45 44 0:39 / /c/celeriac/cluster/kubelet/pods/1/volumes/token rw shared:4 - tmpfs tmpfs rw
46 45 0:40 / /c/celeriac/cluster/kubelet/pods/1/volumes/token/my\040file rw - tmpfs tmpfs rw
50 27 0:41 / /c/celeriac/cluster-two/rootfs rw,relatime - overlay overlay rw
51 27 0:42 / /c/celeriac/cluster/rootfs rw,relatime - overlay overlay rw
"""


def test_mounts_are_unmounted_inside_out_and_only_ours() -> None:
    points = leftovers.parse_mountinfo(_MOUNTINFO)

    assert leftovers.mounts_below(points, _CLUSTER) == [
        _CLUSTER / "rootfs",
        _CLUSTER / "kubelet/pods/1/volumes/token/my file",
        _CLUSTER / "kubelet/pods/1/volumes/token",
    ]


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        pytest.param("/b/kubelet --root-dir=/c/celeriac/cluster/kubelet", True, id="our kubelet"),
        pytest.param(
            "/usr/bin/containerd-shim-runc-v2 -address /c/celeriac/cluster/containerd/x.sock", True, id="our shim"
        ),
        pytest.param("/b/kubelet --root-dir=/c/celeriac/cluster-two/kubelet", False, id="kubelet of another cluster"),
        pytest.param("/usr/bin/containerd", False, id="the machine's containerd"),
        pytest.param("tail -f /c/celeriac/cluster/logs/kubelet.log", False, id="somebody who reads our logs"),
        pytest.param("kubectl --kubeconfig=/c/celeriac/cluster/kubeconfig get pods -w", False, id="a user's kubectl"),
    ],
)
def test_processes_are_ours_by_program_and_directory(command: str, wanted: bool) -> None:
    assert leftovers.is_ours(command.split(), f"{_CLUSTER}/") is wanted


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        pytest.param({"dst": "default", "dev": "eth0"}, [], id="the default route leads everywhere and does not clash"),
        pytest.param({"dst": "192.0.2.0/24", "dev": "eth0"}, [], id="elsewhere"),
        pytest.param({"dst": "10.213.64.0/18", "dev": "celeriac0"}, [], id="our own"),
        pytest.param({"dst": "10.0.0.0/8", "dev": "tun0"}, ["10.0.0.0/8 dev tun0"], id="a VPN over all of 10/8"),
        pytest.param({"dst": "10.213.0.7", "dev": "tun0"}, ["10.213.0.7 dev tun0"], id="one address of ours"),
    ],
)
def test_a_subnet_clashes_with_routes_of_others(route: dict[str, str], wanted: list[str]) -> None:
    assert network.overlapping([route], ipaddress.IPv4Network("10.213.0.0/16"), "celeriac0") == wanted
