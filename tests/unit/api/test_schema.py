"""pydantic's JSON Schema as a structural schema."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from celeriac.api.schema import structural_schema


class Inner(BaseModel):
    """A part."""

    size: int = 3


class Outer(BaseModel):
    """A whole."""

    inner: Inner | None = None
    parts: tuple[Inner, ...] = ()
    labels: dict[str, str] | None = None


class Union(BaseModel):
    """What Kubernetes cannot say."""

    either: int | Inner


def test_references_nulls_titles_and_defaults_are_gone() -> None:
    inner = {"type": "object", "description": "A part.", "properties": {"size": {"type": "integer"}}}

    assert structural_schema(Outer) == {
        "type": "object",
        "description": "A whole.",
        "properties": {
            "inner": inner,
            "parts": {"type": "array", "items": inner},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


class Long(BaseModel):
    """What takes
    two lines."""


def test_a_description_is_one_line_because_kubectl_explain_breaks_lines_itself() -> None:
    assert structural_schema(Long)["description"] == "What takes two lines."


def test_a_union_is_refused_when_the_crd_is_made_and_not_by_a_cluster() -> None:
    with pytest.raises(ValueError, match="no unions"):
        structural_schema(Union)
