"""A function's parameters and result as JSON, by its annotations: what clients send and what the runner reads.

Params are one object by parameter name, whichever way the caller gave them. Defaults are left to the runner: a default
belongs to the code that runs, so changing one needs no new clients, and what a caller did say is all that is pinned.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NotRequired, Required

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from celeriac.app.context import Context
from celeriac.app.json_text import Unwritable, written
from celeriac.app.leaves import Anything, EncodedTwice, for_json
from celeriac.errors import InvalidParams

_RESULT = "value"
_KINDS = inspect.Parameter


class BadSignature(TypeError):  # noqa: N818 -- names what it is, as the other errors do
    """The function cannot be a task as it is. The text says what to change."""


class ResultMismatch(ValueError):  # noqa: N818 -- names what it is, as the other errors do
    """A result is not what the function is annotated to return. The text names the place, and never the value."""


class Signature:
    """What a task's function takes and returns. Annotations are looked at when they are first needed.

    Every method may raise BadSignature.

    Args:
        task: name of the task, for messages.
    """

    def __init__(self, task: str, function: Callable[..., Any]) -> None:
        self.task = task
        self._function = function
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise BadSignature(f"Task {task} yields: a task returns its result, so collect it and return that.")

    @property
    def takes_context(self) -> bool:
        """Whether the first parameter is a Context, which callers leave out."""
        return self._parts[0]

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The params, as a JSON object, that a call with these arguments stands for.

        Raises InvalidParams, which names the parameter and never its value.
        """
        given, rest = self._bound(args, kwargs)
        try:
            text = written(self._params, given)
            rest_text = written(self._rest, rest)
        except ValidationError as error:
            raise self._invalid(error) from None
        except Unwritable as error:
            raise self._refused([(error.name, str(error))]) from None
        params: dict[str, Any] = json.loads(text)
        rest_params: dict[str, Any] = json.loads(rest_text)
        return params | rest_params

    def arguments(self, params: str | bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the call that params (JSON) stand for, defaults filled in, without the Context.

        Raises InvalidParams, which names the parameter and never its value.
        """
        try:
            values = self._params.validate_json(params)
            given = {name: value for name, value in json.loads(params).items() if name not in self._named}
            rest = self._rest.validate_json(json.dumps(given)) if given else {}
        except ValidationError as error:
            raise self._invalid(error) from None
        if self._rest_name is not None:
            values[self._rest_name] = rest
        elif rest:
            raise self._unknown(sorted(rest))
        bound = inspect.BoundArguments(self.signature, values)
        bound.apply_defaults()
        return bound.args, bound.kwargs

    def dump_result(self, value: Any) -> Any:
        """What the function returned, as JSON. Raises ResultMismatch."""
        try:
            text = written(self._result, {_RESULT: value})
        except ValidationError as error:
            raise ResultMismatch(_problems(error, "result")) from None
        except Unwritable as error:
            raise ResultMismatch(f"result: {error}") from None
        return json.loads(text)[_RESULT]

    def load_result(self, value: Any) -> Any:
        """What JSON stands for, as the type that the function is annotated to return. Raises ResultMismatch."""
        try:
            return self._result.validate_json(json.dumps({_RESULT: value}))[_RESULT]
        except ValidationError as error:
            raise ResultMismatch(_problems(error, "result")) from None

    def prepare(self) -> None:
        """Look at the annotations now: then the first call is quicker, as each is of a process that was forked."""
        _ = self._params, self._rest, self._result

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature without the Context."""
        return self._parts[1]

    @property
    def described(self) -> TypeAdapter[dict[str, Any]]:
        """The params for their schema: what ``**kwargs`` takes is one more field, a dict of the parameter's name."""
        rest = {self._rest_name: self._rest_kind} if self._rest_name is not None else {}
        return self._adapter("Params", {**self._fields, **rest})

    @property
    def result_adapter(self) -> TypeAdapter[dict[str, Any]]:
        """Validates and writes ``{"value": result}``."""
        return self._result

    @property
    def rest_name(self) -> str | None:
        """Name of the function's ``**kwargs``; None where it has none."""
        return self._rest_name

    @property
    def returns_anything(self) -> bool:
        """Whether the function has no annotation of its result."""
        return self.signature.return_annotation in (inspect.Signature.empty, Anything)

    @cached_property
    def _parts(self) -> tuple[bool, inspect.Signature]:
        found = self._found()
        hints = self._hints()
        parameters = [p.replace(annotation=self._written(p.name, hints)) for p in found.parameters.values()]
        takes_context = bool(parameters) and parameters[0].annotation is Context
        for parameter in parameters[takes_context:]:
            self._check(parameter)
        returns = self._written("return", {"return": inspect.Signature.empty, **hints})
        return takes_context, inspect.Signature(parameters[takes_context:], return_annotation=returns)

    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(inspect.unwrap(self._function), include_extras=True)
        except NameError as error:
            raise BadSignature(
                f"Task {self.task}: its annotations name {error.name}, which is not there when the program runs: "
                "import it outside `if TYPE_CHECKING`, at the top of the module."
            ) from None

    def _written(self, name: str, hints: Mapping[str, Any]) -> Any:
        try:
            return for_json(hints.get(name, Any))
        except EncodedTwice as error:
            raise BadSignature(f"Task {self.task}: {name}: {error}.") from None

    def _found(self) -> inspect.Signature:
        try:
            return inspect.signature(self._function)
        except (ValueError, TypeError):
            raise BadSignature(
                f"Task {self.task}: Python does not know its parameters, as of some functions written in C: "
                "call it from a function of your own."
            ) from None

    def _check(self, parameter: inspect.Parameter) -> None:
        if parameter.kind is _KINDS.VAR_POSITIONAL:
            raise BadSignature(
                f"Task {self.task}: *{parameter.name} has no names, and params are an object by name: take a list."
            )
        if parameter.annotation is Context:
            raise BadSignature(f"Task {self.task}: {parameter.name}: Context must be the first parameter.")

    @cached_property
    def _named(self) -> dict[str, inspect.Parameter]:
        return {name: p for name, p in self.signature.parameters.items() if p.kind is not _KINDS.VAR_KEYWORD}

    @cached_property
    def _rest_name(self) -> str | None:
        return next((n for n, p in self.signature.parameters.items() if p.kind is _KINDS.VAR_KEYWORD), None)

    @cached_property
    def _rest_kind(self) -> Any:
        """What ``**kwargs`` are, by name: anything, where the annotation is not of one of them."""
        found = self.signature.parameters[self._rest_name].annotation if self._rest_name is not None else Anything
        of_all = typing.get_origin(found) is typing.Unpack or isinstance(found, typing.ParamSpecKwargs)
        each: Any = Anything if of_all else found
        return dict[str, each]

    @cached_property
    def _fields(self) -> dict[str, Any]:
        return {
            name: Required[p.annotation] if p.default is _KINDS.empty else NotRequired[p.annotation]
            for name, p in self._named.items()
        }

    @cached_property
    def _params(self) -> TypeAdapter[dict[str, Any]]:
        return self._adapter("Params", self._fields)

    @cached_property
    def _rest(self) -> TypeAdapter[dict[str, Any]]:
        return self._made(self._rest_kind)

    @cached_property
    def _result(self) -> TypeAdapter[dict[str, Any]]:
        returns = Anything if self.returns_anything else self.signature.return_annotation
        return self._adapter("Result", {_RESULT: Required[returns]})

    def _adapter(self, name: str, fields: dict[str, Any]) -> TypeAdapter[dict[str, Any]]:
        """A TypedDict of the fields: unlike a model it takes any name for a field, and holds only what was given.

        It has no configuration, because dataclasses and TypedDicts in it would inherit that.
        """
        make: Any = TypedDict
        return self._made(make(name, fields))

    def _made(self, kind: Any) -> TypeAdapter[dict[str, Any]]:
        try:
            return TypeAdapter(kind)
        except PydanticUserError as error:
            raise BadSignature(f"Task {self.task}: its annotations are no types for JSON: {error.message}") from None

    def _bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments by name, and those that only ``**kwargs`` takes."""
        try:
            given = dict(self.signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise InvalidParams(
                f"{self.task}: {error}. It takes {', '.join(self.signature.parameters) or 'nothing'}."
            ) from None
        rest = given.pop(self._rest_name, {}) if self._rest_name is not None else {}
        twice = sorted(rest.keys() & self._named.keys())  # by position only, and once more for **kwargs
        if twice:
            raise self._refused([(name, "a parameter has this name, so **kwargs cannot have it too") for name in twice])
        return given, rest

    def _unknown(self, names: list[str]) -> InvalidParams:
        return self._refused([(name[:64], "the function has no such parameter") for name in names[:8]])

    def _invalid(self, error: ValidationError) -> InvalidParams:
        return self._refused(
            [(_path(each["loc"]) or "params", each["msg"]) for each in error.errors(include_input=False)]
        )

    def _refused(self, fields: list[tuple[str, str]]) -> InvalidParams:
        text = "; ".join(f"{path}: {message}" for path, message in fields)
        return InvalidParams(f"{self.task}: invalid params: {text}.", fields)


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")


def _problems(error: ValidationError, root: str) -> str:
    found = ((_path(each["loc"][1:]), each["msg"]) for each in error.errors(include_input=False))
    return "; ".join(f"{root}{'.' * bool(path and path[0] != '[')}{path}: {message}" for path, message in found)
