"""A submitted task in memory: its manifest, as the API server would have it, and what happened to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celeriac._task import Task, parse_task, parse_time
from celeriac.api.v1alpha1 import NOT_RETRIED, Failure, RetryRule
from celeriac.app.function import TaskFunction
from celeriac.run.outcome import Failed, Succeeded


@dataclass(frozen=True)
class Policy:
    """What the operator would follow: the call's words, else the function's."""

    max_attempts: int
    initial_seconds: float
    multiplier: float
    max_seconds: float
    queue_seconds: int | None
    run_seconds: int | None
    rules: tuple[RetryRule, ...]

    def pause(self, failures: int) -> float:
        """Seconds before the next attempt. Without jitter, so that a test can say what it expects."""
        return min(self.initial_seconds * self.multiplier ** (failures - 1), self.max_seconds)

    def ends(self, failure: Failure, exit_code: int) -> str:
        """Why no attempt follows such a failure, however many are left; empty: another may follow."""
        rule = next((rule for rule in self.rules if rule.matches(failure, exit_code)), None)
        if rule is not None:
            return "a retry rule says Fail" if rule.action == "Fail" else ""
        return f"{failure} is not retried" if failure in NOT_RETRIED else ""


@dataclass
class Work:
    """One task."""

    function: TaskFunction[..., Any, Any]
    manifest: dict[str, Any]
    policy: Policy
    submitted: datetime
    number: int
    due: datetime = field(init=False)
    """When its next attempt may start."""
    failures: int = 0
    progress: list[tuple[float, str]] = field(default_factory=list)
    """What the function said of its progress."""

    def __post_init__(self) -> None:
        start = self.manifest["spec"].get("startTime")
        self.due = max(self.submitted, parse_time(start)) if start else self.submitted
        self.manifest["metadata"] |= {"uid": f"uid-{self.number}", "creationTimestamp": _text(self.submitted)}
        waits = self.due > self.submitted
        phase, reason = ("Pending", "BeforeStartTime") if waits else ("Queued", "Waiting")
        self.manifest["status"] = {"phase": phase, "reason": reason, "conditions": [], "attempts": []}

    @property
    def name(self) -> str:
        """Name of the Task."""
        name: str = self.manifest["metadata"]["name"]
        return name

    @property
    def params(self) -> str:
        """The params' JSON, as the runner gets it."""
        return json.dumps(self.manifest["spec"].get("params") or {})

    @property
    def task(self) -> Task:
        """The Task as it is now."""
        return parse_task(json.loads(json.dumps(self.manifest)))

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return bool(self.manifest["status"]["conditions"])

    @property
    def rank(self) -> tuple[datetime, int, int]:
        """What runs first: what is due first, then by priority, then in the order of submission."""
        return self.due, -self.priority, self.number

    @property
    def priority(self) -> int:
        """As the call says, else the function."""
        own: int | None = self.manifest["spec"].get("priority")
        return own if own is not None else self.function.settings.get("priority") or 0

    @property
    def expires(self) -> datetime | None:
        """When it expires, unless an attempt has started before."""
        seconds = self.policy.queue_seconds
        if seconds is None or self.manifest["status"]["attempts"]:
            return None
        start = self.manifest["spec"].get("startTime")
        return (max(self.submitted, parse_time(start)) if start else self.submitted) + timedelta(seconds=seconds)

    def record(self, outcome: Succeeded | Failed, start: datetime, now: datetime) -> None:
        """One more attempt, and what follows from it."""
        status = self.manifest["status"]
        number = (status.get("attemptCount") or 0) + 1
        failed = outcome if isinstance(outcome, Failed) else None
        attempt = {
            "number": number,
            "jobName": f"{self.name}-a{number}",
            "startTime": _text(start),
            "finishTime": _text(now),
            "exitCode": failed.exit_code if failed else 0,
            "failure": failed.failure if failed else None,
            "message": failed.message if failed else None,
        }
        status["attemptCount"] = number
        status["attempts"] = [*status["attempts"], attempt][-10:]
        status.setdefault("startTime", _text(start))
        if isinstance(outcome, Succeeded):
            status["result"] = {"value": outcome.value}
            self.finish("Succeeded", f"Attempt {number} succeeded", now)
        else:
            self._failed(outcome, number, now)

    def _failed(self, outcome: Failed, number: int, now: datetime) -> None:
        self.failures += 1
        why = self.policy.ends(Failure(outcome.failure), outcome.exit_code)
        if not why and self.failures >= self.policy.max_attempts:
            why = f"{self.failures} attempt{'s' * (self.failures != 1)} of {self.policy.max_attempts} used up"
        if why:
            self.finish(outcome.failure, f"Attempt {number} failed ({why}): {outcome.message}", now)
            return
        pause = self.policy.pause(self.failures)
        self.due = now + timedelta(seconds=pause)
        message = f"Attempt {number} failed; the next one starts in {pause:g} s"
        self.manifest["status"] |= {"phase": "Retrying", "reason": "Backoff", "message": message}

    def finish(self, outcome: str, message: str, now: datetime) -> None:
        """The end."""
        phase = outcome if outcome in ("Succeeded", "Cancelled", "Expired") else "Failed"
        conditions = [
            {"type": kind, "status": truth, "reason": outcome, "lastTransitionTime": _text(now)}
            for kind, truth in (("Finished", "True"), ("Succeeded", str(outcome == "Succeeded")))
        ]
        self.manifest["status"] |= {
            "phase": phase,
            "reason": outcome,
            "message": message[:8192],
            "conditions": conditions,
            "finishTime": _text(now),
        }


def _text(moment: datetime) -> str:
    return moment.isoformat()
