"""What the process left in its result file: JSON as it is, other text as a string. Never cut off. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from celeriac.api.v1alpha1 import MAX_RESULT_BYTES, Json, Result
from celeriac_operator.core.schema import schema_problem

_DEEPEST_ERROR = "spec: nested too deep"


@dataclass(frozen=True, slots=True)
class InvalidResult:
    """The result cannot be recorded."""

    message: str


def read_result(output: str | None, schema: dict[str, Json] | None) -> Result | InvalidResult | None:
    """The result; None where the process left nothing and no schema asks for something."""
    if not output:
        missing = schema is not None and output is not None
        return (
            InvalidResult("Nothing was written to CELERIAC_RESULT_FILE, and the resultSchema wants a value")
            if missing
            else None
        )
    if len(output.encode()) > MAX_RESULT_BYTES:
        return InvalidResult(
            f"The result is longer than {MAX_RESULT_BYTES} bytes, so the kubelet has cut it off: "
            "write it elsewhere and return a reference"
        )
    value = _parsed(output)
    problem = schema_problem(schema, value, "result") if schema is not None else None
    return InvalidResult(problem) if problem else Result(value=value)


def _parsed(output: str) -> Json:
    """JSON where it is JSON (numbers such as NaN are not), else the text itself."""
    try:
        return json.loads(output, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return output.rstrip("\n")


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
