"""Progress as events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from celeriac.run.environment import Environment
from celeriac.wire.canonical import canonical_json
from celeriac.wire.names import event_subject

EVERY_SECONDS = 0.5
LONGEST_TEXT = 1024


class Progress:
    """Publishes how far a task says it is, at most twice a second, and the end always.

    Args:
        publish: takes subject and data, and waits for nothing.
        clock: seconds that pass.
    """

    def __init__(
        self, environment: Environment, publish: Callable[[str, bytes], None], clock: Callable[[], float]
    ) -> None:
        self._environment = environment
        self._publish = publish
        self._clock = clock
        self._last: float | None = None

    def __call__(self, fraction: float, text: str) -> None:
        now = self._clock()
        if self._last is not None and now - self._last < EVERY_SECONDS and fraction < 1:
            return
        self._last = now
        of = self._environment
        event = {  # a TaskEvent, not by the model: its import would be the function's to wait for
            "time": datetime.now(UTC).isoformat(),
            "taskUid": of.uid,
            "phase": "Running",
            "reason": "Progress",
            "message": text[:LONGEST_TEXT].encode(errors="replace").decode(),
            "attempt": of.attempt,
            "progress": fraction,
        }
        data = canonical_json(event)
        self._publish(event_subject(of.namespace, of.task, "Progress"), data)
