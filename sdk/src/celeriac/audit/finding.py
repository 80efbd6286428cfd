"""What an audit finds: something that is not as it would be had nothing been lost or put back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Weight(StrEnum):
    """How bad it is."""

    LOST = "Lost"
    """It is gone, and nothing brings it back by itself."""
    AGAIN = "Again"
    """What has run, or may have, will run again."""
    NOTE = "Note"
    """It is well or becomes so by itself; whoever looks for what is missing should know."""
    UNREAD = "Unread"
    """It was not looked at, so nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    weight: Weight
    namespace: str
    name: str
    """Of the Task, stream, Job or CronTask that it is about."""
    found: str
    advice: str
    """What to do next."""


def at(moment: datetime) -> str:
    """A moment in a sentence."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
