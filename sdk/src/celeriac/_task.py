"""A Task as it was at one moment, and what its conditions say of it. Raw JSON ends here.

Outcomes are read from the conditions, never from the phase, which is for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celeriac._phase import Phase
from celeriac.api.v1alpha1 import TaskSpec, TaskStatus


@dataclass(frozen=True, slots=True)
class Task:
    """A Task as it was when it was read. It does not change: get it again for news."""

    name: str
    namespace: str
    uid: str
    """Uid of the Task; empty while there is none."""
    spec: TaskSpec
    status: TaskStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created: datetime
    manifest: Mapping[str, Any] = field(repr=False, compare=False)
    """The object as the API server gave it, or what its record says in the same form."""

    @property
    def finished(self) -> bool:
        """True once the task has ended, in whatever way."""
        return self._is("Finished", "True")

    @property
    def succeeded(self) -> bool:
        """True once the task has succeeded."""
        return self.finished and self._is("Succeeded", "True")

    @property
    def outcome(self) -> str | None:
        """How it ended: ``Succeeded``, ``Cancelled``, ``Expired``, a failure's class, or None while it has not."""
        condition = self.status.condition("Finished")
        return condition.reason if condition and condition.status == "True" else None

    @property
    def queue(self) -> str:
        """The queue it waits in: as accepted, else as asked for."""
        effective = self.status.effective
        return effective.queue_name if effective else self.spec.queue_name or "default"

    @property
    def phase(self) -> Phase:
        """A summary of the state, for people. Backlogged: NATS holds the task, and there is no Task yet."""
        return Phase(self.status.phase or (Phase.PENDING if self.uid else Phase.BACKLOGGED))

    def _is(self, condition_type: str, status: str) -> bool:
        condition = self.status.condition(condition_type)
        return condition is not None and condition.status == status


def parse_task(manifest: Mapping[str, Any]) -> Task:
    """The Task in the API server's JSON."""
    meta = manifest["metadata"]
    return Task(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        spec=TaskSpec.model_validate(manifest.get("spec") or {}),
        status=TaskStatus.model_validate(manifest.get("status") or {}),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        created=parse_time(meta["creationTimestamp"]),
        manifest=manifest,
    )


def cancel_reason(message: str) -> str:
    """The reason in what the operator says of a cancelled task; empty where there was none."""
    return message.removeprefix("Cancelled").removeprefix(": ")


def parse_time(text: str) -> datetime:
    """An RFC 3339 time; digits beyond microseconds are cut."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
