"""Whether another attempt follows, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401
from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import DISRUPTIONS, NOT_RETRIED, EffectiveBackoff, EffectiveRetry, Failure
from celeriac_operator.core.retry import Failures, backoff_seconds, retry_decision

EXACT = EffectiveBackoff(jitter="None")


def rule(action: str, *failures: str, codes: list[int] | None = None, operator: str = "In") -> dict[str, Any]:
    """A retry rule."""
    if codes is not None:
        return {"onExitCodes": {"operator": operator, "values": codes}, "action": action}
    return {"onFailures": list(failures), "action": action}


TABLE: dict[str, tuple[Failure, int | None, Failures, dict[str, Any], float | None]] = {
    "one attempt is the default": (Failure.APP_ERROR, 1, Failures(1, 0), {}, None),
    "the first of two fails": (Failure.APP_ERROR, 1, Failures(1, 0), {"max_attempts": 2}, 10),
    "the second of two fails": (Failure.APP_ERROR, 1, Failures(2, 0), {"max_attempts": 2}, None),
    "the pause doubles": (Failure.APP_ERROR, 1, Failures(3, 0), {"max_attempts": 9}, 40),
    "the pause has an end": (Failure.APP_ERROR, 1, Failures(90, 0), {"max_attempts": 99}, 600),
    "a disruption uses up no attempt": (Failure.EVICTED, 143, Failures(0, 1), {}, 10),
    "the tenth disruption is followed by another attempt": (Failure.JOB_LOST, None, Failures(0, 10), {}, 600),
    "the eleventh is not": (Failure.JOB_LOST, None, Failures(0, 11), {}, None),
    "no disruptions allowed": (Failure.NODE_LOST, None, Failures(0, 1), {"max_disruptions": 0}, None),
    "InvalidPod is not retried": (Failure.INVALID_POD, None, Failures(1, 0), {"max_attempts": 5}, None),
    "ResultInvalid is not retried": (Failure.RESULT_INVALID, 0, Failures(1, 0), {"max_attempts": 5}, None),
    "ResultInvalid is retried where a rule says so": (
        Failure.RESULT_INVALID,
        0,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Retry", "ResultInvalid")]},
        10,
    ),
    "a rule's Retry gives no more attempts than there are": (
        Failure.INVALID_POD,
        None,
        Failures(1, 0),
        {"rules": [rule("Retry", "InvalidPod")]},
        None,
    ),
    "a rule's Fail is final": (
        Failure.APP_ERROR,
        42,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Fail", codes=[42])]},
        None,
    ),
    "a rule for other exit codes does not apply": (
        Failure.APP_ERROR,
        1,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Fail", codes=[42])]},
        10,
    ),
    "NotIn is every other exit code": (
        Failure.APP_ERROR,
        1,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Fail", codes=[42], operator="NotIn")]},
        None,
    ),
    "NotIn says nothing where there is no exit code": (
        Failure.START_DEADLINE_EXCEEDED,
        None,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Fail", codes=[42], operator="NotIn")]},
        10,
    ),
    "the first rule that matches decides": (
        Failure.OOM_KILLED,
        137,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Fail", "OOMKilled"), rule("Retry", codes=[137])]},
        None,
    ),
    "a disruption can be made final": (
        Failure.EVICTED,
        143,
        Failures(0, 1),
        {"rules": [rule("Fail", "Evicted")]},
        None,
    ),
    "no rule retries a cancelled task": (
        Failure.CANCELLED,
        143,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Retry", "Cancelled")]},
        None,
    ),
    "no rule retries a task that is out of time": (
        Failure.TOTAL_DEADLINE_EXCEEDED,
        143,
        Failures(1, 0),
        {"max_attempts": 5, "rules": [rule("Retry", "TotalDeadlineExceeded")]},
        None,
    ),
}


BEFORE_THE_START: dict[str, tuple[Failure, Failures, dict[str, int], float]] = {
    "a second after the first": (Failure.EVICTED, Failures(0, 1), {"initial_seconds": 0}, 1),
    "ever longer": (Failure.EVICTED, Failures(2, 4), {"initial_seconds": 0}, 8),
    "a minute at most": (Failure.NODE_LOST, Failures(0, 10), {"initial_seconds": 0}, 60),
    "longer where the task says so": (Failure.EVICTED, Failures(0, 1), {"initial_seconds": 30}, 30),
    "a failure of its own only as the task says": (
        Failure.IMAGE_PULL_FAILED,
        Failures(1, 0),
        {"initial_seconds": 0},
        0,
    ),
}


@pytest.mark.parametrize(("failure", "used", "backoff", "pause"), BEFORE_THE_START.values(), ids=list(BEFORE_THE_START))
def test_the_pause_after_an_attempt_that_had_not_started(
    failure: Failure, used: Failures, backoff: dict[str, int], pause: float
) -> None:
    retry = EffectiveRetry(max_attempts=5, backoff=EffectiveBackoff(jitter="None", **backoff))
    decision = retry_decision(failure, None, used, retry, started=False, seed="uid", now=T0)
    assert decision.at == at(pause)


@pytest.mark.parametrize(("failure", "code", "used", "policy", "pause"), TABLE.values(), ids=TABLE)
def test_decision(
    failure: Failure, code: int | None, used: Failures, policy: dict[str, Any], pause: float | None
) -> None:
    retry = EffectiveRetry.model_validate({"backoff": EXACT, **policy})
    decision = retry_decision(failure, code, used, retry, started=True, seed="uid", now=T0)

    assert decision.at == (None if pause is None else at(pause))


@pytest.mark.parametrize("failure", Failure)
def test_what_is_retried_by_default(failure: Failure) -> None:
    used = Failures(0, 1) if failure in DISRUPTIONS else Failures(1, 0)
    decision = retry_decision(failure, None, used, EffectiveRetry(max_attempts=5), started=True, seed="uid", now=T0)

    assert (decision.at is None) == (failure in NOT_RETRIED)


@given(
    st.integers(0, 86_400),
    st.integers(100, 1000),
    st.integers(0, 604_800),
    st.integers(1, 2000),
    st.text(max_size=10),
)
def test_a_pause_is_never_negative_nor_too_long_and_the_same_again(
    initial: int, percent: int, most: int, failures: int, seed: str
) -> None:
    backoff = EffectiveBackoff(initial_seconds=initial, multiplier_percent=percent, max_seconds=most)
    pause = backoff_seconds(backoff, failures, seed)

    assert 0 <= pause <= most
    assert pause == backoff_seconds(backoff, failures, seed)
