"""Bytes in JSON: base64, wherever an annotation says ``bytes``.

Not by pydantic's ``ser_json_bytes``: that is taken from the outermost type when writing and from the innermost when
reading (measured with 2.14), so that bytes in a model would come back as others.
"""

from __future__ import annotations

import base64
import binascii
import types
import typing
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decode(value: Any, info: ValidationInfo) -> Any:
    if info.mode != "json" or not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("it is not base64") from None


Base64 = Annotated[
    bytes,
    BeforeValidator(_decode),
    PlainSerializer(_encode, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


def with_base64(annotation: Any) -> Any:
    """The annotation with every ``bytes`` in it as base64; inside of models and dataclasses it is theirs to say."""
    if annotation is bytes:
        return Base64
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return Annotated[(with_base64(parts[0]), *parts[1:])]
    if not parts or origin is Literal or bytes not in _leaves(annotation):
        return annotation
    mapped = tuple(with_base64(part) for part in parts)
    return Union[mapped] if origin in (Union, types.UnionType) else origin[mapped]  # noqa: UP007 -- of a tuple


def _leaves(annotation: Any) -> set[Any]:
    parts = typing.get_args(annotation)
    if not parts or typing.get_origin(annotation) is Literal:
        return {annotation} if annotation is bytes else set()
    return set().union(*(_leaves(part) for part in parts))
