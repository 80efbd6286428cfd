"""JSON Schema whose checks end soon, whatever schema and value are: the operator does one thing at a time. Pure.

Python's own engine backtracks: one pattern such as ``^(a+)+$`` and forty letters keep it busy for hours, and the
operator with it. RE2 cannot do that (Cox, "Regular Expression Matching Can Be Simple And Fast", 2007); it has no
look-around and no back-references, so schemas that use them are refused.

A few references that double each other are exponential as well: there is a budget of them. And jsonschema compares each
item of an array with each other where they must be unique: here it is one look at each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import re2
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

Keyword = Iterator[ValidationError]

PatternError = re2.error
"""A pattern that RE2 does not know."""

REFERENCES = 20_000
"""How many references one check may follow; an honest schema of a 32 KiB value follows a few thousand at most."""

_references: ContextVar[int] = ContextVar("references", default=REFERENCES)


class BudgetError(ValueError):
    """The schema asks for more work than a value may cost."""


_QUIET = re2.Options()
_QUIET.log_errors = False


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _QUIET)  # type: ignore[no-untyped-call]


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Keyword:
    if validator.is_type(instance, "string") and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: dict[str, Any], instance: Any, schema: Any) -> Keyword:
    if validator.is_type(instance, "object"):
        for pattern, part in patterns.items():
            for name in filter(_compiled(pattern).search, instance):
                yield from validator.descend(instance[name], part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: dict[str, Any]) -> Keyword:
    """jsonschema's own check, of what no pattern takes."""
    patterns = schema.get("patternProperties", {})
    if patterns and validator.is_type(instance, "object"):
        taken = {name for pattern in patterns for name in filter(_compiled(pattern).search, instance)}
        instance = {name: value for name, value in instance.items() if name not in taken}
        schema = {name: value for name, value in schema.items() if name != "patternProperties"}
    yield from Draft202012Validator.VALIDATORS["additionalProperties"](validator, allowed, instance, schema)


def _counted(keyword: str) -> Any:
    """The keyword as jsonschema has it, within the budget."""

    def follow(validator: Any, reference: str, instance: Any, schema: Any) -> Keyword:
        _references.set(_references.get() - 1)
        if _references.get() < 0:
            raise BudgetError(f"the schema follows more than {REFERENCES} references for one value")
        yield from Draft202012Validator.VALIDATORS[keyword](validator, reference, instance, schema)

    return follow


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Any) -> Keyword:
    if wanted and validator.is_type(instance, "array"):
        seen = {json.dumps(_comparable(item), sort_keys=True) for item in instance}
        if len(seen) < len(instance):
            yield ValidationError("its items are not unique")


def _comparable(value: Any) -> Any:
    """JSON Schema takes 1 and 1.0 for the same."""
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def errors_within_budget(validator: Validator, value: Any) -> Keyword:
    """The errors of a value.

    Raises:
        BudgetError: the schema asks for too much.
    """
    _references.set(REFERENCES)
    yield from validator.iter_errors(value)


LinearValidator: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "$ref": _counted("$ref"),
        "$dynamicRef": _counted("$dynamicRef"),
    },
)

SCHEMA_FORMATS = FormatChecker(formats=["regex"])
"""For checking schemas themselves: a regex is one that RE2 knows."""


@SCHEMA_FORMATS.checks("regex", raises=PatternError)
def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or bool(_compiled(value))
