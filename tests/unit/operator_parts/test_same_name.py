"""Messages of one name, and who of them waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from celeriac.wire.message import MalformedMessage
from celeriac_operator.background import end
from celeriac_operator.bus.same_name import SameName
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.arrival import Arrival

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def arrival(namespace: str, queue: str, name: str) -> Arrival:
    """What says nothing has the name of its message id."""
    known = f"{name}.264d107b6706fb84"
    return Arrival(QueueKey(namespace, queue), "n", f"S_{queue}.1", NOW, MalformedMessage("no JSON"), b"", known)


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        pytest.param(("media", "default", "a"), True, id="another copy of it"),
        pytest.param(("media", "other", "a"), True, id="one that was sent to another queue"),
        pytest.param(("media", "default", "b"), False, id="one of another name"),
        pytest.param(("team", "default", "a"), False, id="one of another namespace"),
    ],
)
async def test_who_waits_for_a_message_that_is_in_hand(other: tuple[str, str, str], waits: bool) -> None:
    turns, began = SameName(), asyncio.Event()

    async def has_its_turn() -> None:
        async with turns.turn(arrival(*other)):
            began.set()

    async with turns.turn(arrival("media", "default", "a")):
        task = asyncio.create_task(has_its_turn())
        for _ in range(20):
            await asyncio.sleep(0)
        assert began.is_set() is not waits
    await began.wait()
    await end([task])
    assert not turns._locks
