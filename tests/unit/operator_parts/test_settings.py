"""The settings: what is given goes in, what cannot work is refused by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from celeriac_operator.core.election import Timing
from celeriac_operator.settings import Settings


def settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    for name, value in given.items():
        monkeypatch.setenv(f"CELERIAC_{name.upper()}", value)
    return Settings()


def test_a_lease_and_a_look_are_less_than_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Timing(12, 8, 2) == settings(monkeypatch).timing


def test_the_identity_is_the_pod_and_its_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "celeriac-7d_uid" == settings(monkeypatch, pod_name="celeriac-7d", pod_uid="uid").identity


def test_outside_of_a_pod_every_process_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch).identity != settings(monkeypatch).identity


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"renew_deadline_seconds": "12"}, id="a holder that may write when another takes over"),
        pytest.param({"lease_retry_seconds": "5"}, id="no time for a second try"),
    ],
)
def test_leases_that_cannot_be_held_are_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="CELERIAC_RENEW_DEADLINE_SECONDS must be less than CELERIAC_LEASE_SEC"):
        settings(monkeypatch, **given)


@pytest.mark.parametrize("shards", ["0", "65"])
def test_a_number_of_shards_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, shards: str) -> None:
    with pytest.raises(ValidationError, match="shards"):
        settings(monkeypatch, shards=shards)
