"""What a type refuses and its JSON Schema does not say: that text is a ``Decimal``, say. Pure.

pydantic validates by a *core schema* and writes the JSON Schema from it, which has no word for much of it. What is
known here is what JSON Schema does say; all else of a core schema is a fact, of types that nobody has thought of too.
Facts are compared by ``celeriac check`` and mean nothing to anybody else.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time, timedelta
from fractions import Fraction
from numbers import Number
from typing import Any

from celeriac.app import leaves

KEYWORD = "x-python"
"""Keyword of a JSON Schema: the facts, in order. Validators skip keywords that they do not know."""
KEYS = "x-python-keys"
"""Keyword of ``propertyNames``: the schema of the keys as the function has them, numbers for example."""

_SHAPES = frozenset({
    "any", "none", "bool", "int", "float", "str", "literal", "enum", "list", "tuple", "set", "frozenset",
    "dict", "default", "nullable", "union", "tagged-union", "chain", "lax-or-strict", "json-or-python",
    "custom-error", "definitions", "definition-ref", "model", "model-fields", "model-field", "typed-dict",
    "typed-dict-field", "dataclass", "dataclass-args", "dataclass-field",
})  # fmt: skip
"""Core schemas that JSON Schema has words for, but for the attributes that are not below."""
_SAID = frozenset({
    "min_length", "max_length", "multiple_of", "le", "ge", "lt", "gt", "pattern", "expected", "cls", "members",
    "extra_behavior", "total", "required", "fields", "name",
})  # fmt: skip
_HARMLESS = frozenset({
    "type", "ref", "metadata", "serialization", "regex_engine", "fail_fast", "variadic_item_index", "sub_type",
    "default", "default_factory", "default_factory_takes_data", "on_error", "validate_default", "copy_default",
    "mode", "auto_collapse", "custom_error_type", "custom_error_message", "custom_error_context",
    "from_attributes", "cls_name", "cls_repr", "model_name", "dataclass_name", "computed_fields",
    "collect_init_only", "generic_origin", "root_model", "revalidate_instances", "frozen", "slots",
    "serialization_alias", "serialization_exclude", "serialization_exclude_if", "kw_only", "init", "schema_ref",
    "config", "function", "field_name", "validate_by_name", "validate_by_alias", "serialize_by_alias", "title",
    "loc_by_alias", "hide_input_in_errors", "validation_error_cause", "cache_strings", "extra_fields_behavior",
    "ser_json_timedelta", "ser_json_temporal", "ser_json_bytes", "ser_json_inf_nan", "python_schema",
    "strict_schema",
})  # fmt: skip
"""Attributes that refuse nothing in JSON, and those that are looked at elsewhere."""
_PARTS = ("choices", "steps", "fields", "definitions")
_CONSTRAINTS = frozenset({*_SAID, "strict", "max_digits", "decimal_places", "tz_constraint", "now_op", "ascii_only",
    "function-after", "version", "allowed_schemes", "str_max_length", "str_min_length"})  # fmt: skip
"""Facts that only take something away, so that nothing is refused where they are gone."""

_TAKEN_WHOLE = {"number": {"decimal", "fraction"}}
"""JSON types of which a Python type refuses nothing: only text may be no decimal."""


def facts(node: Mapping[str, Any], *, said: bool, seen: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """What the JSON Schema of a core schema does not say.

    Args:
        said: whether the JSON Schema was written from this core schema; False: something else was put in its place.
        seen: whether a part has a JSON Schema of its own, which has its facts.
    """
    parts = (facts(part, said=False, seen=seen) for part in _parts(node) if not seen(part))
    return _in_order([*(fact for part in parts for fact in part), *_own(node, said)])


def with_facts(schema: dict[str, Any], found: list[str]) -> dict[str, Any]:
    """The JSON Schema with the facts; of alternatives each has them, as they may end up among others."""
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return {**schema, keyword: [with_facts(each, found) for each in schema[keyword]]}
    whole = _TAKEN_WHOLE.get(schema.get("type", ""), set())
    known = [fact for fact in _in_order([*schema.get(KEYWORD, ()), *found]) if fact not in whole]
    return {**schema, KEYWORD: known} if known else schema


def _in_order(found: list[str]) -> list[str]:
    """Each once: functions in the order in which they were wrapped around the type, as one gets what another gives."""
    return sorted(dict.fromkeys(found), key=lambda fact: (True, "") if _is_function(fact) else (False, fact))


def _is_function(fact: str) -> bool:
    return fact.startswith("function-")


def refuses_more(old: list[str], new: list[str]) -> bool:
    """Whether something that has the old facts may be refused by what has the new ones."""
    gone = {fact for fact in old if fact not in new and re.split("[= ]", fact)[0] not in _CONSTRAINTS}
    functions = [[fact for fact in each if _is_function(fact)] for each in (old, new)]
    fewer = functions[1] and functions[0] != functions[1]  # what is left gets something else
    return bool(set(new) - set(old) or (new and gone) or fewer)


def _own(node: Mapping[str, Any], said: bool) -> Iterator[str]:
    kind = node["type"]
    known = said and kind in _SHAPES
    if "function" in node and kind.startswith("function-"):
        function = node["function"]["function"]
        if getattr(function, "__module__", "") != leaves.__name__:  # ours refuse nothing in JSON that is not said
            yield f"{kind} {_called(function)}"
    elif not known:
        yield kind
    ignored = _HARMLESS | (_SAID if known else frozenset()) | (frozenset({"strict"} if kind != "int" else ()))
    yield from _attributes(node, ignored)
    yield from _attributes(node.get("config") or {}, _HARMLESS)


def _attributes(node: Mapping[str, Any], ignored: frozenset[str]) -> Iterator[str]:
    for name, value in node.items():
        plain = name == "validation_alias" and isinstance(value, str)  # the name of the property
        if name not in ignored and not _is_part(name) and not plain and value is not None and value is not False:
            yield f"{name}={_shown(value)}"


def _is_part(name: str) -> bool:
    return name.endswith("schema") or name in _PARTS


def _parts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The core schemas in a core schema that JSON is validated by."""
    for name, value in node.items():
        if _is_part(name) and name not in ("python_schema", "strict_schema", "json_schema_input_schema"):
            yield from _nodes(value)


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _nodes(each)


def _called(function: Any) -> str:
    """A function by name, with what it was made of: never by its address, which is another each time."""
    inner = getattr(function, "func", None)  # functools.partial
    if inner is not None:
        return f"{_called(inner)}({_listed({**dict(enumerate(function.args)), **function.keywords})})"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    around = inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
    return f"{name}({_listed(around)})" if around else name


def _listed(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, str | bytes | Number | date | time | timedelta | Fraction):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return "|".join(sorted(map(_shown, value)))
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    return getattr(value, "__qualname__", type(value).__qualname__)
