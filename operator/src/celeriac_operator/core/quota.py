"""What a quota's refusal says: full for now, or too small for ever. Pure."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_MESSAGE = re.compile(r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<asked>.*), used: .*, limited: (?P<most>\S*)")
_QUANTITY = re.compile(r"(?P<number>[0-9.]+(?:[eE][-+]?[0-9]+)?)(?P<suffix>[KMGTPE]i|[numkMGTPE]|)")
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", *"MGTPE"), start=-3)}
_SCALES: dict[str, Decimal] = _BINARY | _DECIMAL


def never_fits(message: str) -> str | None:
    """What of the request is more than the whole quota, as a sentence; None where it fits into an empty one."""
    found = _MESSAGE.search(message)
    if found is None:
        return None
    most = _amounts(found["most"])
    for resource, amount in _amounts(found["asked"]).items():
        asked, limit = quantity(amount), quantity(most.get(resource, ""))
        if asked is not None and limit is not None and asked > limit:
            return f"quota {found['quota']} allows {resource} {most[resource]} in all, and this task needs {amount}"
    return None


def _amounts(text: str) -> dict[str, str]:
    """``pods=1,requests.cpu=4`` as a dictionary."""
    return {name: amount for name, _, amount in (part.partition("=") for part in text.split(","))}


def quantity(text: str) -> Decimal | None:
    """A Kubernetes quantity as a number; None where it is none."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return Decimal(found["number"]) * _SCALES[found["suffix"]]
    except InvalidOperation:
        return None
