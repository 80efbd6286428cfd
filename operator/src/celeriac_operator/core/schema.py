"""JSON Schema (2020-12) for params and results. Pure: references to other documents are not followed."""

from __future__ import annotations

import json
from functools import lru_cache

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from celeriac.api.v1alpha1 import Json
from celeriac_operator.core.bounded_schema import SCHEMA_FORMATS, LinearValidator, PatternError, errors_within_budget
from celeriac_operator.core.broken_schema import told
from celeriac_operator.core.text import cut

_LONGEST_PROBLEM = 500
_LONGEST_PATH = 300
_BROKEN = (SchemaError, Unresolvable, RecursionError, ValueError, ArithmeticError, PatternError)
"""What a schema that is not one, or not a usable one, raises: there are more ways than jsonschema's own errors."""


def schema_problem(schema: dict[str, Json], value: Json, where: str) -> str | None:
    """What is wrong with the value, as ``<where>.<path>: <why>``; None where nothing is."""
    try:
        error = best_match(errors_within_budget(_validator(json.dumps(schema, sort_keys=True)), value))
    except _BROKEN as broken:
        return f"{where}: the schema of the TaskDefinition cannot be used: {told(broken)}"
    if error is None:
        return None
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return f"{where}{cut(path, _LONGEST_PATH)}: {cut(error.message, _LONGEST_PROBLEM)}"


def broken_schema(schema: dict[str, Json]) -> str | None:
    """Why a schema is not one; None where it is."""
    try:
        _validator(json.dumps(schema, sort_keys=True))
    except _BROKEN as broken:
        return told(broken)
    return None


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    """A validator costs far more to make than to use, and thousands of Tasks share one definition.

    Its registry has the published metaschemas only; the default one would fetch what a ``$ref`` names from the network.
    """
    parsed = json.loads(schema)
    Draft202012Validator.check_schema(parsed, format_checker=SCHEMA_FORMATS)
    if '"patternProperties":' in schema and '"unevaluatedProperties":' in schema:
        raise ValueError("patternProperties and unevaluatedProperties in one schema are not supported")
    return LinearValidator(parsed, registry=Registry(), format_checker=FormatChecker())
