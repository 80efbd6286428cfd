"""Hypothesis' profiles: importing this module loads the one that HYPOTHESIS_PROFILE names.

``quick`` is for a person who waits (`make unit`), ``default`` for `make test`; ``ci``, where CI is set, does the same
each time it is run; HYPOTHESIS_PROFILE=thorough is for hours without a person.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")
_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
settings.register_profile("default", settings(max_examples=60, **_COMMON))  # type: ignore[arg-type]
settings.register_profile("quick", settings(max_examples=10, **_COMMON))  # type: ignore[arg-type]
settings.register_profile("thorough", settings(max_examples=3000, stateful_step_count=120, **_COMMON))  # type: ignore[arg-type]
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
settings.load_profile(PROFILE)
_TIMES = {"quick": 0.1, "thorough": 50}
"""How many examples a profile has for one of ``default``."""


def examples(default: int) -> settings:
    """Settings of a test that is slower or more important than most."""
    return settings(max_examples=max(1, round(default * _TIMES.get(PROFILE, 1))))


def some(cases: Sequence[T]) -> Sequence[T]:
    """All cases of a large table; for a person who waits every seventh, which comes through all of five columns."""
    return cases[::7] if PROFILE == "quick" else cases
