"""The TaskDefinitions of functions, and which changes of them break queued tasks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, WithJsonSchema

from celeriac import App, Backoff, BadSignature, Context, EnvVarSource, KeySelector, PodOptions, Resources, Retry
from celeriac.api.v1alpha1.definition import TaskDefinitionSpec
from celeriac.app.compare import breaks
from celeriac.app.definition import definitions_of
from celeriac_operator.core.schema import broken_schema, schema_problem


def defined(function: Callable[..., Any], app: App | None = None, **settings: Any) -> dict[str, Any]:
    """The one definition of an App with that function."""
    app = app or App("media", image="registry:5000/media:1.4")
    app.task(**settings)(function)
    (definition,) = definitions_of(app, "media.tasks:app")
    return definition


def work(path: str) -> int: ...  # type: ignore[empty-body]


def test_a_definition() -> None:
    app = App("media", image="registry:5000/media:1.4", routes={"media.*": "media"}, run_seconds=60)
    secret = EnvVarSource(secret_key_ref=KeySelector(name="mail", key="password"))
    settings: dict[str, Any] = {
        "retry": Retry(max_attempts=3, retry_for=(OSError,), backoff=Backoff(initial_seconds=1)),
        "env": {"A": "b", "PASSWORD": secret},
        "resources": Resources(limits={"memory": "64Mi"}),
        "pod": PodOptions(service_account_name="worker"),
        "priority": 5,
    }
    assert {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "TaskDefinition",
        "metadata": {
            "name": "work",
            "labels": {"celeriac.dev/app": "media"},
            "annotations": {"celeriac.dev/task": "media.work"},
        },
        "spec": {
            "container": {
                "image": "registry:5000/media:1.4",
                "command": ["python", "-m", "celeriac.run", "media.tasks:app", "media.work"],
                "env": [
                    {"name": "A", "value": "b"},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}},
                ],
                "resources": {"limits": {"memory": "64Mi"}},
            },
            "pod": {"serviceAccountName": "worker"},
            "paramsSchema": {
                "type": "object",
                "properties": {"path": {"type": "string"}},
                "required": ["path"],
                "additionalProperties": False,
            },
            "resultSchema": {"type": "integer"},
            "defaults": {
                "queueName": "media",
                "priority": 5,
                "deadlines": {"runSeconds": 60},
                "retry": {
                    "maxAttempts": 3,
                    "backoff": {"initialSeconds": 1},
                    "rules": [{"onExitCodes": {"operator": "In", "values": [100, 101, 105]}, "action": "Fail"}],
                },
            },
            "version": "1.4",
        },
    } == defined(work, app, **settings)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("registry:5000/media:1.4", "1.4", id="a tag after a port"),
        pytest.param("registry:5000/media", None, id="a port is no tag"),
        pytest.param("media:1@sha256:abc", "1", id="a tag and a digest"),
    ],
)
def test_the_version_is_the_images_tag(image: str, expected: str | None) -> None:
    assert expected == defined(work, App("media", image=image))["spec"].get("version")


def test_without_an_image_there_is_no_definition() -> None:
    with pytest.raises(BadSignature, match=r"media\.work has no image"):
        defined(work, App("media"))


def test_the_operator_takes_every_schema() -> None:
    looked_around = WithJsonSchema({"type": "string", "pattern": "^(?!x)"})

    def patterned(amount: Any) -> Any: ...

    patterned.__annotations__ = {
        "amount": Annotated[Decimal, looked_around],
        "return": list[Annotated[str, looked_around]],
    }

    spec = TaskDefinitionSpec.model_validate(defined(patterned)["spec"])
    assert spec.params_schema is not None and spec.result_schema is not None
    assert (None, None) == (broken_schema(spec.params_schema), broken_schema(spec.result_schema))


def v1(path: str, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, int]: ...
def reordered(mode: Literal["a", "b"] = "b", *, path: str, width: int = 3) -> dict[str, int]: ...
def with_context(ctx: Context, path: str, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, int]: ...
def optional_more(path: str, width: float = 1, mode: Literal["a", "b", "c"] = "a", n: int = 0) -> dict[str, int]: ...
def removed(path: str, width: int = 1) -> dict[str, int]: ...
def renamed(file: str, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, int]: ...
def no_default(path: str, width: int, mode: Literal["a", "b"] = "a") -> dict[str, int]: ...
def narrowed(path: str, width: int = 1, mode: Literal["a"] = "a") -> dict[str, int]: ...
def retyped(path: bytes, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, int]: ...
def other_result(path: str, width: int = 1, mode: Literal["a", "b"] = "a") -> list[int]: ...
def wider_result(path: str, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, int | None]: ...
def narrower_result(path: str, width: int = 1, mode: Literal["a", "b"] = "a") -> dict[str, Literal[1]]: ...


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(v1, [], id="nothing has changed"),
        pytest.param(reordered, [], id="another order, other defaults, by keyword only"),
        pytest.param(with_context, [], id="a Context is no param"),
        pytest.param(optional_more, [], id="more is taken"),
        pytest.param(narrower_result, [], id="less is returned"),
        pytest.param(removed, [("params.mode", "it is removed")], id="a parameter is removed"),
        pytest.param(
            renamed, [("params.path", "it is removed"), ("params.file", "it is required now")], id="one is renamed"
        ),
        pytest.param(no_default, [("params.width", "it is required now")], id="one is required now"),
        pytest.param(narrowed, [("params.mode", "'b' is not taken any more")], id="fewer values"),
        pytest.param(retyped, [("params.path", "its contentEncoding is new")], id="another type"),
        pytest.param(
            other_result,
            [("result", "it was object, and is array now, which programs that read it do not expect")],
            id="another result",
        ),
        pytest.param(
            wider_result,
            [("result.*", "it was integer, and is null now, which programs that read it do not expect")],
            id="a result that may be more",
        ),
    ],
)
def test_breaks(new: Callable[..., Any], expected: list[tuple[str, str]]) -> None:
    old = defined(v1, definition="x")
    found = breaks([old], [defined(new, definition="x")], "media")
    assert expected == [(each.place, each.what) for each in found]
    assert {"x"} >= {each.definition for each in found}


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


class Hue(Enum):
    LIGHT = "light"


def any_more(path: str, **rest: Any) -> None: ...
def one_more(path: str, width: int = 1, **rest: Any) -> None: ...
def anything_more(path: str, width: Any = 1, **rest: Any) -> None: ...


def whole_more(**rest: int) -> None: ...
def whole_one_more(width: int = 1, **rest: int) -> None: ...
def money_more(**rest: Decimal) -> None: ...
def text_more(**rest: str) -> None: ...


def by(key: Any) -> Callable[..., Any]:
    """A function with a mapping that has such keys."""

    def function(names: Any) -> None: ...

    function.__annotations__["names"] = dict[key, int]
    return function


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(any_more, any_more, [], id="nothing has changed"),
        pytest.param(
            any_more,
            one_more,
            [("params.width", "it was anything, and is integer now")],
            id="one of **kwargs has a type",
        ),
        pytest.param(any_more, anything_more, [], id="one of **kwargs has a name"),
        pytest.param(one_more, any_more, [], id="a parameter is one of **kwargs"),
        pytest.param(whole_more, whole_one_more, [], id="one of **kwargs has a name and the same type"),
        pytest.param(
            text_more, money_more, [("params.*", "string is not taken any more")], id="**kwargs of another type"
        ),
        pytest.param(
            any_more,
            whole_more,
            [("params.path", "it was string, and is integer now"), ("params.*", "it was anything, and is integer now")],
            id="**kwargs that were anything",
        ),
        pytest.param(by(int), by(int), [], id="the same keys"),
        pytest.param(by(int), by(str), [], id="any keys"),
        pytest.param(by(str), by(int | str), [], id="keys that are text too"),
        pytest.param(
            by(str),
            by(int),
            [("params.names", "of its keys, it was anything, and is integer now")],
            id="whole numbers as keys",
        ),
        pytest.param(by(str), by(date), [("params.names", "of its keys, its format is new")], id="dates as keys"),
        pytest.param(
            by(float),
            by(int),
            [("params.names", "of its keys, it was number, and is integer now")],
            id="other numbers as keys",
        ),
        pytest.param(by(int), by(float), [], id="more numbers as keys"),
        pytest.param(
            by(int),
            by(Annotated[int, Field(ge=3)]),
            [("params.names", "of its keys, minimum is 3 now")],
            id="a bound of keys",
        ),
        pytest.param(
            by(Shade), by(Hue), [("params.names", "of its keys, 'dark' is not taken any more")], id="fewer keys"
        ),
    ],
)
def test_breaks_of_names(old: Callable[..., Any], new: Callable[..., Any], expected: list[tuple[str, str]]) -> None:
    found = breaks([defined(old, definition="x")], [defined(new, definition="x")], "media")
    assert expected == [(each.place, each.what) for each in found]


def test_keys_that_are_no_text_are_still_keys_for_the_operator() -> None:
    schema = defined(by(int))["spec"]["paramsSchema"]
    assert broken_schema(schema) is None
    assert schema_problem(schema, {"names": {"1": 1}}, "params") is None


@pytest.mark.parametrize(
    ("owner", "new", "expected"),
    [
        pytest.param(
            "media", [], ["x: the task is removed: tasks that wait for it would fail"], id="a task is removed"
        ),
        pytest.param("mail", [], [], id="another App's definition is not ours to miss"),
        pytest.param(
            "mail",
            ["x"],
            ["x: it belongs to App mail: give the task another definition="],
            id="nor ours to replace",
        ),
        pytest.param(None, ["x"], [], id="one that was written by hand"),
    ],
)
def test_whose_definition_it_is(owner: str | None, new: list[str], expected: list[str]) -> None:
    old = defined(v1, definition="x")
    old["metadata"]["labels"] = {"celeriac.dev/app": owner} if owner else {}
    assert expected == [str(each) for each in breaks([old], [defined(v1, definition=name) for name in new], "media")]
