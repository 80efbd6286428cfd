"""Params and results as JSON, by a function's annotations."""

from __future__ import annotations

import json
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Unpack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Base64Bytes, BaseModel, Field, SecretBytes, SecretStr, computed_field, field_serializer
from typing_extensions import TypedDict

from celeriac import Context, InvalidParams
from celeriac.app.schema import params_schema, result_schema
from celeriac.app.signature import BadSignature, ResultMismatch, Signature
from celeriac_operator.core.schema import broken_schema, schema_problem

if TYPE_CHECKING:
    from fractions import Fraction


class Options(TypedDict, total=False):
    size: int


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    size: int
    made: datetime | None = None
    camel: int = Field(default=0, alias="camelCase")

    @computed_field
    @property
    def area(self) -> int:
        return self.size**2


@dataclass
class Data:
    path: Path
    parts: tuple[int, ...] = ()


class Typed(TypedDict):
    name: str


WHEN = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        pytest.param(int, 3, 3, id="a number"),
        pytest.param(int | None, None, None, id="None is sent, as the caller said it"),
        pytest.param(bytes, b"\xff\x00", "/wA=", id="bytes are base64"),
        pytest.param(list[bytes | None], [b"a", None], ["YQ==", None], id="and inside of other types"),
        pytest.param(NewType("Blob", bytes), b"\xff", "/w==", id="and under another name"),
        pytest.param(
            dict[str, Annotated[bytes, Field(max_length=3)]], {"a": b"abc"}, {"a": "YWJj"}, id="and annotated"
        ),
        pytest.param(datetime, WHEN, "2026-01-02T03:04:05.000006Z", id="a time"),
        pytest.param(date, date(2026, 1, 2), "2026-01-02", id="a date"),
        pytest.param(timedelta, timedelta(days=1, seconds=2), "P1DT2S", id="a duration"),
        pytest.param(Path, Path("a/b"), "a/b", id="a path"),
        pytest.param(UUID, UUID(int=5), "00000000-0000-0000-0000-000000000005", id="a UUID"),
        pytest.param(Decimal, Decimal("1.10"), "1.10", id="a decimal keeps its digits"),
        pytest.param(Colour, Colour.RED, "red", id="an enum"),
        pytest.param(Literal["a", "b"], "a", "a", id="a literal"),
        pytest.param(set[int], {1}, [1], id="a set"),
        pytest.param(tuple[int, str], (1, "a"), [1, "a"], id="a tuple"),
        pytest.param(tuple[()], (), [], id="an empty tuple"),
        pytest.param(tuple, (1, "a"), [1, "a"], id="a tuple of anything"),
        pytest.param(
            Model,
            Model(size=2, made=WHEN, camelCase=4),
            {"size": 2, "made": "2026-01-02T03:04:05.000006Z", "camelCase": 4},
            id="a model, by alias, without computed fields",
        ),
        pytest.param(Data, Data(Path("x"), (1, 2)), {"path": "x", "parts": [1, 2]}, id="a dataclass"),
        pytest.param(list[Typed], [{"name": "a"}], [{"name": "a"}], id="a TypedDict in a list"),
        pytest.param(Any, {"a": [1, None]}, {"a": [1, None]}, id="any JSON"),
    ],
)
def test_there_and_back(annotation: Any, value: Any, expected: Any) -> None:
    def function(value: Any) -> Any: ...

    function.__annotations__ = {"value": annotation, "return": annotation}
    signature = Signature("t", function)
    params = signature.bind((), {"value": value})
    assert {"value": expected} == params
    assert ((value,), {}) == signature.arguments(json.dumps(params))
    assert expected == signature.dump_result(value)
    assert value == signature.load_result(expected)
    for schema, sent in ((params_schema(signature), params), (result_schema(signature), expected)):
        if schema is not None:
            assert broken_schema(schema) is None
            assert schema_problem(schema, sent, "sent") is None


