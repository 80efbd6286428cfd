"""Equal values, once in memory, and no longer than somebody has them."""

from __future__ import annotations

import gc

import pytest

from celeriac.api.v1alpha1 import Condition
from celeriac_operator.kube import shared as module
from celeriac_operator.kube.shared import shared


def finished(reason: str) -> Condition:
    when = "2026-11-26T08:00:00Z"
    return Condition.model_validate(
        {"type": "Finished", "status": "True", "reason": reason, "message": "", "lastTransitionTime": when}
    )


def test_equal_values_are_one_object() -> None:
    one, other = finished("AppError"), finished("AppError")
    assert one is not other
    assert shared(one) is shared(other)


def test_other_values_are_themselves() -> None:
    one, other = finished("AppError"), finished("OOMKilled")
    assert (shared(one), shared(other)) == (one, other)


def test_what_nobody_has_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", type(module._known)())
    kept = [shared(finished(f"Reason{number}")) for number in range(100)][:1]
    gc.collect()

    assert [kept[0]] == list(module._known)
