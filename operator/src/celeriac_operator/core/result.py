"""What the process left in its result file: JSON as it is, other text as a string. Never cut off. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from celeriac.api.v1alpha1 import MAX_RESULT_BYTES, Json, Result
from celeriac_operator.core.nesting import depth
from celeriac_operator.core.schema import schema_problem
from celeriac_operator.core.text import cut

DEEPEST_RESULT = 64
LONGEST_AGAIN = 5
"""So many times longer the JSON of a value may be than what the process wrote: 1e15 becomes 1000000000000000.0."""


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
    try:
        value = _parsed(output)
    except _UnstorableError as error:
        return InvalidResult(str(error))
    problem = schema_problem(schema, value, "result") if schema is not None else None
    return InvalidResult(problem) if problem else Result(value=value)


def storable(value: Json) -> bool:
    """Whether a value that was read before can be kept: its JSON may be longer than what it was read from."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    written = value if isinstance(value, str) else text
    longest = MAX_RESULT_BYTES if isinstance(value, str) else LONGEST_AGAIN * MAX_RESULT_BYTES
    if len(written.encode()) > longest:
        return False
    try:
        _parsed(text)
    except _UnstorableError:
        return False
    return True


class _UnstorableError(Exception):
    """It is JSON, but the API server would keep something else."""


def _parsed(output: str) -> Json:
    """JSON where it is JSON (numbers such as NaN are not), else the text itself."""
    try:
        value = json.loads(output, parse_constant=_no_constant, parse_int=_integer, parse_float=_number)
    except (ValueError, RecursionError):
        return output.rstrip("\n")
    if depth(value, DEEPEST_RESULT) > DEEPEST_RESULT:
        raise _UnstorableError(f"The result is nested more than {DEEPEST_RESULT} levels deep: write it elsewhere")
    return _without_surrogates(value, output)


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    """Kubernetes keeps 64-bit integers, and rounds longer ones."""
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise _UnstorableError(f"The result has an integer that is over 64 bits ({cut(text, 40)}): use a string")
    return value


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _UnstorableError(f"The result has a number that is too large ({cut(text, 40)}): use a string")
    return value


def _without_surrogates(value: Json, output: str) -> Json:
    """Half a character (an escape such as ``\\ud800``) is no text: what has one stays as it was written."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return output.rstrip("\n")
    return value
