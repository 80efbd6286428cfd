"""The embedded cluster: etcd, the control plane and one node, run as plain processes in a network namespace.

Why a network namespace: iptables rules, CNI links, routes and listening ports of the cluster live in it, so they clash
with nothing on the machine and go, all of them, with the namespace.

    from e2e.cluster import local
    local.stop("kube-apiserver", sig=signal.SIGKILL)
    local.start("kube-apiserver")
    local.wait_healthy("kube-apiserver")
"""

from e2e.cluster.local.leftovers import kill_pods
from e2e.cluster.local.lifecycle import is_running, kubeconfig, names, start, stop, wait_healthy

__all__ = ["is_running", "kill_pods", "kubeconfig", "names", "start", "stop", "wait_healthy"]
