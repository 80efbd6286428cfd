"""Whether a failed attempt is followed by another, and when. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import DISRUPTIONS, NOT_RETRIED, EffectiveBackoff, EffectiveRetry, Failure

_BEFORE_THE_START = EffectiveBackoff(initial_seconds=1, multiplier_percent=200, max_seconds=60, jitter="None")
"""At least so long where a disruption came before the container had started.

A kubelet that is short of something refuses each pod for as long as the scheduler does not know of it: seven in half a
second were seen, of the ten disruptions that a Task may have.
"""
_ALWAYS_FINAL = frozenset({Failure.CANCELLED, Failure.TOTAL_DEADLINE_EXCEEDED})


@dataclass(frozen=True, slots=True)
class Failures:
    """What a Task has used up, the failure in question included."""

    own: int
    disruptions: int


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Another attempt at that time; or none, and why."""

    at: datetime | None
    why: str


def retry_decision(
    failure: Failure,
    exit_code: int | None,
    used: Failures,
    policy: EffectiveRetry,
    *,
    started: bool,
    seed: str,
    now: datetime,
) -> RetryDecision:
    """What follows a failed attempt.

    Args:
        started: whether the attempt's container had started.
        seed: makes the jitter, so that deciding twice decides the same (the Task's uid will do).
    """
    rule = next((rule for rule in policy.rules if rule.matches(failure, exit_code)), None)
    if failure in _ALWAYS_FINAL:
        return RetryDecision(None, "")
    if rule is not None and rule.action == "Fail":
        return RetryDecision(None, "a retry rule says Fail")
    if rule is None and failure in NOT_RETRIED:
        return RetryDecision(None, f"{failure} is not retried")
    disrupted = failure in DISRUPTIONS
    count, limit = (used.disruptions, policy.max_disruptions) if disrupted else (used.own, policy.max_attempts - 1)
    if count > limit:
        noun = "disruption" if disrupted else "attempt"
        allowed = policy.max_disruptions if disrupted else policy.max_attempts
        return RetryDecision(None, f"{count} {noun}{'s' * (count != 1)} of {allowed} used up")
    pause = backoff_seconds(policy.backoff, count, f"{seed}/{used.own}/{used.disruptions}")
    if disrupted and not started:
        pause = max(pause, backoff_seconds(_BEFORE_THE_START, count, seed))
    return RetryDecision(now + timedelta(seconds=pause), "")


def backoff_seconds(backoff: EffectiveBackoff, failures: int, seed: str) -> float:
    """The pause after so many failures, in seconds.

    Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", 2015). The random part comes from a
    hash, so that it is the same after a restart.
    """
    factor: float = (backoff.multiplier_percent / 100) ** min(failures - 1, 64)
    pause = min(backoff.initial_seconds * factor, backoff.max_seconds)
    if backoff.jitter == "None":
        return pause
    draw = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") / 2**64
    return pause * draw
