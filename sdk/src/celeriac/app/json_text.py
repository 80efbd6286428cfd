"""Values as JSON that is read as the same values, or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import to_jsonable_python

from celeriac.wire.canonical import canonical_json

_HIDDEN = b'"**********"'
"""What pydantic writes for a secret."""


class Unwritable(Exception):  # noqa: N818 -- names what it is, as the other errors do
    """A value is no JSON, or would come back as another. The text never has it in it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def written(adapter: TypeAdapter[dict[str, Any]], value: dict[str, Any]) -> bytes:
    """The value as JSON that the other side reads as the same value.

    Raises ValidationError: it is not valid, here or as it would be read; Unwritable: it is no JSON, or reads otherwise.
    """
    valid = adapter.validate_python(value)
    for name, part in valid.items():
        _check_finite(name, part)
    try:
        text = _json(adapter, valid)
    except ValueError:  # its text can hold the value
        raise Unwritable(_first_unknown(valid), "JSON has nothing for a type or value in it") from None
    read = adapter.validate_json(text)
    if _HIDDEN in text:
        _check_secrets(_plain(adapter, valid), _plain(adapter, read))
    again = _json(adapter, read)
    if again != text:
        _check_same(json.loads(text), json.loads(again))
    return text


def _check_finite(name: str, value: Any) -> None:
    try:
        finite = _finite(value)
    except RecursionError:
        raise Unwritable(name, "it holds itself, or is nested too deep") from None
    if not finite:
        raise Unwritable(name, "a number in it is not finite, which JSON has not")


def _finite(value: Any) -> bool:
    """Whether no number in it is infinite or NaN: where anything may be, pydantic writes null for them."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return not isinstance(value, list | tuple | set | frozenset) or all(map(_finite, value))


def _first_unknown(value: dict[str, Any]) -> str:
    """The first part that cannot be written, as far as it can be told from the value alone."""
    for name, part in value.items():
        try:
            json.dumps(to_jsonable_python(part), ensure_ascii=False).encode()  # the latter finds lone surrogates
        except ValueError:
            return name
    return "params"


def _check_secrets(sent: dict[str, Any], read: dict[str, Any]) -> None:
    for name, part in sent.items():
        if list(_secrets(part)) != list(_secrets(read.get(name))):
            raise Unwritable(name, "a secret is written as asterisks, as params and results can be read by many: leave "
                "it where it is kept, and have the pod read it (env= of App or @app.task)")  # fmt: skip


def _secrets(value: Any) -> Iterator[Any]:
    if isinstance(value, Secret | SecretStr | SecretBytes):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _secrets(each)


def _check_same(sent: dict[str, Any], read: dict[str, Any]) -> None:
    for name, part in sent.items():
        if _unordered(part) != _unordered(read.get(name)):
            raise Unwritable(name, "it would come back as another value: its type writes otherwise than it reads")


def _json(adapter: TypeAdapter[dict[str, Any]], value: dict[str, Any]) -> bytes:
    """Without computed fields, and by alias, because that is what validation takes."""
    return adapter.dump_json(value, by_alias=True, round_trip=True)


def _plain(adapter: TypeAdapter[dict[str, Any]], value: dict[str, Any]) -> dict[str, Any]:
    """With models as dicts, and all else as Python has it."""
    plain: dict[str, Any] = adapter.dump_python(value, round_trip=True)
    return plain


def _unordered(value: Any) -> Any:
    """Arrays sorted: sets have no order."""
    if isinstance(value, dict):
        return {name: _unordered(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(each) for each in value), key=canonical_json)
    return value
