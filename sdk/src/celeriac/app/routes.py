"""Which queue a task goes to, where neither the call nor the task itself says. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Route = Callable[[str, Mapping[str, Any]], str | None]
"""Task name and params to a queue; None: another route is to say."""

RouteTable = Mapping[str | re.Pattern[str], str]
"""Glob (``"media.*"``) or compiled regular expression, which must match the whole task name, to a queue."""

Routes = RouteTable | Route | Sequence[RouteTable | Route]


def queue_of(routes: Routes | None, task: str, params: Mapping[str, Any]) -> str | None:
    """The queue of the first route that matches; None where none does."""
    for route in _each(routes):
        found = route(task, params) if callable(route) else _look_up(route, task)
        if found is not None:
            return found
    return None


def declared_queue(routes: Routes | None, task: str) -> str | None:
    """The queue that a task has whatever its params are; None where a function decides it."""
    for route in _each(routes):
        if callable(route):
            return None
        found = _look_up(route, task)
        if found is not None:
            return found
    return None


def _each(routes: Routes | None) -> Iterator[RouteTable | Route]:
    if routes is None:
        return
    if isinstance(routes, Mapping) or callable(routes):
        yield routes
    else:
        yield from routes


def _look_up(table: RouteTable, task: str) -> str | None:
    return next((queue for pattern, queue in table.items() if _matches(pattern, task)), None)


def _matches(pattern: str | re.Pattern[str], task: str) -> bool:
    if isinstance(pattern, str):
        return fnmatchcase(task, pattern)
    return pattern.fullmatch(task) is not None
