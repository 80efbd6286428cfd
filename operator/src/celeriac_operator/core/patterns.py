"""Regular expressions of JSON Schemas in time that grows with the text only. Pure.

Python's own engine backtracks: one pattern such as ``^(a+)+$`` and forty letters keep it busy for hours, and the
operator with it. RE2 cannot do that (Cox, "Regular Expression Matching Can Be Simple And Fast", 2007); it has no
look-around and no back-references, so schemas that use them are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

Keyword = Iterator[ValidationError]

PatternError = re2.error
"""A pattern that RE2 does not know."""

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


LinearValidator: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)

SCHEMA_FORMATS = FormatChecker(formats=["regex"])
"""For checking schemas themselves: a regex is one that RE2 knows."""


@SCHEMA_FORMATS.checks("regex", raises=PatternError)
def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or bool(_compiled(value))
