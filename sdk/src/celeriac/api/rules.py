"""The CEL rules of the resources: what the schema alone cannot say, checked by the API server. Pure.

Each rule names the field it is about, so that ``kubectl apply`` tells the user where to look.
"""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]

MUTABLE_TASK_FIELDS = ("suspend", "cancel", "priority", "ttlSecondsAfterFinished")
PARAMS_ARE_GUARDED_ELSEWHERE = ("params",)
"""CEL in a CRD cannot compare free-form objects; a ValidatingAdmissionPolicy of the chart does."""


OUR_VARIABLES = "CELERIAC_"
FUNCTION_VARIABLE = "CELERIAC_FUNCTION"
"""The one variable of ours that a container may set: which function the SDK's runner is to call."""
OUR_VOLUMES = ("celeriac-tmp", "celeriac-nats")
"""Volumes that pods have of the operator."""
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE = "^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$"
LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    "([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$"
)


def name_rule(kind: str, longest: int) -> Rule:
    """The object's name is a DNS label of at most so many characters."""
    label = "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')"
    return {
        "rule": f"self.metadata.name.size() <= {longest} && {label}",
        "message": f"metadata.name of a {kind} must be a DNS label: a-z, 0-9 and -, at most {longest} characters",
    }


def exactly_one(first: str, second: str) -> Rule:
    """One of the two fields is set, and not both."""
    return {
        "rule": f"has(self.{first}) != has(self.{second})",
        "message": f"exactly one of {first} and {second} must be set",
    }


def at_most_one(first: str, second: str) -> Rule:
    """Not both of the two fields are set."""
    return {
        "rule": f"!(has(self.{first}) && has(self.{second}))",
        "message": f"at most one of {first} and {second} may be set",
    }


def immutable(field: str) -> Rule:
    """The field stays as it was created: set, with the same value, or unset."""
    return {
        "rule": f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        "message": f"{field} is immutable: create a new Task instead",
        "fieldPath": f".{field}",
    }


def stays_set(field: str) -> Rule:
    """The field may be set, and is not unset again."""
    return {
        "rule": f"!has(oldSelf.{field}) || has(self.{field})",
        "message": f"{field} stays once it is set: create a new Task instead",
    }


def never_set(field: str, why: str) -> Rule:
    """The field, which the model has for elsewhere, may not be set here."""
    return {"rule": f"!has(self.{field})", "message": f"{field} cannot be set in a template: {why}"}


def in_order(least: str, most: str) -> Rule:
    """Of two numbers that are both set, the first is not above the second."""
    return {
        "rule": f"!has(self.{least}) || !has(self.{most}) || self.{least} <= self.{most}",
        "message": f"{least} must be at most {most}",
        "fieldPath": f".{least}",
    }


def each_once(key: str) -> Rule:
    """No two entries of a list have the same key, as Kubernetes would refuse the pod, or take the last."""
    return {
        "rule": f"self.all(one, self.exists_one(other, other.{key} == one.{key}))",
        "message": f"each {key} may be there once: remove the others",
    }


def without_spaces() -> Rule:
    """Of an image: no registry has one whose name has spaces or line breaks."""
    return {
        "rule": r"self.matches(r'^\S+$')",
        "message": "must be the name of an image, which has no spaces and no line breaks",
    }


def absolute() -> Rule:
    """Of a working directory, where the image's own is another word for none: no runtime starts in a relative one."""
    return {
        "rule": "self == '' || self.startsWith('/')",
        "message": "must be an absolute path, such as /work: a container starts in no other",
    }


def not_ours() -> Rule:
    """Of a variable: its name is not one that the operator sets, so that nobody misses what it had set."""
    return {
        "rule": f"!self.name.startsWith('{OUR_VARIABLES}') || self.name == '{FUNCTION_VARIABLE}'",
        "message": f"variables that begin with {OUR_VARIABLES} are the operator's, but for {FUNCTION_VARIABLE}: use "
        "another name",
        "fieldPath": ".name",
    }


def not_our_volume() -> Rule:
    """Of a volume: its name is not that of one that the operator adds."""
    return {
        "rule": f"!(self.name in {list(OUR_VOLUMES)})",
        "message": f"the volume names {' and '.join(OUR_VOLUMES)} are reserved",
    }


def at_least_nothing(field: str) -> Rule:
    """A number is not negative."""
    return {"rule": f"self.{field} >= 0", "message": f"{field} must be 0 or more", "fieldPath": f".{field}"}


def object_name(longest: int | None = None) -> Rule:
    """The name of a Kubernetes object, which a pod or Job with any other is refused for."""
    fits = f"self.matches(r'{DNS_SUBDOMAIN}')"
    bound = f", at most {longest} characters" if longest is not None else ""
    return {
        "rule": fits if longest is None else f"self.size() <= {longest} && {fits}",
        "message": f"must be the name of an object: a-z, 0-9, - and ., a letter or digit at both ends{bound}",
    }


def label_keys(key: str = "key") -> Rule:
    """Of labels, and of annotations: the keys are ones that those can have.

    key: what of a key is looked at, as CEL.
    """
    return {
        "rule": f"self.all(key, {key}.matches(r'{LABEL_KEY}'))",
        "message": "each key must be a label's: a name of at most 63 letters, digits, -, _ and ., and a "
        "domain with / before it or none",
    }


def labels() -> list[Rule]:
    """Of labels, or of a nodeSelector: keys and values are ones that a label can have."""
    return [
        label_keys(),
        {
            "rule": f"self.all(key, self[key].matches(r'{LABEL_VALUE}'))",
            "message": "each value must be a label's: at most 63 letters, digits, -, _ and ., or empty",
        },
    ]


def known_resources() -> Rule:
    """Of requests or limits: Kubernetes refuses a pod that asks for something else, memroy for example."""
    plain = "key in ['cpu', 'memory', 'ephemeral-storage'] || key.startsWith('hugepages-')"
    return {
        "rule": f"self.all(key, {plain} || (key.contains('/') && key.matches(r'{LABEL_KEY}')))",
        "message": "each must be cpu, memory, ephemeral-storage, hugepages-SIZE, or have a domain, as nvidia.com/gpu",
    }


def mounts_are_declared() -> Rule:
    """Of pod options: whatever is mounted is a volume of theirs, or one that each pod has."""
    return {
        "rule": f"!has(self.volumeMounts) || self.volumeMounts.all(mount, mount.name in {list(OUR_VOLUMES)} || "
        "(has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name)))",
        "message": "volumeMounts may name volumes only that are among volumes",
        "fieldPath": ".volumeMounts",
    }


def requests_within_limits() -> Rule:
    """Of compute resources: no request is above its limit, as Kubernetes would refuse the pod."""
    request, limit = ("quantity(string(self." + each + "[name]))" for each in ("requests", "limits"))
    return {
        "rule": "!has(self.requests) || !has(self.limits) || self.requests.all(name, "
        f"!(name in self.limits) || {request}.compareTo({limit}) <= 0)",
        "message": "each of requests must be at most its limit",
        "fieldPath": ".requests",
    }


def starts_without_params(field: str, text: str) -> Rule:
    """Of a TaskDefinition whose pods start before there is a Task: its container refers to no params.

    text: what of each of the field's entries is looked at.
    """
    found = f"has(self.container.{field}) && self.container.{field}.exists(each, {text}.contains('$(params.'))"
    return {
        "rule": f"!has(self.isolation) || self.isolation == 'Pod' || !({found})",
        "message": f"container.{field} may not use $(params.…) with isolation Warm or Worker: "
        "the pod starts before there are params",
        "fieldPath": f".container.{field}",
    }
