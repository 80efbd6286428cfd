"""A world in which one chosen write goes wrong, and what is left of it in the end."""

from __future__ import annotations

import json
from collections import Counter
from enum import Enum
from typing import Any

from tests.support.invariants import Started
from tests.support.jetstream import stream
from tests.support.stepped import Fate, Request
from tests.support.world import MOST_REQUESTS, World

from celeriac.wire.names import DEAD_REASON, DEAD_STREAM, DELAYED_STREAM

STOPPED = 143
WRITES = ("create ", "status ", "merge ", "delete ", "publish ", "put record ", "update record ", "acknowledge ")


class Blow(Enum):
    """What happens at a write."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    DIES_WHILE_SENT = "has died when the API server comes to"
    REPLY_LOST = "never hears of"
    REFUSED = "is refused"


class Sabotaged(World):
    """Everything goes well but for one write.

    Args:
        number: of the write, from 1; 0: none.
    """

    def __init__(self, number: int = 0, blow: Blow = Blow.REFUSED) -> None:
        super().__init__()
        self.number, self.blow = number, blow
        self.writes: list[str] = []

    def flow(self) -> None:
        for _ in range(MOST_REQUESTS):
            possible = self.network.possible()
            if not possible:
                return
            request = possible[0]
            if request in self.network.sent and request.what.startswith(WRITES):
                self.writes.append(request.what)
                if len(self.writes) == self.number:
                    self._strike(request)
                    continue
            self.network.go_on(request)
        raise AssertionError(f"it goes round in circles: {self.writes[-20:]}")

    def _strike(self, request: Request) -> None:
        match self.blow:
            case Blow.DIES_BEFORE:
                self.die(in_flight=False)
            case Blow.DIES_AFTER:
                self.network.go_on(request, Fate.ANSWERED_LATE)
                self.die(in_flight=False)
            case Blow.DIES_WHILE_SENT:
                self.die(in_flight=True)
                self.network.sent.append(self.network.sent.pop(self.network.sent.index(request)))
            case Blow.REPLY_LOST:
                self.network.go_on(request, Fate.REPLY_LOST)
            case Blow.REFUSED:
                self.network.go_on(request, Fate.REFUSED)

    def end_state(self) -> dict[str, Any]:
        """What is left, without what differs from run to run."""
        cluster = self.cluster
        starts = Counter(fact.attempt for fact in cluster.facts if isinstance(fact, Started))
        records = {key: json.loads(entry.value or b"{}") for key, entry in cluster.bucket.entries.items()}
        return {
            "tasks": {raw["metadata"]["name"]: _summary(raw["status"]) for raw in cluster.all("tasks")},
            "jobs": len(cluster.all("jobs")),
            "revisions": len(cluster.all("controllerrevisions")),
            "starts": dict(starts),
            "records": {key: (record["kind"], record["outcome"]) for key, record in records.items()},
            "dead": [each.headers[DEAD_REASON] for each in self.server.streams.get(DEAD_STREAM, ())],
            "left": [len(self.server.streams.get(each, ())) for each in (stream(), DELAYED_STREAM)],
        }


def _summary(status: dict[str, Any]) -> tuple[Any, ...]:
    attempts = [(each["number"], each.get("failure"), _exit_code(each)) for each in status.get("attempts", ())]
    told = status["message"].removesuffix(f" (exit code {STOPPED})")
    return status["phase"], status["reason"], told, status.get("result"), attempts


def _exit_code(attempt: dict[str, Any]) -> int | None:
    """Of a process that was stopped it is lost where its pod goes before it could be written: that is not promised."""
    code = attempt.get("exitCode")
    return None if code == STOPPED else code
