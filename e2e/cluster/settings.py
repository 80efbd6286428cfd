"""What the user may choose, read once from the environment, and where everything is kept."""

import ipaddress
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from e2e.cluster.errors import ClusterError
from pydantic import BaseModel, ConfigDict, field_validator

DEFAULT_NAME = "celeriac"
DEFAULT_SUBNET = "10.213.0.0/16"


class Provider(StrEnum):
    """Who gives the cluster."""

    AUTO = "auto"
    CURRENT = "current"
    KIND = "kind"
    LOCAL = "local"


class Settings(BaseModel):
    """One frozen answer to every question that a user may decide."""

    model_config = ConfigDict(frozen=True)

    provider: Provider = Provider.AUTO
    name: str = DEFAULT_NAME
    subnet: ipaddress.IPv4Network = ipaddress.IPv4Network(DEFAULT_SUBNET)
    unsafe_etcd: bool = False
    kubelet_disk: Path | None = None
    """Where the kubelet has its files and those of pods, and evicts pods when that gets full; None: with all others."""
    cache: Path

    @field_validator("name")
    @classmethod
    def _fits_interface_names(cls, name: str) -> str:
        # Linux allows 15 characters in an interface name, and ours is the cluster's name with a digit.
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", name):
            raise ValueError(f"a cluster name has 1 to 12 of a-z, 0-9 and -, not {name!r}")
        return name

    @field_validator("subnet")
    @classmethod
    def _holds_pods_and_services(cls, subnet: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
        if subnet.prefixlen > 20:
            raise ValueError(f"a subnet of /20 or wider is needed for pods and services, not {subnet}")
        return subnet

    @cached_property
    def layout(self) -> "Layout":
        return Layout(cache=self.cache, cluster=self.cache / _cluster_directory(self.name))

    @property
    def kubelet(self) -> Path:
        """Where the kubelet has its files."""
        return self.kubelet_disk or self.layout.cluster / "kubelet"

    @cached_property
    def network(self) -> "Network":
        return Network(self.subnet)


class Layout(BaseModel):
    """The directories: what outlives a cluster (cache), and what goes with it (cluster)."""

    model_config = ConfigDict(frozen=True)

    cache: Path
    cluster: Path

    @property
    def binaries(self) -> Path:
        return self.cache / "bin"

    @property
    def images(self) -> Path:
        return self.cache / "images"

    @property
    def build_logs(self) -> Path:
        return self.cache / "logs"

    @property
    def pki(self) -> Path:
        return self.cluster / "pki"

    @property
    def config(self) -> Path:
        return self.cluster / "config"

    @property
    def logs(self) -> Path:
        return self.cluster / "logs"

    @property
    def processes(self) -> Path:
        return self.cluster / "processes"

    @property
    def kubeconfig(self) -> Path:
        return self.cluster / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.cluster / "containerd" / "containerd.sock"


class Network:
    """The addresses of the local cluster, all cut from one subnet so that one choice avoids every clash."""

    def __init__(self, subnet: ipaddress.IPv4Network) -> None:
        self.subnet = subnet
        quarters = list(subnet.subnets(prefixlen_diff=2))
        self.link, self.services, self.pods = quarters[0], quarters[1], quarters[2]
        self.host_ip, self.node_ip = self.link[1], self.link[2]
        self.api_service_ip, self.dns_service_ip = self.services[1], self.services[10]

    @property
    def api_url(self) -> str:
        return f"https://{self.node_ip}:6443"


def from_environ(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; a value that makes no sense is told by the name of its variable."""
    try:
        return Settings(
            provider=Provider(environ.get("CELERIAC_CLUSTER") or Provider.AUTO),
            name=environ.get("CELERIAC_CLUSTER_NAME") or DEFAULT_NAME,
            subnet=ipaddress.IPv4Network(environ.get("CELERIAC_CLUSTER_SUBNET") or DEFAULT_SUBNET),
            unsafe_etcd=environ.get("CELERIAC_CLUSTER_UNSAFE_ETCD", "") not in ("", "0", "false"),
            cache=_cache_directory(environ),
        )
    except ValueError as error:
        raise ClusterError(
            f"A CELERIAC_CLUSTER… variable has a value that cannot be used: {error}",
            "CELERIAC_CLUSTER is auto, current, kind or local; CELERIAC_CLUSTER_SUBNET is like 10.213.0.0/16.",
        ) from error


def _cache_directory(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~"), ".cache").expanduser()
    return Path(base).absolute() / "celeriac"


def _cluster_directory(name: str) -> str:
    return "cluster" if name == DEFAULT_NAME else f"cluster-{name}"