def all_kinds(
    ctx: Context, first: int, /, second: str = "s", *, third: list[int] | None = None, **rest: Any
) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        pytest.param((1,), {}, {"first": 1}, id="defaults are not sent"),
        pytest.param((1, "s"), {}, {"first": 1, "second": "s"}, id="what the caller says is sent, default or not"),
        pytest.param((1,), {"third": [2]}, {"first": 1, "third": [2]}, id="by keyword"),
        pytest.param((1,), {"x": 5}, {"first": 1, "x": 5}, id="further keywords, where the function takes them"),
        pytest.param(("4",), {}, {"first": 4}, id="as the annotation says, where it can be read so"),
    ],
)
def test_params_are_an_object_by_name(args: tuple[Any, ...], kwargs: dict[str, Any], expected: Any) -> None:
    assert expected == Signature("t", all_kinds).bind(args, kwargs)


def test_the_runner_fills_the_defaults_in() -> None:
    signature = Signature("t", all_kinds)
    assert ((1, "s"), {"third": None, "x": 5}) == signature.arguments('{"first": 1, "x": 5}')


def dated(**due: date) -> None: ...
def passed_on(*, size: int = 1, **rest: Unpack[Options]) -> None: ...


def test_each_of_kwargs_is_as_annotated() -> None:
    signature = Signature("t", dated)
    assert {"due": "2026-01-01"} == signature.bind((), {"due": date(2026, 1, 1)})
    assert ((), {"due": date(2026, 1, 1)}) == signature.arguments('{"due": "2026-01-01"}')
    with pytest.raises(InvalidParams, match="due: Input should be a valid date"):
        signature.arguments('{"due": "never"}')
    assert {"format": "date"}.items() <= params_schema(signature)["additionalProperties"].items()


def test_kwargs_whose_annotation_is_of_all_are_anything() -> None:
    signature = Signature("t", passed_on)
    assert ((), {"size": 1, "x": "2"}) == signature.arguments('{"x": "2"}')
    assert params_schema(signature)["additionalProperties"] is True


@pytest.mark.parametrize(
    ("args", "kwargs", "names"),
    [
        pytest.param((), {}, "'first'", id="one is missing"),
        pytest.param((1, "a", "b"), {}, "too many positional", id="one too many"),
        pytest.param((1,), {"first": 2}, "first: a parameter has this name", id="one of **kwargs named as a parameter"),
        pytest.param(("x-secret",), {}, "first: ", id="not what the annotation says"),
        pytest.param((1,), {"third": [1, "x-secret"]}, "third[1]: ", id="inside of a list"),
        pytest.param((1,), {"x": object()}, "x: Value error, object is no JSON", id="no JSON"),
        pytest.param((1,), {"x": [{"y": float("inf")}]}, "x: a number in it is not finite", id="infinity somewhere"),
    ],
)
def test_invalid_params_name_the_parameter_and_no_value(
    args: tuple[Any, ...], kwargs: dict[str, Any], names: str
) -> None:
    with pytest.raises(InvalidParams) as caught:
        Signature("t", all_kinds).bind(args, kwargs)
    assert names in str(caught.value)
    assert "x-secret" not in str(caught.value)


def test_invalid_params_have_fields() -> None:
    with pytest.raises(InvalidParams) as caught:
        Signature("t", all_kinds).bind(("x",), {})
    assert ["first"] == [path for path, _ in caught.value.fields]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_has_not_are_refused_here(value: float) -> None:
    def function(value: float) -> float: ...

    with pytest.raises(InvalidParams, match="value: a number in it is not finite"):
        Signature("t", function).bind((value,), {})
    with pytest.raises(ResultMismatch, match="result: a number in it is not finite"):
        Signature("t", function).dump_result(value)


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(itself(), "it holds itself, or is nested too deep", id="a list in itself"),
        pytest.param("\ud800", "JSON has nothing for a type or value in it", id="half of a surrogate pair"),
        pytest.param({"a": ["\ud800"]}, "JSON has nothing for a type or value in it", id="the same further down"),
    ],
)
def test_what_json_cannot_write_is_refused_by_its_name(value: Any, problem: str) -> None:
    def function(first: int, value: Any) -> Any: ...

    with pytest.raises(InvalidParams, match=f"invalid params: value: {problem}"):
        Signature("t", function).bind((1, value), {})
    with pytest.raises(ResultMismatch, match="result: "):
        Signature("t", function).dump_result(value)


NOTHING_SAID = [
    pytest.param(None, id="without an annotation"),
    pytest.param(Any, id="as anything"),
    pytest.param(Any | None, id="as anything or nothing"),
    pytest.param(object, id="as an object of any class"),
]


