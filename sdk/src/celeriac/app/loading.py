"""Finding an App, or a function, by ``module:name``."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import Any

from celeriac.app.application import App
from celeriac.app.function import TaskFunction

_PLAIN: dict[str, TaskFunction[..., Any, Any]] = {}
"""Plain functions as tasks: a process that waits looks at their types before there is a task, and once."""


class NotThere(LookupError):  # noqa: N818 -- names what it is, as the other errors do
    """There is no such module, App or task. The text says which, and what there is instead."""


def load_app(location: str) -> App:
    """The App at ``module:name``. Raises NotThere, and whatever importing the module raises."""
    found = load_object(location)
    if not isinstance(found, App):
        raise NotThere(f"{location} is no celeriac.App but a {type(found).__name__}")
    return found


def load_task(location: str, task: str) -> TaskFunction[..., Any, Any]:
    """A task of the App at ``module:name``. Raises NotThere, and whatever importing the modules raises."""
    app = load_app(location)
    found = app.tasks.get(task) or app.load().get(task)
    if found is None:
        known = ", ".join(sorted(app.tasks)) or "none"
        raise NotThere(
            f"{location} has no task {task}; it has {known}. Does the image have the code that the TaskDefinition was "
            "made from, and does include= name every module with tasks?"
        )
    return found


def load_function(location: str) -> TaskFunction[..., Any, Any]:
    """The task at ``module:name``, or the plain function there as one. Raises NotThere, and what importing raises."""
    found = load_object(location)
    if isinstance(found, TaskFunction):
        return found
    if not callable(found):
        raise NotThere(f"{location} is no function but a {type(found).__name__}")
    known = _PLAIN.get(location)
    if known is None or known.function is not found:
        known = _PLAIN[location] = TaskFunction(App("celeriac"), found, {}, location, "none")
    return known


def load_object(location: str) -> Any:
    """What ``module:name`` names; dots in the name go into it."""
    module_name, colon, path = location.partition(":")
    if not colon or not module_name or not path:
        raise NotThere(f"{location!r} names nothing: write MODULE:APP, such as media.tasks:app")
    module = importlib.import_module(module_name)
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise NotThere(f"module {module_name} has no {path}") from None
