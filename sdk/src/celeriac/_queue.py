"""A TaskQueue as it was at one moment. Raw JSON ends here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celeriac._task import parse_time
from celeriac.api.v1alpha1 import TaskQueueSpec, TaskQueueStatus


@dataclass(frozen=True, slots=True)
class Queue:
    """A TaskQueue as it was when it was read. It does not change: get it again for news."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: TaskQueueSpec
    status: TaskQueueStatus
    created: datetime
    manifest: Mapping[str, Any] = field(repr=False, compare=False)
    """The object as the API server gave it."""

    @property
    def running(self) -> int:
        """Tasks that hold a slot, when the operator last wrote it."""
        return self.status.running or 0

    @property
    def queued(self) -> int:
        """Tasks that wait for a slot, when the operator last wrote it."""
        return self.status.queued or 0

    @property
    def paused(self) -> bool:
        """Whether it is to start nothing."""
        return self.spec.stop_policy in ("Hold", "HoldAndDrain")

    @property
    def state(self) -> str:
        """``Active``, ``Held``, ``Draining`` or ``Drained``."""
        if not self.paused:
            return "Active"
        if self.spec.stop_policy == "Hold":
            return "Held"
        return "Drained" if self.drained else "Draining"

    @property
    def drained(self) -> bool:
        """Whether the operator has seen that it is to be drained, and nothing runs any more."""
        active = next((condition for condition in self.status.conditions if condition.type == "Active"), None)
        seen = active is not None and active.observed_generation == self.generation
        return seen and active is not None and active.reason == "Drained"


def parse_queue(manifest: Mapping[str, Any]) -> Queue:
    """The TaskQueue in the API server's JSON."""
    meta = manifest["metadata"]
    return Queue(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        generation=int(meta.get("generation", 1)),
        spec=TaskQueueSpec.model_validate(manifest.get("spec") or {}),
        status=TaskQueueStatus.model_validate(manifest.get("status") or {}),
        created=parse_time(meta["creationTimestamp"]),
        manifest=manifest,
    )
