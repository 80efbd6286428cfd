"""Whether TaskDefinitions may replace others while messages of those are queued: docs/signatures.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from celeriac.app.definition import APP_LABEL
from celeriac.app.narrowing import Narrowing, narrowings

Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Break:
    """One change that breaks somebody."""

    definition: str
    """Name of the TaskDefinition."""
    place: str
    """Which parameter or part of the result, such as ``params.width`` or ``result.path``; empty: the definition."""
    what: str
    """What happened to it."""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{self.definition}: {place}{self.what}"


def breaks(old: Iterable[Definition], new: Iterable[Definition], app: str) -> list[Break]:
    """Every breaking change from the old definitions to the new ones.

    Args:
        app: name of the App; old definitions of others are theirs to change, but not ours to replace.
    """
    before = {each["metadata"]["name"]: each for each in old}
    after = {each["metadata"]["name"]: each for each in new}
    found: list[Break] = []
    for name, definition in sorted(before.items()):
        owner = (definition["metadata"].get("labels") or {}).get(APP_LABEL)
        if name in after and owner not in (None, app):
            found.append(Break(name, "", f"it belongs to App {owner}: give the task another definition="))
        elif name in after:
            found += _compared(name, definition["spec"], after[name]["spec"])
        elif owner == app:
            found.append(Break(name, "", "the task is removed: tasks that wait for it would fail"))
    return found


def _compared(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Break]:
    params = narrowings(old.get("paramsSchema", True), new.get("paramsSchema", True))
    result = narrowings(new.get("resultSchema", True), old.get("resultSchema", True))
    return [
        *(Break(name, _place("params", each.path), each.what) for each in params),
        *(Break(name, _place("result", each.path), _of_result(each)) for each in result),
    ]


def _place(root: str, path: str) -> str:
    return f"{root}{'.' * bool(path and not path.startswith('['))}{path}"


_RESULT_WORDS = {
    "it is required now": "programs that read it expect it, and it may be missing now",
    "it is removed": "it is new, and programs that read results expect nothing there",
}


def _of_result(change: Narrowing) -> str:
    """A result's change seen from those who read it: the old schema is what they take."""
    if change.kinds is not None:
        return f"it was {change.kinds[1]}, and is {change.kinds[0]} now, which programs that read it do not expect"
    return _RESULT_WORDS.get(change.what, f"programs that read it do not expect what it may be now ({change.what})")
