"""The CustomResourceDefinitions, made from the models. Pure: ``scripts/generate.py`` writes them to ``crds/``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from celeriac.api.rules import (
    MUTABLE_TASK_FIELDS,
    PARAMS_ARE_GUARDED_ELSEWHERE,
    Rule,
    absolute,
    at_least_nothing,
    at_most_one,
    each_once,
    exactly_one,
    immutable,
    in_order,
    known_resources,
    label_keys,
    labels,
    mounts_are_declared,
    name_rule,
    never_set,
    not_our_volume,
    not_ours,
    object_name,
    requests_within_limits,
    starts_without_params,
    stays_set,
    without_spaces,
)
from celeriac.api.schema import Schema, structural_schema
from celeriac.api.v1alpha1.cron import LONGEST_CRON_NAME, CronTaskSpec, CronTaskStatus
from celeriac.api.v1alpha1.definition import TaskDefinitionSpec, TaskDefinitionStatus
from celeriac.api.v1alpha1.model import GROUP, VERSION
from celeriac.api.v1alpha1.queue import TaskQueueSpec, TaskQueueStatus
from celeriac.api.v1alpha1.schedule import SCHEDULE_VALUES
from celeriac.api.v1alpha1.task import TaskSpec, TaskStatus


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``; priority 1 shows only with ``-o wide``."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True)
class Resource:
    """A kind, and what the API server should know of it beyond its models."""

    kind: str
    plural: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    longest_name: int = 63


LONGEST_LABEL_VALUE = 63
"""Kueue's queue is a label of the Job."""
AGE = Column("Age", ".metadata.creationTimestamp", "date")

RESOURCES = (
    Resource(
        kind="Task",
        plural="tasks",
        description="One piece of work: a container run to its end, with retries and deadlines, and its result.",
        spec=TaskSpec,
        status=TaskStatus,
        columns=(
            Column("Phase", ".status.phase"),
            Column("Reason", ".status.reason"),
            Column("Queue", ".status.effective.queueName", priority=1),
            Column("Definition", ".spec.definitionName"),
            Column("Attempts", ".status.attemptCount", "integer"),
            AGE,
            Column("Finished", ".status.finishTime", "date"),
            Column("Message", ".status.message", priority=1),
        ),
        selectable=(".spec.queueName", ".spec.definitionName", ".status.phase"),
    ),
    Resource(
        kind="TaskDefinition",
        plural="taskdefinitions",
        description="How a kind of task runs: container, pod options, the schemas of params and results.",
        spec=TaskDefinitionSpec,
        status=TaskDefinitionStatus,
        columns=(
            Column("Image", ".spec.container.image"),
            Column("Isolation", ".spec.isolation", priority=1),
            Column("Ready", ".status.warm.ready", "integer", priority=1),
            Column("Version", ".spec.version"),
            Column("Accepted", ".status.conditions[?(@.type=='Accepted')].status"),
            AGE,
        ),
    ),
    Resource(
        kind="TaskQueue",
        plural="taskqueues",
        description="How Tasks of a queue are admitted: how many run at once, how fast they start, and in which order.",
        spec=TaskQueueSpec,
        status=TaskQueueStatus,
        columns=(
            Column("Limit", ".spec.maxConcurrency", "integer"),
            Column("Running", ".status.running", "integer"),
            Column("Queued", ".status.queued", "integer"),
            Column("Oldest", ".status.oldestQueuedSeconds", "integer", priority=1),
            Column("Active", ".status.conditions[?(@.type=='Active')].status"),
            Column("Stopped", ".spec.stopReason", priority=1),
            AGE,
        ),
        short_names=("tq",),
    ),
    Resource(
        kind="CronTask",
        plural="crontasks",
        description="A calendar, and the Task that each of its slots creates.",
        spec=CronTaskSpec,
        status=CronTaskStatus,
        columns=(
            Column("Schedule", ".spec.schedule"),
            Column("Zone", ".spec.timeZone"),
            Column("Suspend", ".spec.suspend", "boolean"),
            Column("Active", ".status.activeCount", "integer"),
            Column("Missed", ".status.missedRuns", "integer"),
            Column("Last", ".status.lastScheduleTime", "date"),
            Column("Next", ".status.nextScheduleTime"),
            Column("Accepted", ".status.conditions[?(@.type=='Accepted')].status", priority=1),
            Column("Message", ".status.conditions[?(@.type=='Accepted')].message", priority=1),
            AGE,
        ),
        longest_name=LONGEST_CRON_NAME,
    ),
)

_LABELS = {"app.kubernetes.io/part-of": "celeriac", "app.kubernetes.io/version": version("celeriac")}
"""The release that they belong to, so that `celeriac doctor` can tell."""

_LISTS_BY_KEY = {
    ("status", "conditions"): ["type"],
    ("status", "attempts"): ["number"],
    ("status", "active"): ["uid"],
}


def custom_resource_definition(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of a resource, as a manifest."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}", "labels": _LABELS},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "categories": ["celeriac"],
                **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
            },
            "versions": [_version(resource)],
        },
    }


def _version(resource: Resource) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in resource.columns],
        **({"selectableFields": [{"jsonPath": path} for path in resource.selectable]} if resource.selectable else {}),
        "schema": {"openAPIV3Schema": _root_schema(resource)},
    }


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**shown, "priority": column.priority} if column.priority else shown


