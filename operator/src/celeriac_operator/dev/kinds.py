"""The kinds that the API server in memory has, and what it tells of them when it is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celeriac.api.crd import RESOURCES
from celeriac.api.v1alpha1.model import GROUP, VERSION

Raw = dict[str, Any]
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind's place in the API."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def ours(self) -> bool:
        """Whether it is one of Celeriac's, with a schema and a status of its own."""
        return self.group == GROUP


JOBS = Kind("batch", "v1", "Job", "jobs")
PODS = Kind("", "v1", "Pod", "pods")
NAMESPACES = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
SECRETS = Kind("", "v1", "Secret", "secrets")
CONFIG_MAPS = Kind("", "v1", "ConfigMap", "configmaps")
KINDS = (
    *(Kind(GROUP, VERSION, each.kind, each.plural, short_names=each.short_names) for each in RESOURCES),
    *(JOBS, PODS, NAMESPACES, SECRETS, CONFIG_MAPS),
    Kind("", "v1", "Event", "events"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions"),
    Kind("coordination.k8s.io", "v1", "Lease", "leases"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path leads to."""

    kind: Kind
    namespace: str | None
    name: str | None
    subresource: str | None


def place_of(path: str) -> Place | None:
    """Where a path leads; None: nowhere."""
    parts = path.strip("/").split("/")
    head = 2 if parts[0] == "api" else 3
    group = "" if parts[0] == "api" else "/".join(parts[1:2])
    rest = parts[head:]
    namespace = None
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    kind = next((each for each in KINDS if each.group == group and rest and each.plural == rest[0]), None)
    if kind is None or "/".join(parts[1:head]) != kind.api_version or len(rest) > 3:
        return None
    name, subresource = [*rest[1:], None, None][:2]
    return Place(kind, namespace, name, subresource)


def discovery(path: str) -> Raw | None:
    """The answer to a question about what there is; None: it is none."""
    groups = sorted({each.group for each in KINDS if each.group})
    parts = path.strip("/").split("/")
    match parts:
        case ["version"]:
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0-celeriac-dev"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
        case ["api", version]:
            return _resources(version)
        case ["apis", group, version]:
            return _resources(f"{group}/{version}")
        case _:
            return None


def _group(name: str) -> Raw:
    version = next(each.version for each in KINDS if each.group == name)
    both = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [both], "preferredVersion": both}


def _resources(api_version: str) -> Raw | None:
    kinds = [each for each in KINDS if each.api_version == api_version]
    found = [
        {
            "name": f"{each.plural}{part}",
            "singularName": each.kind.lower(),
            "kind": each.kind,
            "namespaced": each.namespaced,
            "verbs": ["get", "patch", "update"] if part else _VERBS,
            "shortNames": list(each.short_names),
        }
        for each in kinds
        for part in (("", "/status") if each.ours else ("",))
    ]
    return {"kind": "APIResourceList", "groupVersion": api_version, "resources": found} if found else None
