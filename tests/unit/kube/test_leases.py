"""Leases to facts and back, as Kubernetes and `kubectl` have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.objects import Raw

from celeriac_operator.core.election import Deed, LeaseFacts, Step
from celeriac_operator.kube.leases import lease_manifest, lease_of, micro_time

NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
MICRO = "2026-03-01T12:00:00.000005Z"
GUARD = LeaseFacts(
    shard=0, version="7", holder="pod_uid", acquired="t1", renewed="t2", seconds=12, transitions=3, shards=2
)


def stored(name: str = "celeriac-0", **spec: Any) -> Raw:
    return {"metadata": {"name": name, "resourceVersion": "7"}, "spec": spec}


def test_a_lease_is_read() -> None:
    raw = stored(
        holderIdentity="pod_uid", leaseDurationSeconds=12, leaseTransitions=3, acquireTime="t1", renewTime="t2"
    )
    raw["metadata"]["annotations"] = {"celeriac.dev/shards": "2"}

    assert GUARD == lease_of(raw, "celeriac")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(stored(), LeaseFacts(0, "7"), id="an empty spec"),
        pytest.param({"metadata": {"name": "celeriac-3", "resourceVersion": "7"}}, LeaseFacts(3, "7"), id="no spec"),
        pytest.param(stored(holderIdentity=None), LeaseFacts(0, "7"), id="a holder that is null"),
        pytest.param(stored("celeriac-x"), None, id="a name without a number"),
        pytest.param(stored("other-celeriac-0"), None, id="a lease of somebody else"),
        pytest.param(
            {"metadata": {"name": "celeriac-0", "resourceVersion": "7", "annotations": {"celeriac.dev/shards": "two"}}},
            LeaseFacts(0, "7"),
            id="a number that is none",
        ),
    ],
)
def test_whatever_somebody_wrote_into_it_it_is_read(raw: Raw, expected: LeaseFacts | None) -> None:
    assert expected == lease_of(raw, "celeriac")


@pytest.mark.parametrize(
    ("deed", "acquired", "renewed"),
    [
        pytest.param(Deed.TAKE, MICRO, MICRO, id="a new holder writes both times"),
        pytest.param(Deed.RENEW, "t1", MICRO, id="a renewal writes its own"),
        pytest.param(Deed.ASK, "t1", "t2", id="who asks for it leaves them alone, or a dead holder would live longer"),
        pytest.param(Deed.GIVE, "t1", "t2", id="who gives it back leaves them alone"),
    ],
)
def test_times(deed: Deed, acquired: str, renewed: str) -> None:
    spec = lease_manifest(Step(deed, GUARD), "celeriac", NOW)["spec"]

    assert (acquired, renewed) == (spec["acquireTime"], spec["renewTime"])


def test_a_lease_is_written_with_the_version_that_was_seen() -> None:
    lease = LeaseFacts(shard=1, version="7", holder="me_uid", seconds=12, wanted_by="x")

    assert {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "celeriac-1",
            "resourceVersion": "7",
            "labels": {"celeriac.dev/lease": "celeriac", "app.kubernetes.io/managed-by": "celeriac"},
            "annotations": {"celeriac.dev/wanted-by": "x"},
        },
        "spec": {
            "holderIdentity": "me_uid",
            "leaseDurationSeconds": 12,
            "leaseTransitions": 0,
            "acquireTime": MICRO,
            "renewTime": MICRO,
        },
    } == lease_manifest(Step(Deed.TAKE, lease), "celeriac", NOW)


@pytest.mark.parametrize("lease", [GUARD, LeaseFacts(shard=0, version="7", shards=3, settling=True)])
def test_what_is_written_is_what_is_read(lease: LeaseFacts) -> None:
    assert lease == lease_of(lease_manifest(Step(Deed.ASK, lease), "celeriac", NOW), "celeriac")


def test_a_whole_second_has_its_six_digits_too() -> None:
    assert "2026-03-01T12:00:00.000000Z" == micro_time(NOW.replace(microsecond=0))
