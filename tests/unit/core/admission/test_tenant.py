"""A tenant's lanes: the first of each lane competes, and none of a lane that is blocked."""

from __future__ import annotations

from tests.support.clock import at

from celeriac_operator.core.admission.tenant import Place, Tenant


def place(task: str, rank: int = 0, since: float = 0) -> Place:
    return Place(rank, at(since), task)


def two_lanes() -> Tenant:
    tenant = Tenant("a")
    tenant.add("k", place("k1", since=1), blocked=False)
    tenant.add("k", place("k0"), blocked=False)
    tenant.add(None, place("free", since=5), blocked=False)
    return tenant


def test_the_first_of_all_lanes_is_next() -> None:
    assert place("k0") == two_lanes().first


def test_a_blocked_lane_is_passed_over_until_it_is_free() -> None:
    tenant = two_lanes()
    tenant.refresh("k", blocked=True)
    assert (place("free", since=5), 1) == (tenant.first, tenant.competing)

    tenant.refresh("k", blocked=False)
    assert (place("k0"), 3) == (tenant.first, tenant.competing)


def test_when_the_first_of_a_lane_goes_the_second_follows() -> None:
    tenant = two_lanes()
    tenant.remove("k", place("k0"), blocked=False)

    assert place("k1", since=1) == tenant.first
    assert tenant.waits_in("k")


def test_a_lane_that_is_empty_is_gone() -> None:
    tenant = two_lanes()
    for lane, gone in (("k", place("k0")), ("k", place("k1", since=1)), (None, place("free", since=5))):
        tenant.remove(lane, gone, blocked=False)

    assert tenant.idle
    assert tenant.first is None