@pytest.mark.parametrize("annotation", NOTHING_SAID)
@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(WHEN, "datetime is no JSON", id="a time"),
        pytest.param(b"ab", "bytes is no JSON", id="bytes"),
        pytest.param({1}, "set is no JSON", id="a set"),
        pytest.param([{"a": Path("x")}], "PosixPath is no JSON", id="a path, further down"),
        pytest.param({1: 2}, "a key of an object is no text", id="keys that are numbers"),
        pytest.param(Data(Path("x"), (1, 2)), "Data is no JSON", id="a dataclass"),
    ],
)
def test_where_nothing_says_what_it_is_it_has_to_be_json(annotation: Any, value: Any, says: str) -> None:
    def function(value): ...  # type: ignore[no-untyped-def]

    if annotation is not None:
        function.__annotations__ = {"value": annotation, "return": annotation}
    signature = Signature("t", function)
    with pytest.raises(InvalidParams, match=f"value: .*{says}: annotate what it is"):
        signature.bind((value,), {})
    with pytest.raises(ResultMismatch, match=f"result: .*{says}"):
        signature.dump_result(value)


@pytest.mark.parametrize(
    ("annotation", "value", "arrives"),
    [
        pytest.param(Any, (1, (2, "a")), [1, [2, "a"]], id="a tuple is an array, as in Celery"),
        pytest.param(list, [{"a": (1,)}], [{"a": [1]}], id="in a list of anything"),
        pytest.param(dict, {"a": None}, {"a": None}, id="in an object of anything"),
        pytest.param(
            dict[str, Any], {"a": [1.5, True]}, {"a": [1.5, True]}, id="in an object of anything, as it is said"
        ),
    ],
)
def test_json_of_any_kind_arrives_as_it_was(annotation: Any, value: Any, arrives: Any) -> None:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = annotation
    signature = Signature("t", function)
    (arrived,), _ = signature.arguments(json.dumps(signature.bind((value,), {})))
    assert (type(arrives), arrives) == (type(arrived), arrived)


LIST, DICT, TUPLE, SET, FROZEN_SET = (getattr(typing, each) for each in ("List", "Dict", "Tuple", "Set", "FrozenSet"))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        *((each, [WHEN]) for each in (list, LIST, list[Any], list[object], Sequence, typing.Sequence)),
        *((each, {"a": WHEN}) for each in (dict, DICT, dict[str, Any], Mapping, typing.Mapping)),
        *((each, (WHEN,)) for each in (tuple, TUPLE, tuple[Any, ...])),
        *((each, {WHEN}) for each in (set, SET)),
        *((each, frozenset({WHEN})) for each in (frozenset, FROZEN_SET)),
        (NewType("Rows", list), [WHEN]),
        (NewType("Whatever", object), WHEN),
    ],
)
def test_what_an_annotation_leaves_open_has_to_be_json(annotation: Any, value: Any) -> None:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = annotation
    with pytest.raises(InvalidParams, match="datetime is no JSON"):
        Signature("t", function).bind((value,), {})


class Login(BaseModel):
    user: str
    password: SecretStr


class Written(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _whole(self, value: SecretStr) -> str:
        return value.get_secret_value()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        pytest.param(SecretStr, SecretStr("x-secret"), id="a text"),
        pytest.param(SecretBytes | None, SecretBytes(b"x-secret"), id="bytes, or nothing"),
        pytest.param(dict[str, list[Login]], {"a": [Login(user="a", password="x-secret")]}, id="in a model"),
    ],
)
def test_a_secret_that_would_come_back_as_asterisks_is_refused(annotation: Any, value: Any) -> None:
    def function(value: Any) -> Any: ...

    function.__annotations__ = {"value": annotation, "return": annotation}
    with pytest.raises(InvalidParams, match=r"value: a secret is written as asterisks.*env= of App") as caught:
        Signature("t", function).bind((value,), {})
    assert "x-secret" not in str(caught.value)
    with pytest.raises(ResultMismatch, match="result: a secret is written as asterisks"):
        Signature("t", function).dump_result(value)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        pytest.param(SecretStr, SecretStr(""), "", id="one of nothing is not hidden"),
        pytest.param(Written, Written(password="abc"), {"password": "abc"}, id="a model that writes it"),
        pytest.param(str, "**********", "**********", id="a text of asterisks is no secret"),
    ],
)
def test_what_is_written_whole_is_taken(annotation: Any, value: Any, expected: Any) -> None:
    def function(value: Any) -> Any: ...

    function.__annotations__ = {"value": annotation, "return": annotation}
    assert {"value": expected} == Signature("t", function).bind((value,), {})


