"""Several electors on one API server, whatever happens to their calls: never two that may write at once.

Time is virtual. A call that is late, before or after the API server got it, looks just like a process that was stopped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.leases import TIMING, LeaseServer, Mishap, Replica
from tests.support.profiles import examples
from tests.support.virtual import loop_time, run_virtual, virtual

from celeriac_operator.core.election import GUARD

TAKE_OVER_SECONDS = TIMING.lease + TIMING.retry / 4


async def until(seconds: float) -> None:
    """Let the electors work up to that time."""
    await asyncio.sleep(seconds - loop_time())


async def started(server: LeaseServer, *names: str, shards: int = 1) -> list[Replica]:
    """So many replicas, one after the other, after ten seconds."""
    replicas = [Replica(server, name, shards=shards) for name in names]
    for each in replicas:
        each.start()
        await asyncio.sleep(0.01)
    await until(10)
    return replicas


@virtual
async def test_the_first_leads_at_once_and_the_second_stands_by() -> None:
    first, second = await started(LeaseServer(), "a", "b")

    assert ({0}, set()) == (first.working, second.working)
    assert (0, 0, 8) == first.allowed[0]


@virtual
async def test_after_a_kill_the_other_leads_within_a_lease_and_a_look() -> None:
    first, second = await started(LeaseServer(), "a", "b")
    await first.kill()
    await asyncio.sleep(TAKE_OVER_SECONDS + 0.1)

    assert {0} == second.working
    assert TAKE_OVER_SECONDS < 15


@virtual
async def test_who_stops_gives_its_lease_back_and_the_other_leads_at_the_next_look() -> None:
    first, second = await started(LeaseServer(), "a", "b")
    await first.stop()
    await asyncio.sleep(TIMING.retry / 4 + 0.1)

    assert ({0}, set(), "") == (second.working, first.working, first.died)


@pytest.mark.parametrize(
    ("calls", "stop", "says"),
    [
        pytest.param(4, Mishap(before=60), "held by another replica", id="before it looks"),
        pytest.param(4, Mishap(after=60), "could not be renewed in 8 s", id="after it has looked"),
        pytest.param(5, Mishap(before=60), "could not be renewed in 8 s", id="before it renews"),
        pytest.param(5, Mishap(after=60), "could not be renewed in 8 s", id="after it has renewed"),
    ],
)
def test_a_leader_that_was_stopped_past_its_lease_ends_when_it_goes_on(calls: int, stop: Mishap, says: str) -> None:
    async def story() -> None:
        server = LeaseServer()
        stopped = Replica(server, "a", mishaps=chain(repeat(Mishap(), calls), [stop], repeat(Mishap())))
        other = Replica(server, "b")
        stopped.start()
        await asyncio.sleep(1)
        other.start()
        await until(80)

        assert ("b", {0}, set()) == (server.holder(0), other.working, stopped.working)
        assert says in stopped.died

    run_virtual(story())


@virtual
async def test_a_leader_that_cannot_reach_the_api_server_ends_at_its_fence() -> None:
    (first,) = await started(LeaseServer(), "a")
    first.store.cut = True
    await asyncio.sleep(TIMING.renew_deadline + TIMING.retry)

    assert "could not be renewed in 8 s" in first.died


@virtual
async def test_a_standby_that_cannot_reach_the_api_server_goes_on_standing_by() -> None:
    first, second = await started(LeaseServer(), "a", "b")
    second.store.cut = True
    await until(100)
    second.store.cut = False
    await first.stop()
    await until(105)

    assert ("", {0}) == (second.died, second.working)


@virtual
async def test_a_renewal_whose_answer_is_lost_costs_nothing() -> None:
    server = LeaseServer()
    once = chain(repeat(Mishap(), 3), [Mishap(lost=True)], repeat(Mishap()))
    replica = Replica(server, "a", mishaps=once)
    replica.start()
    await until(60)

    assert ("", {0}) == (replica.died, replica.working)


@virtual
async def test_a_leader_that_sees_its_lease_deleted_ends() -> None:
    server = LeaseServer()
    first, second = await started(server, "a", "b")
    server.stored.clear()
    await asyncio.sleep(TIMING.retry + 0.1)

    assert "were deleted" in first.died
    assert set() == second.working

    await asyncio.sleep(TAKE_OVER_SECONDS)
    assert {0} == second.working


@virtual
async def test_shards_are_shared_out_and_moved_to_those_who_are_left() -> None:
    server = LeaseServer()
    replicas = await started(server, "a", "b", "c", shards=6)
    await until(30)
    assert [2, 2, 2] == [len(each.working) for each in replicas]

    await replicas[0].kill()
    await until(70)
    assert [3, 3] == [len(each.working) for each in replicas[1:]]

    await replicas[1].stop()
    await until(75)
    assert set(range(6)) == replicas[2].working


@virtual
async def test_a_replica_that_joins_gets_its_share() -> None:
    server = LeaseServer()
    (first,) = await started(server, "a", shards=4)
    assert {0, 1, 2, 3} == first.working
    second = Replica(server, "b", shards=4)
    second.start()
    await until(20)

    assert [2, 2] == [len(first.working), len(second.working)]
    assert not first.working & second.working


@virtual
async def test_a_write_under_way_holds_the_lease_until_it_is_over() -> None:
    server = LeaseServer()
    first, _ = await started(server, "a", "b")
    with first.fence.permit("media"):
        stopping = asyncio.create_task(first.stop())
        await asyncio.sleep(3)
        assert "a" == server.holder(0)
    await stopping

    assert "" == server.holder(0)


@virtual
async def test_another_number_of_shards_waits_for_a_whole_lease_before_it_works() -> None:
    server = LeaseServer()
    old = Replica(server, "old", shards=2)
    old.start()
    await until(10)
    new = Replica(server, "new", shards=3)
    new.start()
    await until(60)
    assert ({0, 1}, set()) == (old.working, new.working)

    await old.stop()
    await until(71)
    assert set() == new.working
    await until(75)
    assert {0, 1, 2} == new.working


@virtual
async def test_replicas_of_the_number_before_give_up_what_they_hold_once_it_has_changed() -> None:
    server = LeaseServer()
    replicas = await started(server, "a", "b", shards=2)
    await until(20)
    guard, other = sorted(replicas, key=lambda each: GUARD not in each.working)
    assert ({GUARD}, {1}) == (guard.working, other.working)

    await guard.kill()
    server.stored[GUARD] = replace(server.stored[GUARD], holder="new", shards=1, settling=True)
    await asyncio.sleep(TIMING.retry / 4 + 0.1)

    assert (set(), "", "") == (other.working, server.holder(1), other.died)


# --- whatever happens


@dataclass(frozen=True)
class Life:
    """One process: how its clock goes, what happens to its calls, and how it ends."""

    shards: int
    mishaps: tuple[Mishap, ...]
    rate: float
    offset: float
    start: float
    end: float | None
    killed: bool


QUIET, LAST = 90.0, 200.0
"""From then on nothing goes wrong any more; until then it is looked at what came of it."""

delays = st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.7, 3.9, 7.5, 9.0, 13.0, 40.0])
mishaps = st.builds(
    Mishap,
    before=delays,
    after=delays,
    lost=st.sampled_from([False, False, False, True]),
    stale=st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
)
lives = st.builds(
    Life,
    shards=st.sampled_from([1, 2, 2, 3]),
    mishaps=st.lists(mishaps, max_size=40).map(tuple),
    rate=st.sampled_from([0.93, 1.0, 1.0, 1.07]),
    offset=st.sampled_from([0.0, -5000.0, 1e6]),
    start=st.floats(0, 30),
    end=st.none() | st.floats(30, 80),
    killed=st.booleans(),
)


async def live(life: Life, server: LeaseServer, name: str) -> Replica:
    """From start to end."""

    def calls() -> Iterator[Mishap]:
        for mishap in life.mishaps:
            yield mishap if loop_time() < QUIET else Mishap()
        yield from repeat(Mishap())

    replica = Replica(server, name, shards=life.shards, mishaps=calls(), rate=life.rate, offset=life.offset)
    await until(life.start)
    replica.start()
    if life.end is not None:
        await until(life.end)
        await (replica.kill() if life.killed else replica.stop())
    return replica


def overlaps(replicas: list[Replica]) -> list[str]:
    """Where two could have written to one namespace at once: the same shard, or other numbers of shards."""
    found = []
    for one, other in combinations(replicas, 2):
        for shard, start, end in one.allowed:
            for shard2, start2, end2 in other.allowed:
                same = one.shards != other.shards or shard == shard2
                if same and max(start, start2) < min(end, end2):
                    found.append(f"{one.name} {shard} {start}-{end} and {other.name} {shard2} {start2}-{end2}")
    return found


def whole_story(lives: list[Life], check: Callable[[LeaseServer, list[Replica]], None]) -> None:
    async def story() -> None:
        server = LeaseServer()
        replicas = await asyncio.gather(*(live(each, server, f"r{n}") for n, each in enumerate(lives)))
        await until(LAST)
        check(server, replicas)

    run_virtual(story())


@examples(60)
@given(st.lists(lives, min_size=2, max_size=4))
def test_two_may_never_write_at_once(lives: list[Life]) -> None:
    def check(server: LeaseServer, replicas: list[Replica]) -> None:
        assert [] == overlaps(replicas)

    whole_story(lives, check)


@examples(30)
@given(st.lists(lives, min_size=1, max_size=4))
def test_once_nothing_goes_wrong_any_more_everything_is_worked_on_and_shared_out(lives: list[Life]) -> None:
    def check(server: LeaseServer, replicas: list[Replica]) -> None:
        alive = [each for each in replicas if each.task is not None and not each.died]
        number = server.stored[GUARD].shards if alive else 0
        workers = [each for each in alive if each.shards == number]
        counts = Counter(shard for each in workers for shard in each.working)
        if alive:
            assert dict.fromkeys(range(number), 1) == dict(counts)
            assert set() == {shard for each in alive if each.shards != number for shard in each.working}
            held = [len(each.working) for each in workers]
            assert max(held) - min(held) <= 1

    whole_story(lives, check)


def test_an_overlap_is_found_where_there_is_one() -> None:
    one, other = (Replica(LeaseServer(), name) for name in "ab")
    one.allowed, other.allowed = [(0, 1.0, 5.0)], [(0, 4.0, 9.0)]

    assert ["a 0 1.0-5.0 and b 0 4.0-9.0"] == overlaps([one, other])