def _root_schema(resource: Resource) -> Schema:
    spec, status = structural_schema(resource.spec), structural_schema(resource.status)
    for (part, field), keys in _LISTS_BY_KEY.items():
        if part == "status" and field in status["properties"]:
            status["properties"][field] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
    # The operator alone writes it, and always as a whole. To keep who owns which of its fields, which nobody asks for,
    # was a third of the object's bytes, and of what one of these writes costs the API server.
    status["x-kubernetes-map-type"] = "atomic"
    _add_rules(resource.kind, spec)
    return {
        "type": "object",
        "description": resource.description,
        "required": ["spec"],
        "x-kubernetes-validations": [name_rule(resource.kind, resource.longest_name)],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _add_rules(kind: str, spec: Schema) -> None:
    rules_of = {
        "Task": _task_rules,
        "TaskDefinition": _definition_rules,
        "TaskQueue": _queue_rules,
        "CronTask": _cron_rules,
    }
    for path, rules in rules_of[kind](spec).items():
        _at(spec, path).setdefault("x-kubernetes-validations", []).extend(rules)


def _task_rules(spec: Schema) -> dict[str, list[Rule]]:
    free = {*MUTABLE_TASK_FIELDS, *PARAMS_ARE_GUARDED_ELSEWHERE}
    fixed = [immutable(field) for field in spec["properties"] if field not in free]
    return {
        "": [
            exactly_one("definitionName", "container"),
            at_most_one("params", "paramsRef"),
            stays_set("cancel"),
            *fixed,
        ],
        **_container_rules("container"),
        **_retry_rules("retry"),
        "paramsRef": [at_least_nothing("size")],
        "startTime": [{"rule": "self >= timestamp('1970-01-01T00:00:00Z')", "message": "must be in 1970 or later"}],
    }


def _container_rules(path: str) -> dict[str, list[Rule]]:
    """What no container can be, whoever says it."""
    return {
        f"{path}.image": [without_spaces()],
        f"{path}.workingDir": [absolute()],
        f"{path}.env": [each_once("name")],
        f"{path}.env.*": [not_ours()],
        f"{path}.resources": [requests_within_limits()],
        f"{path}.resources.requests": [known_resources()],
        f"{path}.resources.limits": [known_resources()],
    }


def _retry_rules(path: str) -> dict[str, list[Rule]]:
    return {
        f"{path}.backoff": [in_order("initialSeconds", "maxSeconds")],
        f"{path}.rules.*": [exactly_one("onExitCodes", "onFailures")],
    }


def _cron_rules(spec: Schema) -> dict[str, list[Rule]]:
    # As a rule, because people would be shown the pattern itself.
    del spec["properties"]["schedule"]["pattern"]
    fits = {
        "rule": f"self.matches(r'{SCHEDULE_VALUES}')",
        "message": "must be five fields (minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, "
        "day of week 0-7 or SUN-SAT) or a nickname such as @daily",
    }
    return {
        "schedule": [fits],
        "taskTemplate.spec": [
            exactly_one("definitionName", "container"),
            at_most_one("params", "paramsRef"),
            never_set("cancel", "a run is cancelled by its own Task"),
            never_set("startTime", "the schedule says when"),
        ],
        "taskTemplate.metadata.labels": labels(),
        "taskTemplate.metadata.annotations": [label_keys("key.lowerAscii()")],
        **_container_rules("taskTemplate.spec.container"),
        **_retry_rules("taskTemplate.spec.retry"),
        "taskTemplate.spec.paramsRef": [at_least_nothing("size")],
    }


def _definition_rules(_: Schema) -> dict[str, list[Rule]]:
    sources = ("configMap", "secret", "emptyDir", "persistentVolumeClaim")
    count = " + ".join(f"(has(self.{source}) ? 1 : 0)" for source in sources)
    one_source = {"rule": f"{count} == 1", "message": f"exactly one of {', '.join(sources)} must be set"}
    container, pod_names = (
        _container_rules("container"),
        ("serviceAccountName", "priorityClassName", "runtimeClassName"),
    )
    return {
        "": [
            starts_without_params("command", "each"),
            starts_without_params("args", "each"),
            starts_without_params("env", "(has(each.value) ? each.value : '')"),
        ],
        **container,
        **_retry_rules("defaults.retry"),
        "warm": [in_order("minReady", "maxReady")],
        "worker": [in_order("minPods", "maxPods")],
        "container.env.*": [*container["container.env.*"], at_most_one("value", "valueFrom")],
        "container.env.*.valueFrom": [exactly_one("secretKeyRef", "configMapKeyRef")],
        "pod": [mounts_are_declared()],
        "pod.volumes": [each_once("name")],
        "pod.volumes.*": [one_source, not_our_volume()],
        "pod.volumeMounts": [each_once("mountPath")],
        "pod.nodeSelector": labels(),
        **{f"pod.{name}": [object_name()] for name in pod_names},
    }


def _queue_rules(_: Schema) -> dict[str, list[Rule]]:
    stopped = "has(self.stopPolicy) && self.stopPolicy != 'None'"
    unstopped = {
        "rule": f"!has(self.stopReason) || ({stopped})",
        "message": "stopReason says why the queue is stopped: set stopPolicy to Hold or HoldAndDrain, or remove it",
        "fieldPath": ".stopReason",
    }
    return {"": [unstopped], "kueueQueueName": [object_name(LONGEST_LABEL_VALUE)]}


def _at(schema: Schema, path: str) -> Schema:
    """The part of a schema at a dotted path; ``*`` steps into a list's items."""
    for step in path.split(".") if path else ():
        schema = schema["items"] if step == "*" else schema["properties"][step]
    return schema
