"""What the kubelet would make of a pod's container: command line, environment, and why it cannot start. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Raw = dict[str, Any]
Keys = Callable[[str, str], Mapping[str, str] | None]
"""Kind (``secretKeyRef``, ``configMapKeyRef``) and name: what is in the object, or None where there is none."""

_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z0-9]+)\))")
PYTHONS = frozenset({"python", "python3"})


class CannotStart(Exception):  # noqa: N818 -- names what it is, as the other errors do
    """The container waits for something; the text says for what."""


@dataclass(frozen=True, slots=True)
class Process:
    """A command line and its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    directory: str | None


def process_of(pod: Raw, keys: Keys, python: str, result_file: Path) -> Process:
    """The process that a pod's container is.

    Args:
        python: stands for the image's python.
        result_file: stands for the image's termination log.

    Raises:
        CannotStart: as a pod would wait with a reason.
    """
    container = pod["spec"]["containers"][0]
    env = _environment(pod, container, keys) | {"CELERIAC_RESULT_FILE": str(result_file)}
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    argv = tuple(expanded(word, env) for word in words)
    if not container.get("command"):
        raise CannotStart("there are no images here: give the container a command")
    program = python if argv[0] in PYTHONS else argv[0]
    return Process((program, *argv[1:]), env, container.get("workingDir"))


def _environment(pod: Raw, container: Raw, keys: Keys) -> dict[str, str]:
    env = _from_objects(container, keys)
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        value = expanded(variable.get("value") or "", env) if source is None else _sourced(pod, source, keys)
        if value is not None:
            env[variable["name"]] = value
    return env


def _from_objects(container: Raw, keys: Keys) -> dict[str, str]:
    """All that Secrets and ConfigMaps hold which are named as a whole."""
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for reference, kind in (("secretRef", "secretKeyRef"), ("configMapRef", "configMapKeyRef")):
            if reference in source:
                found = keys(kind, source[reference]["name"])
                if found is None and not source[reference].get("optional"):
                    raise CannotStart(f"{reference.removesuffix('Ref')} {source[reference]['name']} is not there")
                env |= found or {}
    return env


def _sourced(pod: Raw, source: Raw, keys: Keys) -> str | None:
    if "fieldRef" in source:
        found: Any = pod
        for name in source["fieldRef"]["fieldPath"].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return None if found is None else str(found)
    for kind in ("secretKeyRef", "configMapKeyRef"):
        if kind in source:
            wanted = source[kind]
            value = (keys(kind, wanted["name"]) or {}).get(wanted["key"])
            if value is None and not wanted.get("optional"):
                raise CannotStart(f"{kind.removesuffix('KeyRef')} {wanted['name']} has no key {wanted['key']}")
            return value
    return None


def expanded(text: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced as the kubelet does: ``$$`` is one ``$``, and what is not known stays."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] is None else env.get(found[1], found[0])

    return _REFERENCE.sub(value, text)