def test_a_value_that_would_come_back_as_another_is_refused() -> None:
    class Asymmetric(BaseModel):
        model_config = {"ser_json_bytes": "utf8", "val_json_bytes": "base64"}
        data: bytes

    def function(value: Any) -> None: ...

    function.__annotations__ = {"value": Asymmetric}
    with pytest.raises(InvalidParams, match="value: it would come back as another value"):
        Signature("t", function).bind((Asymmetric(data=b"YWJj"),), {})


@pytest.mark.parametrize(
    ("params", "names"),
    [
        pytest.param("[1]", "params: ", id="no object"),
        pytest.param("{", "params: ", id="no JSON"),
        pytest.param('{"a": 1, "b": 2}', "b: the function has no such parameter", id="a name that is none"),
    ],
)
def test_the_runner_refuses(params: str, names: str) -> None:
    def function(a: int) -> None: ...

    with pytest.raises(InvalidParams) as caught:
        Signature("t", function).arguments(params)
    assert names in str(caught.value)


def star(*values: int) -> None: ...
def late(a: int, ctx: Context) -> None: ...
def unseen(a: Fraction) -> None: ...
def no_json(a: Signature) -> None: ...
def encoded(a: list[Base64Bytes]) -> None: ...
def encoded_result(a: int) -> Base64Bytes | None: ...


@pytest.mark.parametrize(
    ("function", "says"),
    [
        pytest.param(star, "*values has no names", id="positional arguments without names"),
        pytest.param(late, "Context must be the first parameter", id="the Context in another place"),
        pytest.param(unseen, "import it outside `if TYPE_CHECKING`", id="a type that is there for checkers only"),
        pytest.param(encoded, "Task t: a: bytes are base64 in JSON as they are: annotate bytes.", id="encoded bytes"),
        pytest.param(encoded_result, "Task t: return: bytes are base64", id="encoded bytes as a result"),
        pytest.param(time.sleep, "Task t: Python does not know its parameters", id="a function of C without any"),
        pytest.param(no_json, "are no types for JSON", id="a type that pydantic does not know"),
    ],
)
def test_bad_signatures(function: Callable[..., Any], says: str) -> None:
    with pytest.raises(BadSignature) as caught:
        Signature("t", function).bind((1,), {})
    assert says in str(caught.value)


def test_a_generator_is_no_task() -> None:
    def function() -> Any:
        yield 1

    with pytest.raises(BadSignature, match="yields"):
        Signature("t", function)


def test_what_a_result_is_not() -> None:
    def function() -> dict[str, Data]: ...

    with pytest.raises(ResultMismatch) as caught:
        Signature("t", function).load_result({"a": {"path": 5}})
    assert str(caught.value).startswith("result.a.path: ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_comes_back_as_it_was(value: Any) -> None:
    def function(value: Any) -> Any: ...

    signature = Signature("t", function)
    params = signature.bind((value,), {})
    assert (value,) == signature.arguments(json.dumps(params))[0]
    assert value == signature.load_result(signature.dump_result(value))


def test_the_schema_has_the_defaults_and_no_extra_params() -> None:
    def function(a: int, b: Path = Path("x"), c: object = object) -> None: ...

    schema = params_schema(Signature("t", function))
    assert (False, ["a"], "x") == (
        schema["additionalProperties"],
        schema["required"],
        schema["properties"]["b"]["default"],
    )
    assert "default" not in schema["properties"]["c"]


def test_what_is_prepared_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def function(a: int, **rest: int) -> list[int]:
        return [a, *rest.values()]

    signature = Signature("t", function)
    signature.prepare()
    monkeypatch.delattr("celeriac.app.signature.TypeAdapter")

    args, kwargs = signature.arguments('{"a": 1, "b": 2}')
    assert signature.dump_result(function(*args, **kwargs)) == [1, 2]
