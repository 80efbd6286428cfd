"""``$(params.NAME)`` in command, args and env values. Pure, one pass: what was substituted is not looked at again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from celeriac.api.v1alpha1 import Container, DefinitionContainer, Json

_REFERENCE = re.compile(r"\$\$|\$\(params\.([^()$\s]+)\)")
"""A reference; or ``$$``, which is Kubernetes' escaped ``$`` and takes the next character's meaning."""


def substituted(text: str, params: Mapping[str, Json]) -> str:
    """The text with every reference replaced by the parameter's value.

    Strings go in as they are, other JSON compact. Every ``$`` of a value is doubled, so that Kubernetes, which expands
    ``$(VAR)`` afterwards, gives the value back as it was. Other ``$(VAR)`` of the text are left to Kubernetes, and
    so is ``$$``: as there, ``$$(params.NAME)`` is no reference.

    Raises:
        KeyError: a parameter is missing.
    """
    return _REFERENCE.sub(
        lambda match: escaped(_as_text(params[match.group(1)])) if match.group(1) else match.group(), text
    )


def escaped(text: str) -> str:
    """The text so that Kubernetes' expansion of ``$(VAR)`` leaves it as it is."""
    return text.replace("$", "$$")


def missing_params(container: Container | DefinitionContainer, params: Mapping[str, Json]) -> list[str]:
    """Names that the container refers to and the params do not have, in order."""
    return [name for name in _names(container) if name not in params]


def unfit_params(container: Container | DefinitionContainer, params: Mapping[str, Json]) -> list[str]:
    """Names that the container refers to and whose text no process can be given: it has a NUL character."""
    return [name for name in _names(container) if "\0" in _as_text(params.get(name, ""))]


def filled_bytes(container: Container | DefinitionContainer, params: Mapping[str, Json]) -> int:
    """How many bytes the params come to in all the places where the container refers to them.

    Counted, not made: 40 arguments that refer to one of 32 KiB 3,000 times each would be gigabytes.
    """
    found = (name for text in _texts(container) for name in _REFERENCE.findall(text))
    counts = Counter(name for name in found if name and name in params)
    return sum(count * len(escaped(_as_text(params[name])).encode(errors="replace")) for name, count in counts.items())


def _names(container: Container | DefinitionContainer) -> Iterable[str]:
    return dict.fromkeys(name for text in _texts(container) for name in _REFERENCE.findall(text) if name)


def _texts(container: Container | DefinitionContainer) -> Iterable[str]:
    yield from container.command or ()
    yield from container.args or ()
    yield from (variable.value for variable in container.env or () if variable.value)


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
