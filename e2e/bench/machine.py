"""What the figures were taken on, as far as it matters to them."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from e2e.support.kube import NODES, Kube

QUIET_LOAD = 1.0
"""A load average beyond this disturbs what is measured."""


@dataclass(frozen=True)
class Machine:
    """The machine and the cluster."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    cluster: str

    def __str__(self) -> str:
        return f"{self.cores} cores ({self.processor}), {self.memory_gib:.0f} GiB; {self.system}; {self.cluster}"


def describe(kube: Kube) -> Machine:
    """Look at the node that runs the pods, and at this machine's processor."""
    nodes = kube.list(NODES, None)
    info, capacity = nodes[0]["status"]["nodeInfo"], nodes[0]["status"]["capacity"]
    plural = "s" if len(nodes) > 1 else ""
    return Machine(
        processor_name(Path("/proc/cpuinfo").read_text()),
        int(capacity["cpu"]),
        kibibytes(capacity["memory"]) / 1024**2,
        f"{info['osImage']}, Linux {info['kernelVersion'].split('-')[0]}",
        f"Kubernetes {info['kubeletVersion']}, {len(nodes)} node{plural}, {info['containerRuntimeVersion']}",
    )


def processor_name(cpuinfo: str) -> str:
    """The model name in /proc/cpuinfo."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else "processor unknown"


def kibibytes(quantity: str) -> float:
    """A node's memory: Kubernetes gives it in Ki."""
    return float(quantity.removesuffix("Ki"))


def load() -> float:
    """How many processes wanted to run during the last minute."""
    return os.getloadavg()[0]
