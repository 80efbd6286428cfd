"""What Kubernetes takes for labels and annotations, so that every way in refuses the rest before it is sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

Problem = tuple[str, str]
"""The field, and what is wrong with it; never a value, which may be secret."""

MAX_ANNOTATION_BYTES = 256 * 1024
"""Of all annotations together, keys included."""
_MAX_PREFIX = 253
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(_WORD)
_VALUE = re.compile(f"({_WORD})?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY_RULE = "use letters, digits, -, _ and ., at most 63 characters, after a domain and a / if you like"


def problems(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Iterator[Problem]:
    """What Kubernetes would refuse."""
    yield from _keys("metadata.labels", labels)
    for key, value in labels.items():
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            yield (
                f"metadata.labels.{_cut(key)}",
                "the value cannot be a label's: use letters, digits, -, _ and ., at most 63 characters, or nothing",
            )
    yield from _keys("metadata.annotations", (str(key).lower() for key in annotations))  # as Kubernetes does
    size = 0
    for key, value in annotations.items():
        if not isinstance(value, str):
            yield f"metadata.annotations.{_cut(key)}", f"the value is of type {type(value).__name__}: give a string"
        else:
            size += len(str(key).encode(errors="replace")) + len(value.encode(errors="replace"))
    if size > MAX_ANNOTATION_BYTES:
        yield "metadata.annotations", f"they are {size:,} bytes; at most {MAX_ANNOTATION_BYTES:,} are allowed"


def _keys(field: str, given: Iterable[object]) -> Iterator[Problem]:
    for key in given:
        if not _is_key(key):
            yield field, f"{_cut(key)!r} cannot be a key: {_KEY_RULE}"


def _is_key(key: object) -> bool:
    if not isinstance(key, str):
        return False
    prefix, slash, name = key.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (
        not slash or (len(prefix) <= _MAX_PREFIX and bool(_PREFIX.fullmatch(prefix)))
    )


def _cut(key: object) -> str:
    return str(key)[:64]
