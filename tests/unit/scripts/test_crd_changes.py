"""What may change of a CRD, and what may not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from scripts.crd_changes import RELEASED, TODAY, changes, narrowed

Schema = dict[str, Any]

OLD: Schema = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "maxLength": 100},
        "pull": {"type": "string", "enum": ["Always", "Never"]},
        "count": {"type": "integer", "minimum": 0},
        "args": {"type": "array", "maxItems": 9, "items": {"type": "string", "maxLength": 50}},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [{"rule": "self.count < 9", "message": "too many"}],
}


def put(*path: str, value: Any) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        for key in path[:-1]:
            schema = schema[key]
        schema[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        for key in path[:-1]:
            schema = schema[key]
        del schema[path[-1]]

    return change


def rule(text: str) -> Callable[[Schema], None]:
    return lambda schema: schema["x-kubernetes-validations"].append({"rule": text})


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param(lambda _: None, [], id="nothing has changed"),
        pytest.param(put("properties", "new", value={"type": "string"}), [], id="a field is new"),
        pytest.param(put("properties", "image", "maxLength", value=200), [], id="a bound is wider"),
        pytest.param(drop("properties", "count", "minimum"), [], id="a bound is gone"),
        pytest.param(put("properties", "pull", "enum", value=["Always", "Never", "Ask"]), [], id="a value is new"),
        pytest.param(put("required", value=[]), [], id="a field is optional now"),
        pytest.param(rule("self.image == oldSelf.image"), [], id="a rule about changes is new"),
        pytest.param(
            put("properties", "labels", "x-kubernetes-map-type", value="atomic"),
            ["v1.labels: x-kubernetes-map-type was None and is atomic"],
            id="an object of many owners gets one",
        ),
        pytest.param(drop("properties", "count"), ["v1.count is gone"], id="a field is gone"),
        pytest.param(
            put("required", value=["image", "pull"]), ["v1.pull is required now"], id="a field is required now"
        ),
        pytest.param(
            put("properties", "count", "type", value="string"),
            ["v1.count: type was integer and is string"],
            id="a type is another",
        ),
        pytest.param(
            put("properties", "pull", "enum", value=["Always"]),
            ["v1.pull: Never is no value any more"],
            id="a value is gone",
        ),
        pytest.param(
            put("properties", "image", "enum", value=["a"]),
            ["v1.image: anything else is no value any more"],
            id="there are only certain values now",
        ),
        pytest.param(
            put("properties", "image", "maxLength", value=99),
            ["v1.image: maxLength was 100 and is 99"],
            id="less is allowed",
        ),
        pytest.param(
            put("properties", "count", "maximum", value=9), ["v1.count: maximum was None and is 9"], id="a bound is new"
        ),
        pytest.param(
            put("properties", "count", "minimum", value=1), ["v1.count: minimum was 0 and is 1"], id="more is demanded"
        ),
        pytest.param(
            put("properties", "image", "pattern", value="^a"),
            ["v1.image: pattern was None and is ^a"],
            id="a pattern is new",
        ),
        pytest.param(
            put("properties", "args", "items", "maxLength", value=5),
            ["v1.args[]: maxLength was 50 and is 5"],
            id="items are narrower",
        ),
        pytest.param(
            put("properties", "labels", "additionalProperties", "maxLength", value=5),
            ["v1.labels{}: maxLength was 63 and is 5"],
            id="values of a map are narrower",
        ),
        pytest.param(
            put("properties", "any", value={}),
            ["v1.any: x-kubernetes-preserve-unknown-fields was allowed"],
            id="what was open is closed",
        ),
        pytest.param(rule("self.count > 1"), ["v1: there is a new rule: self.count > 1"], id="a rule is new"),
    ],
)
def test_of_a_schema(change: Callable[[Schema], None], wanted: list[str]) -> None:
    new = copy.deepcopy(OLD)
    change(new)

    assert list(narrowed(OLD, new, "v1")) == wanted


def crd(*names: str, served: bool = True) -> Schema:
    version = {"served": served, "schema": {"openAPIV3Schema": OLD}}
    return {"spec": {"versions": [{"name": name, **version} for name in names]}}


@pytest.mark.parametrize(
    ("today", "wanted"),
    [
        pytest.param(crd("v1alpha1", "v1"), [], id="a version is new"),
        pytest.param(crd("v1"), ["version v1alpha1 is gone"], id="a version is gone"),
        pytest.param(crd("v1alpha1", served=False), ["version v1alpha1 is not served any more"], id="not served"),
    ],
)
def test_of_versions(today: Schema, wanted: list[str]) -> None:
    assert changes(crd("v1alpha1"), today) == wanted


def test_the_crds_of_today_take_what_the_last_release_stored() -> None:
    names = {path.name for path in RELEASED.glob("*.yaml")}
    found = [(name, changes(*(yaml.safe_load((d / name).read_text()) for d in (RELEASED, TODAY)))) for name in names]

    assert len(names) == 4
    assert [each for each in found if each[1]] == []
