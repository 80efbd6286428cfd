"""The node's network: a namespace, joined to the machine by one pair of links.

The host reaches pods, services and the API server through a route; pods reach the world through the host's address.
All that the host itself gets is that link, two routes and three iptables rules marked with our name.
"""

import ipaddress
import json
from pathlib import Path

from e2e.cluster.commands import run, succeeds
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

_NODE_LINK = "eth0"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_WANTED = 8192  # kubelet and containerd watch files for every container; Debian allows 128 in all


def namespace_path(settings: Settings) -> Path:
    return Path("/run/netns") / settings.name


def host_link(settings: Settings) -> str:
    return f"{settings.name}0"


def enter(settings: Settings) -> tuple[str, ...]:
    """The words that run a program inside the node's network and change nothing else about it."""
    return ("nsenter", f"--net={namespace_path(settings)}", "--")


def up(settings: Settings) -> None:
    """Make what is missing of the node's network."""
    if not _is_complete(settings):
        down(settings)
        _make_links(settings)
    for rule in _host_rules(settings):
        if not succeeds("iptables", "-w", *_as("-C", rule)):
            run("iptables", "-w", *_as("-I", rule))
    _remember_and_set_forwarding(settings)
    if int(_INOTIFY.read_text()) < _INOTIFY_WANTED:
        _INOTIFY.write_text(str(_INOTIFY_WANTED))


def down(settings: Settings) -> None:
    """Remove the namespace, with all rules and links in it, and our marks on the host."""
    for rule in _host_rules(settings):
        while succeeds("iptables", "-w", *_as("-D", rule)):
            pass
    if namespace_path(settings).exists():
        run("ip", "netns", "delete", settings.name)
    # The kernel removes the link together with its other end, but only some time after the namespace.
    succeeds("ip", "link", "delete", host_link(settings))
    _restore_forwarding(settings)


def overlapping(routes: list[dict[str, str]], subnet: ipaddress.IPv4Network, own_link: str) -> list[str]:
    """Name the routes of others that lead into our subnet."""
    found = []
    for route in routes:
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == own_link:
            continue
        if ipaddress.IPv4Network(destination).overlaps(subnet):
            found.append(f"{destination} dev {route.get('dev', '?')}")
    return found


def _is_complete(settings: Settings) -> bool:
    # The route to the services is the last thing made, so it stands for all of it.
    if not succeeds(*enter(settings), "true"):
        return False
    return settings.name in run("ip", "netns", "list").split() and str(settings.network.services) in run(
        "ip", "route", "show", "dev", host_link(settings)
    )


def check_subnet_is_free(settings: Settings) -> None:
    """Refuse addresses that already lead elsewhere from this machine."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show"))
    clashes = overlapping(routes, settings.subnet, host_link(settings))
    if clashes:
        raise ClusterError(
            f"The subnet {settings.subnet} is in use on this machine: {', '.join(clashes)}.",
            "Choose a free one: CELERIAC_CLUSTER_SUBNET=10.x.0.0/16.",
        )


def _make_links(settings: Settings) -> None:
    net, link, inside = settings.network, host_link(settings), enter(settings)
    run("ip", "netns", "add", settings.name)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", _NODE_LINK, "netns", settings.name)
    run("ip", "address", "add", f"{net.host_ip}/{net.link.prefixlen}", "dev", link)
    run("ip", "link", "set", link, "up")
    run(*inside, "ip", "address", "add", f"{net.node_ip}/{net.link.prefixlen}", "dev", _NODE_LINK)
    run(*inside, "ip", "link", "set", _NODE_LINK, "up")
    run(*inside, "ip", "link", "set", "lo", "up")
    run(*inside, "ip", "route", "add", "default", "via", str(net.host_ip))
    run(*inside, "sh", "-c", f"echo 1 > {_FORWARD}")
    for destination in (net.pods, net.services):
        run("ip", "route", "replace", str(destination), "via", str(net.node_ip), "dev", link)


def _host_rules(settings: Settings) -> tuple[tuple[str, ...], ...]:
    subnet, mark = str(settings.subnet), ("-m", "comment", "--comment", f"celeriac-e2e:{settings.name}")
    return (
        ("nat", "POSTROUTING", "-s", subnet, "!", "-d", subnet, *mark, "-j", "MASQUERADE"),
        # Needed where a firewall (Docker's, for one) drops what is forwarded.
        ("filter", "FORWARD", "-s", subnet, *mark, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-d", subnet, *mark, "-j", "ACCEPT"),
    )


def _as(action: str, rule: tuple[str, ...]) -> tuple[str, ...]:
    table, chain, *rest = rule
    return ("-t", table, action, chain, *rest)


def _remember_and_set_forwarding(settings: Settings) -> None:
    if _FORWARD.read_text().strip() == "0":
        _forwarding_mark(settings).touch()
        _FORWARD.write_text("1")


def _restore_forwarding(settings: Settings) -> None:
    if _forwarding_mark(settings).exists():
        _FORWARD.write_text("0")
        _forwarding_mark(settings).unlink()


def _forwarding_mark(settings: Settings) -> Path:
    return settings.layout.cluster / "forwarding-was-off"
