"""The App: what a program's tasks have in common, and which there are."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Unpack, overload

from celeriac.app.context import Context
from celeriac.app.function import TaskFunction
from celeriac.app.options import SharedSettings, TaskSettings, merged
from celeriac.app.routes import Routes
from celeriac.app.submitting import ClientSubmitter, Submitter

if TYPE_CHECKING:
    from celeriac._client import Client

P = ParamSpec("P")
R = TypeVar("R")

_APP_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class TaskDecorator(Protocol):
    """What ``@app.task(…)`` gives: it takes the function."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> TaskFunction[P, R, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskFunction[P, R, R]: ...


class App:
    """Tasks that belong together. It makes no connection before a task is submitted, so it costs little to import."""

    def __init__(
        self,
        name: str,
        *,
        routes: Routes | None = None,
        namespace: str | None = None,
        include: Sequence[str] = (),
        definition_prefix: str = "",
        version: str | None = None,
        client: Client | None = None,
        **defaults: Unpack[SharedSettings],
    ) -> None:
        """An App.

        name: letters, digits, -, _ and . ; tasks are named ``<name>.<function>``.
        routes: task name to queue, for tasks that name none: a mapping of globs or regular expressions, a function of
            task name and params, or several of them in order.
        namespace: where its tasks are submitted to. None: the client's.
        include: modules with more of its tasks, imported when they are needed.
        definition_prefix: put before the names of its TaskDefinitions, where apps share a namespace.
        version: the version of its code, for people. None: the image's tag.
        client: what it submits through. None: a Client of its own, made when it is first needed.
        defaults: what its tasks have that do not say otherwise; SharedSettings says what each is.
        """
        if not _APP_NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be an app's name: use letters, digits, -, _ and ., at most 63")
        self.name = name
        self.routes = routes
        self.namespace = namespace
        self.version = version
        self.submitter: Submitter = ClientSubmitter(self._make_client)
        """Where calls go; tests put something else here."""
        self._include = tuple(include)
        self._prefix = definition_prefix
        self._given_client = client
        self._defaults = defaults
        self._tasks: dict[str, TaskFunction[..., Any, Any]] = {}

    def __repr__(self) -> str:
        return f"<app {self.name}>"

    @property
    def tasks(self) -> Mapping[str, TaskFunction[..., Any, Any]]:
        """The tasks that are declared so far, by name."""
        return MappingProxyType(self._tasks)

    def load(self) -> Mapping[str, TaskFunction[..., Any, Any]]:
        """Import the modules that ``include`` names, and give all tasks by name."""
        for module in self._include:
            importlib.import_module(module)
        return self.tasks

    def close(self) -> None:
        """Close the connections that were made; a client that was given stays open. The App can be used again."""
        if self._given_client is None:
            self.submitter.close()

    @overload
    def task(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskFunction[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[Concatenate[Context, P], R], /) -> TaskFunction[P, R, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> TaskFunction[P, R, R]: ...
    @overload
    def task(self, **settings: Unpack[TaskSettings]) -> TaskDecorator: ...
    def task(self, *functions: Callable[..., Any], **settings: Unpack[TaskSettings]) -> Any:
        """Make a function a task: ``@app.task``, or ``@app.task(queue="media", run_seconds=60)``.

        A parameter that is annotated with Context comes first and is given by the runner. TaskSettings says what each
        setting is. Raises ValueError: another task has the name; TypeError: the function cannot be a task.
        """
        if functions:
            return self._declare(functions[0], settings)
        return lambda function: self._declare(function, settings)

    def _declare(self, function: Callable[..., Any], settings: TaskSettings) -> TaskFunction[..., Any, Any]:
        own = merged(self._defaults, settings)
        name = own.get("name") or f"{self.name}.{function.__name__}"
        label = own.get("definition") or function.__name__.strip("_").replace("_", "-").lower()
        definition = self._prefix + label
        if not _DNS_LABEL.fullmatch(definition):
            raise ValueError(
                f"{definition!r} cannot be the name of a TaskDefinition: give {name} a definition= of a-z, 0-9 and -"
            )
        for other in self._tasks.values():
            if name == other.name or definition == other.definition:
                raise ValueError(
                    f"{name} ({definition}) is declared twice, by {_place(function)} and {_place(other.function)}: "
                    "give one of them name= and definition="
                )
        task = TaskFunction[..., Any, Any](self, function, own, name, definition)
        self._tasks[name] = task
        return task

    def _make_client(self) -> Client:
        from celeriac._client import Client  # noqa: PLC0415 -- the runner needs none

        return self._given_client or Client(self.namespace)


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
