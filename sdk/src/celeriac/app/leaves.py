"""What annotations say that JSON has no one way for: ``bytes`` are base64, and what may be anything is JSON already.

Bytes not by pydantic's ``ser_json_bytes``: that is taken from the outermost type when writing and from the innermost
when reading (measured with 2.14), so that bytes in a model would come back as others. And pydantic writes whatever it
can where anything may be, a time as text, say, which nothing tells the other side to read as a time again.
"""

from __future__ import annotations

import base64
import binascii
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Union

from pydantic import BeforeValidator, EncodedBytes, PlainSerializer, ValidationInfo, WithJsonSchema


class EncodedTwice(TypeError):  # noqa: N818 -- names what it is, as the other errors do
    """Bytes are annotated as encoded ones, which pydantic takes encoded from the caller as well."""


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decode(value: Any, info: ValidationInfo) -> Any:
    if info.mode != "json" or not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("it is not base64") from None


def _only_json(value: Any, info: ValidationInfo) -> Any:
    if info.mode == "json":
        return value
    try:
        odd = _not_json(value)
    except RecursionError:
        return value  # which is told when it is written
    if odd:
        raise ValueError(f"{odd}: annotate what it is, or give JSON (a tuple is an array)")
    return value


def _not_json(value: Any) -> str:
    """What in it would come back as something else; empty where nothing would."""
    if value is None or isinstance(value, str | int | float):
        return ""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_not_json, value)), "")
    if not isinstance(value, dict):
        return f"{type(value).__name__} is no JSON"
    if not all(isinstance(key, str) for key in value):
        return "a key of an object is no text"
    return next(filter(None, map(_not_json, value.values())), "")


Base64 = Annotated[
    bytes,
    BeforeValidator(_decode),
    PlainSerializer(_encode, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
Anything = Annotated[Any, BeforeValidator(_only_json)]
_LEAVES = (
    (bytes, Base64),
    (Any, Anything),
    (object, Anything),
    (list, list[Anything]),
    (dict, dict[str, Anything]),
    (tuple, tuple[Anything, ...]),
    (set, set[Anything]),
    (frozenset, frozenset[Anything]),
    (Sequence, Sequence[Anything]),
    (Mapping, Mapping[str, Anything]),
)


def for_json(annotation: Any) -> Any:
    """The annotation with each such part as it is written; inside of models and dataclasses it is theirs to say.

    Raises EncodedTwice.
    """
    leaf = _leaf(annotation)
    if leaf is not None:
        return leaf
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        if any(isinstance(each, EncodedBytes) for each in parts[1:]):
            raise EncodedTwice("bytes are base64 in JSON as they are: annotate bytes")
        return Annotated[(for_json(parts[0]), *parts[1:])]
    if origin is Literal or not any(map(_has_leaf, parts)):
        return annotation
    mapped = tuple(for_json(part) for part in parts)
    return Union[mapped] if origin in (Union, types.UnionType) else origin[mapped]  # noqa: UP007 -- of a tuple


def _leaf(annotation: Any) -> Any:
    if isinstance(annotation, NewType):
        return for_json(annotation.__supertype__)
    if not hasattr(annotation, "__args__"):  # typing's List without brackets is list
        annotation = typing.get_origin(annotation) or annotation
    return next((written for leaf, written in _LEAVES if annotation is leaf), None)


def _has_leaf(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Literal:
        return False
    return _leaf(annotation) is not None or any(map(_has_leaf, typing.get_args(annotation)))
