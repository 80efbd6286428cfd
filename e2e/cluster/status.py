"""What is known about a cluster at one moment, for people (a table) and programs (JSON)."""

import json
from pathlib import Path
from typing import Any

from e2e.cluster.progress import duration
from pydantic import BaseModel, computed_field
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text


class ComponentStatus(BaseModel):
    """One daemon."""

    name: str
    pid: int | None
    healthy: bool
    age_seconds: float
    log: Path


class NodeStatus(BaseModel):
    """One node, as the API server knows it."""

    name: str
    ready: bool
    version: str


def parse_nodes(listing: str) -> list[NodeStatus]:
    """Read `kubectl get nodes -o json`, or what the API server itself answers."""
    return [_parse_node(item) for item in json.loads(listing)["items"]]


class ClusterStatus(BaseModel):
    """A whole cluster. `trouble` says in a sentence each what is not as it should be."""

    provider: str
    kubeconfig: Path
    components: list[ComponentStatus] = []
    nodes: list[NodeStatus] = []
    images: list[str] = []
    trouble: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def healthy(self) -> bool:
        return not self.trouble and bool(self.nodes)


def render(status: ClusterStatus) -> RenderableType:
    """The status as a person wants to read it."""
    parts: list[RenderableType] = []
    if status.components:
        parts.append(_components_table(status.components))
    parts.append(_nodes_table(status.nodes))
    if status.images:
        parts.append(Text("Images: " + ", ".join(status.images)))
    verdict = Text("healthy", "bold green") if status.healthy else Text("not healthy", "bold red")
    parts.append(Text.assemble(f"{status.provider} cluster: ", verdict, f"   KUBECONFIG={status.kubeconfig}"))
    parts += [Text(f"- {sentence}", "red") for sentence in status.trouble]
    return Group(*parts)


def _parse_node(item: dict[str, Any]) -> NodeStatus:
    status = item["status"]
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    version = status.get("nodeInfo", {}).get("kubeletVersion", "?")
    return NodeStatus(name=item["metadata"]["name"], ready=conditions.get("Ready") == "True", version=version)


def _components_table(components: list[ComponentStatus]) -> Table:
    table = Table("component", "pid", "health", "age", Column("log", overflow="fold"), box=None)
    for each in components:
        health = Text("healthy", "green") if each.healthy else Text("dead" if each.pid is None else "unwell", "red")
        table.add_row(each.name, str(each.pid or "–"), health, duration(each.age_seconds), str(each.log))
    return table


def _nodes_table(nodes: list[NodeStatus]) -> Table:
    table = Table("node", "state", "version", box=None)
    for node in nodes:
        table.add_row(node.name, Text("ready", "green") if node.ready else Text("not ready", "red"), node.version)
    return table
