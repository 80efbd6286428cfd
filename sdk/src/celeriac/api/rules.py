"""The CEL rules of the resources: what the schema alone cannot say, checked by the API server. Pure.

Each rule names the field it is about, so that ``kubectl apply`` tells the user where to look.
"""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]

MUTABLE_TASK_FIELDS = ("suspend", "cancel", "priority", "ttlSecondsAfterFinished")
PARAMS_ARE_GUARDED_ELSEWHERE = ("params",)
"""CEL in a CRD cannot compare free-form objects; a ValidatingAdmissionPolicy of the chart does."""


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
