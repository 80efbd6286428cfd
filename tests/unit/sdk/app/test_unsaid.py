"""What types refuse and their JSON Schemas do not say: whatever pydantic takes less of, ``celeriac check`` sees."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    FutureDate,
    HttpUrl,
    ImportString,
    Json,
    NaiveDatetime,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from celeriac import InvalidParams
from celeriac.app.narrowing import narrowings
from celeriac.app.schema import params_schema
from celeriac.app.signature import Signature
from celeriac.app.unsaid import KEYWORD, with_facts
from celeriac_operator.core.schema import broken_schema, schema_problem


class Shade(Enum):
    LIGHT = "light"


class Size(IntEnum):
    ONE = 1
    TWO = 2


class OnlyOne(IntEnum):
    ONE = 1


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: list[Strict] = []


class OfText(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]
    name: str


class Either(BaseModel):
    name: str = Field(validation_alias=AliasChoices("name", "x"))


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


class Total(TypedDict):
    name: str


class Partial(TypedDict, total=False):
    name: str


class Pair(NamedTuple):
    first: int
    second: str


@dataclass
class Point:
    x: int
    y: Decimal = Decimal(0)


class Plain(BaseModel):
    name: str
    inner: list[Plain] = []


class Checked(BaseModel):
    name: str
    inner: list[Checked] = []

    @field_validator("name")
    @classmethod
    def not_a(cls, value: str) -> str:
        if value == "a":
            raise ValueError("a")
        return value


class Whole(BaseModel):
    name: str
    inner: list[Whole] = []

    @model_validator(mode="after")
    def not_a(self) -> Whole:
        if self.name == "a":
            raise ValueError("a")
        return self


class Looking(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    name: str = Field(pattern="^(?!a)")
    inner: list[Looking] = []


class Capitals(BaseModel):
    model_config = ConfigDict(str_to_upper=True)
    name: str
    inner: list[Capitals] = []


def at_most(value: int, limit: int) -> int:
    if value > limit:
        raise ValueError("too much")
    return value


def same(value: Any) -> Any:
    return value


def stripped(value: str) -> str:
    return value.strip()


def without_spaces(value: str) -> str:
    if " " in value:
        raise ValueError("a space")
    return value


def without_currency(value: Any) -> Any:
    return value.lstrip("$") if isinstance(value, str) else value


def limited(limit: int) -> Any:
    return Annotated[int, AfterValidator(partial(at_most, limit=limit))]


def closed(limit: int) -> Any:
    return Annotated[int, AfterValidator(lambda value: at_most(value, limit))]


def written_as(kind: Any, **schema: Any) -> Any:
    return Annotated[kind, WithJsonSchema(schema)]


Money = Annotated[Decimal, BeforeValidator(without_currency)]
Short = Annotated[Decimal, Field(max_digits=3)]

TYPES: list[Any] = [
    dict[Annotated[int, Field(ge=3)], str], dict[Size, str], dict[OnlyOne, str], Counter[int], Counter[str],
    OrderedDict[int, str], OrderedDict[str, str], Size, OnlyOne, Strict, OfText, Either, Cat, Dog, Cat | Dog,
    Total, Partial, dict[bool, str], Annotated[Cat | Dog, Field(discriminator="kind")], frozenset[str],
    dict[float, str], dict[UUID, str], dict[Shade, str], dict[Annotated[str, Field(max_length=1)], str],
    dict[Annotated[str, AfterValidator(str.upper)], str], dict[Any, str],
    Annotated[list[int], Field(max_length=1)], Annotated[dict[str, str], Field(min_length=1)], None, Any, bool,
    int, float, str, bytes, Decimal, Fraction, complex, datetime, date, time, timedelta, Path, UUID,
    IPv4Address, AnyUrl, HttpUrl, ByteSize, AwareDatetime, NaiveDatetime, FutureDate, StrictInt, ImportString,
    Json[int], Shade, Pair, Point, Plain, Checked, Whole, Looking, Capitals, Money, Short, Literal["a"],
    Literal["1", "abc"], Literal[1], Literal[True], Literal[0, 2, 4, 6], int | None, str | None, Decimal | None,
    str | Decimal, list[int], list[str], list[Decimal], set[str], deque[str], tuple[int, ...], tuple[int, str],
    dict[str, str], dict[str, Decimal], dict[Decimal, str], dict[int, str], dict[Decimal | int, str],
    dict[date, str], dict[str, int], Annotated[bytes, Field(max_length=3)], Annotated[str, Field(max_length=3)],
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], Annotated[int, Field(ge=5)],
    Annotated[int, Field(gt=4)], Annotated[int, Field(gt=5)], Annotated[float, Field(gt=4)],
    Annotated[float, Field(ge=4)], Annotated[int, Field(multiple_of=4)], Annotated[int, Field(multiple_of=2)],
    Annotated[int, Field(lt=3)], Annotated[int, Field(le=2)], Annotated[Decimal, Field(gt=4)],
    Annotated[Decimal, Field(allow_inf_nan=True)], Annotated[datetime, Field(gt=datetime(2030, 1, 1))],
    Annotated[int | str, Field(union_mode="left_to_right")], limited(3), limited(5), closed(3), closed(5),
    written_as(Decimal, type="string"), written_as(str, type="string"),
    written_as(list[Annotated[str, Field(max_length=3)]], type="array"),

]  # fmt: skip
VALUES: list[Any] = [
    {"3": "b"}, {"2": "b"}, {"true": "b"}, {"a": 2}, {"1": 1}, {"light": "b"}, {"name": "a", "x": 1},
    {"name": "a", "x": "b"}, {"x": "b"}, {"kind": "cat"}, {"kind": "dog"}, {"kind": "cow"},
    {"12345678-1234-5678-1234-567812345678": "b"}, {"ab": "c"}, None, True, False, -1, 0, 1, 2, 4, 5, 6, 8,
    10**9, 1.0, 1.5, 4.5, 1234.5, "", " ", "a", "b", "1", "6", "abc", "abcd", "1.5", "1/2", "$3", "NaN", "1234",
    "1+2j", "light", "YWJj", "YWJjZA==", "json.dumps", "true", "10MB", "127.0.0.1", "https://x.org/",
    "ftp://x.org/", "/tmp/abc", "2026-01-01", "2099-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z",
    "2040-01-01T00:00:00", "10:00:00", "PT5S", "12345678-1234-5678-1234-567812345678", [], [1], ["a"],
    ["1", "1"], [1, 2], [1, "a"], ["abcd"], {}, {"a": "b"}, {"1": "b"}, {"1.5": "1"}, {"2026-01-01": "1"},
    {"a": 1}, {"x": 1}, {"name": "a"}, {"name": "b"}, {"name": "b", "inner": [{"name": "a"}]},
    {"x": 1, "y": "a"},

]  # fmt: skip


def signature(annotation: Any) -> Signature:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = annotation
    return Signature("t", function)


def arrives(of: Signature, schema: Any, value: Any) -> bool:
    """By the operator's look at the schema, and by the runner's at the type."""
    if schema_problem(schema, {"value": value}, "params") is not None:
        return False
    try:
        of.arguments(json.dumps({"value": value}))
    except InvalidParams:
        return False
    return True


def is_sent(of: Signature, value: Any) -> bool:
    """Whether a client has a reason to send it: nobody sends what is ignored."""
    args, kwargs = of.arguments(json.dumps({"value": value}))
    with suppress(InvalidParams):
        sent = of.bind(args, kwargs)["value"]
        return not (isinstance(value, dict) and isinstance(sent, dict)) or value.keys() <= sent.keys()
    return True


def taken(annotation: Any) -> tuple[set[int], set[int]]:
    """Which of the values arrive, and which of them are sent."""
    of = signature(annotation)
    schema = params_schema(of)
    assert broken_schema(schema) is None
    found = {index for index, value in enumerate(VALUES) if arrives(of, schema, value)}
    return found, {index for index in found if is_sent(of, VALUES[index])}


def test_if_nothing_breaks_all_that_was_taken_is_taken() -> None:
    takes = [(each, params_schema(signature(each)), taken(each)) for each in TYPES]
    silent = [(old, new) for old in takes for new in takes if not narrowings(old[1], new[1])]
    refused = [(old[0], new[0], [VALUES[each] for each in old[2][1] - new[2][0]]) for old, new in silent]
    assert [] == [each for each in refused if each[2]]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(str, Decimal, "string is not taken any more", id="text that must be a number"),
        pytest.param(str, complex, "it was string, and is string (complex) now", id="text that must be complex"),
        pytest.param(datetime, AwareDatetime, "tz_constraint=aware", id="a time that must have a zone"),
        pytest.param(bytes, Annotated[bytes, Field(max_length=3)], "max_length=3", id="fewer bytes"),
        pytest.param(Plain, Checked, "function-after Checked.not_a", id="a field has a validator"),
        pytest.param(Plain, Whole, "function-after Whole.not_a", id="a model has a validator"),
        pytest.param(Plain, Looking, "pattern=^(?!a)", id="a pattern that the operator does not know"),
        pytest.param(Plain, Capitals, "str_to_upper=True", id="a setting of a model"),
        pytest.param(Money, Decimal, "string (decimal, function-before", id="a validator went that took more"),
        pytest.param(limited(5), limited(3), "at_most(limit=3)", id="another limit of a validator"),
        pytest.param(closed(5), closed(3), "limit=3", id="another limit that a validator encloses"),
        pytest.param(
            written_as(str, type="string"), written_as(Decimal, type="string"), "decimal", id="a schema of your own"
        ),
        pytest.param(
            Annotated[Plain, AfterValidator(same)],
            Annotated[Whole, AfterValidator(same)],
            "function-after Whole.not_a",
            id="a model has a validator, and had one where it is used",
        ),
        pytest.param(
            Cat | Dog,
            Annotated[Cat | Dog, Field(discriminator="kind")],
            "Cat) is not taken",
            id="which of them must be said",
        ),
        pytest.param(
            Counter[str], Counter[int], "of its keys, it was anything, and is integer", id="keys of any mapping"
        ),
        pytest.param(
            Annotated[str, AfterValidator(stripped), AfterValidator(without_spaces)],
            Annotated[str, AfterValidator(without_spaces)],
            "function-after without_spaces",
            id="a validator went that helped another",
        ),
        pytest.param(
            Annotated[str, AfterValidator(stripped), AfterValidator(without_spaces)],
            Annotated[str, AfterValidator(without_spaces), AfterValidator(stripped)],
            "function-after without_spaces, function-after stripped",
            id="validators in another order",
        ),
        pytest.param(int, StrictInt, "strict=True", id="1.0 is no int any more"),
    ],
)
def test_breaks(old: Any, new: Any, says: str) -> None:
    found = narrowings(params_schema(signature(old)), params_schema(signature(new)))
    assert any(says in each.what for each in found), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(int, Decimal, id="whole numbers are decimal"),
        pytest.param(float, Decimal | None, id="numbers are decimal"),
        pytest.param(str, str | Decimal, id="text is taken as text"),
        pytest.param(Short, Decimal, id="more digits"),
        pytest.param(AwareDatetime, datetime, id="a zone need not be any more"),
        pytest.param(Annotated[bytes, Field(max_length=3)], bytes, id="more bytes"),
        pytest.param(Checked, Plain, id="a validator went"),
        pytest.param(limited(3), int, id="a limit of a validator went"),
        pytest.param(str, Annotated[str, Field(strict=True)], id="strict text"),
        pytest.param(Plain, Annotated[Plain, Field(description="x")], id="a description"),
    ],
)
def test_breaks_nothing(old: Any, new: Any) -> None:
    assert () == narrowings(params_schema(signature(old)), params_schema(signature(new)))


def test_a_definition_has_its_facts_wherever_it_is_named() -> None:
    def one(first: Whole, second: list[Whole]) -> None: ...
    def other(second: list[Whole], first: Whole) -> None: ...

    schemas = [params_schema(Signature("t", each)) for each in (one, other)]
    assert () == narrowings(*schemas) == narrowings(*reversed(schemas))


def test_facts_have_no_addresses() -> None:
    def made() -> Callable[[Any], Any]:
        return lambda value: value

    texts = {json.dumps(params_schema(signature(Annotated[int, AfterValidator(made())]))) for _ in range(2)}
    assert 1 == len(texts)
    assert "0x" not in texts.pop()


@pytest.mark.parametrize(
    ("schema", "found", "expected"),
    [
        pytest.param({"type": "string"}, [], {"type": "string"}, id="nothing to say"),
        pytest.param({"type": "string"}, ["b", "a"], {"type": "string", KEYWORD: ["a", "b"]}, id="in order"),
        pytest.param(
            {KEYWORD: ["function-after b"]},
            ["z", "function-after a"],
            {KEYWORD: ["z", "function-after b", "function-after a"]},
            id="functions as they are wrapped",
        ),
        pytest.param({KEYWORD: ["a"]}, ["b", "a"], {KEYWORD: ["a", "b"]}, id="once"),
        pytest.param(
            {"anyOf": [{}, {"a": 1}]}, ["f"], {"anyOf": [{KEYWORD: ["f"]}, {"a": 1, KEYWORD: ["f"]}]}, id="alternatives"
        ),
        pytest.param({"type": "number"}, ["decimal"], {"type": "number"}, id="what no number fails"),
    ],
)
def test_with_facts(schema: dict[str, Any], found: list[str], expected: dict[str, Any]) -> None:
    assert expected == with_facts(schema, found)
