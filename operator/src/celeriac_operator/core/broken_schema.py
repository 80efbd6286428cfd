"""What is wrong with a JSON Schema that is none, for people: the place in it, and what belongs there. Pure.

A validator tells it by the rules of the schema that schemas have to fit, which nobody has before them.
"""

from __future__ import annotations

from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from celeriac_operator.core.text import cut

_LONGEST_PROBLEM = 500
_LONGEST_PATH = 300
_LONGEST_VALUE = 100
_TYPES = "array, boolean, integer, null, number, object, string"


def told(broken: Exception) -> str:
    """``<place in the schema>: <what is wrong there>``."""
    if isinstance(broken, SchemaError):
        path = "".join(f".{step}" for step in broken.absolute_path).lstrip(".")
        return f"{cut(path, _LONGEST_PATH) or 'schema'}: {cut(_of_error(broken), _LONGEST_PROBLEM)}"
    return f"schema: {cut(_of_use(broken), _LONGEST_PROBLEM)}"


def _of_error(error: SchemaError) -> str:
    """What is wrong at the place that the error names."""
    value, keyword = cut(repr(error.instance), _LONGEST_VALUE), error.absolute_path[-1] if error.absolute_path else ""
    if error.validator == "anyOf" and keyword == "type":
        return f"{value} is no type: it is one of {_TYPES}, or a list of different ones"
    if error.validator == "type" and error.validator_value == ["object", "boolean"]:
        return f"{value} is no schema: a schema is an object, true or false"
    if error.validator == "format" and error.validator_value == "regex":
        return f"{value} is no regular expression of RE2, which has no look-around and no back-references"
    if error.validator == "anyOf":
        return f"{value} is not what belongs there"
    return error.message


def _of_use(broken: Exception) -> str:
    """What went wrong where the schema was used."""
    if isinstance(broken, Unresolvable):
        reference = cut(str(broken.ref), _LONGEST_VALUE)
        return f"$ref {reference!r} leads to nothing in the schema; other documents are not fetched"
    if isinstance(broken, RecursionError):
        return "it is nested too deeply, or a $ref in it leads back to itself"
    if isinstance(broken, ArithmeticError):
        return f"a number in it, or the value, is too large or too small to compute with: {broken}"
    return str(broken)
