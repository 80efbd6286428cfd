"""One aspect of an object's state, with the time since when it is so. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from celeriac.api.v1alpha1 import Condition

Truth = Literal["True", "False", "Unknown"]


def whole_second(moment: datetime) -> datetime:
    """Times in status are whole seconds, as Kubernetes' own."""
    return moment.replace(microsecond=0)


def condition_since(
    known: Iterable[Condition], type_: str, status: Truth, reason: str, message: str, *, generation: int, now: datetime
) -> Condition:
    """The condition as it is now; its transition time stays while its truth does, as metav1.Condition wants it.

    Args:
        known: the object's conditions as they were last written.
        generation: the metadata.generation that it is set from.
    """
    old = next((condition for condition in known if condition.type == type_), None)
    held = old is not None and old.status == status
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=old.last_transition_time if old is not None and held else whole_second(now),
        observed_generation=generation,
    )
