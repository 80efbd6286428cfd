"""What is said of streams; how they are kept is shown on a real server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.streams import Streams
from celeriac_operator.core.admission.standing import QueueKey

QUEUE = QueueKey("media", "default")
UP = {"enabled": True, "connected": True, "tried": True, "reason": ""}

SAID: dict[str, tuple[dict[str, Any], str | None, tuple[str, str] | None]] = {
    "without NATS there are none": ({"enabled": False}, None, None),
    "before NATS was asked nothing is known": ({"connected": False, "tried": False}, None, ("Unknown", "")),
    "before anybody has looked nothing is known": ({}, None, ("Unknown", "")),
    "NATS that is away is why": (
        {"connected": False, "reason": "refused"},
        None,
        ("NATSDown", "Messages are not taken in: refused"),
    ),
    "streams that cannot be looked at are why": ({}, "timed out", ("NATSDown", "Messages are not taken in: timed out")),
}


@pytest.mark.parametrize(("bus", "failed", "expected"), SAID.values(), ids=list(SAID))
def test_what_is_said_of_a_stream_that_nobody_has_looked_at(
    bus: dict[str, Any], failed: str | None, expected: tuple[str, str] | None
) -> None:
    told: list[QueueKey] = []
    there = cast(Bus, SimpleNamespace(**UP | bus))
    streams = Streams(there, lambda: {QUEUE: TaskQueueSpec()}, lambda _: True, told.append)
    if failed is not None:
        streams.failed(failed)
        streams.failed(failed)
    state = streams.state(QUEUE)

    assert expected == (None if state is None else (state.reason, state.message))
    assert told == [QUEUE] * (failed is not None), "told once, and not each time"
