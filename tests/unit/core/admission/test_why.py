"""Why a Task waits: of several things the one that lasts longest, in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.clock import T0

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.queue import QueueAdmission
from celeriac_operator.core.admission.standing import Asks, Holds, QueueKey, Waits
from celeriac_operator.core.admission.why import why

QUEUE = QueueKey("media", "default")
RATE = {"tasks": 5, "periodSeconds": 60}

WHYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a full queue says its limit": (
        {"maxConcurrency": 1},
        "QueueFull",
        "Waiting: queue default is at its limit of 1",
    ),
    "a full key says which": (
        {"maxConcurrencyPerKey": 1, "maxConcurrency": 1},
        "KeyLimit",
        "Waiting: queue default is at its limit of 1 for concurrencyKey user-17",
    ),
    "a held queue says who held it and why": (
        {"stopPolicy": "Hold", "stopReason": "the disk\nis full", "maxConcurrency": 1},
        "QueueHeld",
        "Waiting: queue default is held: the disk is full",
    ),
    "a held queue without a reason says what holds it": (
        {"stopPolicy": "Hold"},
        "QueueHeld",
        "Waiting: queue default is held, stopPolicy Hold",
    ),
    "a drained queue says so": (
        {"stopPolicy": "HoldAndDrain", "stopReason": "upgrade"},
        "QueueHeld",
        "Waiting: queue default is being drained: upgrade",
    ),
    "a rate that is used up is the reason left": (
        {"maxConcurrency": 2, "rateLimit": RATE},
        "RateLimited",
        "Waiting: queue default is at its rate limit of 5 in 60 s",
    ),
    "a full queue lasts longer than a rate": (
        {"maxConcurrency": 1, "rateLimit": RATE},
        "QueueFull",
        "Waiting: queue default is at its limit of 1",
    ),
    "nothing but its turn": ({"maxConcurrency": 2}, "Queued", "Waiting for its turn in queue default"),
}


@pytest.mark.parametrize(("fields", "reason", "message"), WHYS.values(), ids=list(WHYS))
def test_why(fields: dict[str, Any], reason: str, message: str) -> None:
    queue = QueueAdmission(TaskQueueSpec.model_validate(fields))
    asks = Asks(QUEUE, 0, T0, "user-17")
    queue.set("other", Holds(QUEUE, "user-17"))
    queue.set("task", asks)

    assert Waits(reason, message) == why(queue, asks, starting=False)
