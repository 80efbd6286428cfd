"""What a quota's refusal says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from celeriac_operator.core.quota import never_fits, quantity

PODS = 'pods "x-" is forbidden: exceeded quota: team, requested: {}, used: {}, limited: {}'

MESSAGES: dict[str, tuple[str, str | None]] = {
    "a quota that is full for now": (PODS.format("pods=1", "pods=4", "pods=4"), None),
    "a quota that allows none at all": (
        PODS.format("pods=1", "pods=0", "pods=0"),
        "quota team allows pods 0 in all, and this task needs 1",
    ),
    "more CPU than there is in all, in another unit": (
        PODS.format("limits.cpu=2,requests.cpu=4", "limits.cpu=0,requests.cpu=0", "limits.cpu=8,requests.cpu=3500m"),
        "quota team allows requests.cpu 3500m in all, and this task needs 4",
    ),
    "just as much memory as there is": (
        PODS.format("requests.memory=1Gi", "requests.memory=1Mi", "requests.memory=1024Mi"),
        None,
    ),
    "Jobs": (
        'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=0, '
        "limited: count/jobs.batch=0",
        "quota q allows count/jobs.batch 0 in all, and this task needs 1",
    ),
    "a resource without a limit": (PODS.format("pods=1", "pods=0", "services=0"), None),
    "an amount that is none": (PODS.format("pods=x", "pods=0", "pods=0"), None),
    "something else": ('pods "x" is forbidden: violates PodSecurity', None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=list(MESSAGES))
def test_never_fits(message: str, expected: str | None) -> None:
    assert expected == never_fits(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2),
        ("0.5", Decimal("0.5")),
        ("500m", Decimal("0.5")),
        ("1k", 1000),
        ("1Ki", 1024),
        ("2Gi", 2 * 1024**3),
        ("3G", 3 * 1000**3),
        ("7n", Decimal("7e-9")),
        ("1e3", 1000),
        ("", None),
        ("many", None),
        ("1.2.3", None),
    ],
)
def test_quantities(text: str, expected: Decimal | int | None) -> None:
    assert expected == quantity(text)
