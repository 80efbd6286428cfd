"""Hypothesis' profiles: importing this module loads the one that HYPOTHESIS_PROFILE names.

``default`` keeps the unit suite short, and ``ci``, where CI is set, does the same each time it is run;
HYPOTHESIS_PROFILE=thorough is for hours without a person.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
settings.register_profile("default", settings(max_examples=60, **_COMMON))  # type: ignore[arg-type]
settings.register_profile("thorough", settings(max_examples=3000, stateful_step_count=120, **_COMMON))  # type: ignore[arg-type]
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def examples(default: int) -> settings:
    """Settings of a test that is slower or more important than most; the thorough profile has 50 times as many."""
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    return settings(max_examples=default * 50 if thorough else default)
