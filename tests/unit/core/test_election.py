"""What one replica does about the Leases that it sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from celeriac_operator.core.election import (
    Candidate,
    LeaseFacts,
    Sighting,
    Timing,
    View,
    lost,
    pause,
    resign,
    see,
    steps,
)

TIMING = Timing(lease=12, renew_deadline=8, retry=2)
NOW = 1000.0
LONG_AGO = NOW - 12
JUST_NOW = NOW - 0.5


def lease(shard: int, holder: str, *, shards: int = 1, **more: object) -> LeaseFacts:
    number = shards if shard == 0 else 0
    base = LeaseFacts(shard, version="7", holder=holder, renewed="some time", seconds=12, shards=number)
    return replace(base, **more)  # type: ignore[arg-type]


def view(
    *leases: LeaseFacts,
    shards: int = 1,
    since: float = JUST_NOW,
    held: dict[int, float] | None = None,
    settling_since: float | None = None,
) -> View:
    """As replica ``me`` sees it: each Lease unchanged since then."""
    seen = {each.shard: Sighting(each, since) for each in leases}
    return View(Candidate("me", shards, TIMING), seen, held or {}, settling_since, NOW)


def told(of: View) -> list[str]:
    """The steps, in words."""
    return [_word(each.deed.name, each.lease, each.confirms) for each in steps(of)]


def _word(deed: str, of: LeaseFacts, confirms: bool) -> str:
    tail = [f"for {of.wanted_by}" if of.wanted_by else "", "settling" if of.settling else ""]
    return " ".join(part for part in (deed.lower(), str(of.shard), *tail, "may write" if confirms else "") if part)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(), ["take 0 may write"], id="there is none: take it"),
        pytest.param(view(lease(0, "")), ["take 0 may write"], id="it was released: take it"),
        pytest.param(view(lease(0, "other")), [], id="another renews it: wait"),
        pytest.param(view(lease(0, "other"), since=NOW - 11.9), [], id="another was silent for almost as long: wait"),
        pytest.param(view(lease(0, "other"), since=LONG_AGO), ["take 0 may write"], id="another was silent: take it"),
        pytest.param(view(lease(0, "other", seconds=60), since=LONG_AGO), [], id="its holder takes more time: so do I"),
        pytest.param(view(lease(0, "me"), held={0: NOW + 6.5}), ["renew 0 may write"], id="mine, and due: renew it"),
        pytest.param(view(lease(0, "me"), held={0: NOW + 7.5}), [], id="mine, and just renewed: leave it"),
        pytest.param(view(lease(0, "me")), ["renew 0 may write"], id="mine, from before a restart: renew it"),
        pytest.param(view(lease(0, "other", version=""), since=JUST_NOW), [], id="deleted while held: wait it out"),
        pytest.param(
            view(lease(0, "other", version=""), since=LONG_AGO), ["take 0 may write"], id="deleted, and silent: take it"
        ),
    ],
)
def test_one_shard(seen: View, expected: list[str]) -> None:
    assert expected == told(seen)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(lease(0, "me"), held={0: NOW}), [], id="it is mine still"),
        pytest.param(view(lease(0, "other"), held={0: NOW}), [0], id="another has it"),
        pytest.param(view(lease(0, ""), held={0: NOW}), [0], id="somebody emptied it"),
        pytest.param(view(lease(0, "me", version=""), held={0: NOW}), [0], id="somebody deleted it"),
        pytest.param(view(lease(0, "other")), [], id="it was never mine"),
    ],
)
def test_lost(seen: View, expected: list[int]) -> None:
    assert expected == lost(seen)


def spread(*holders: str, shards: int = 4, wanted: dict[int, str] | None = None, **more: object) -> View:
    """Leases of several shards with these holders; mine are freshly renewed."""
    leases = [
        lease(number, holder, shards=shards, wanted_by=(wanted or {}).get(number, ""))
        for number, holder in enumerate(holders)
    ]
    held = {number: NOW + 7.9 for number, holder in enumerate(holders) if holder == "me"}
    return view(*leases, shards=shards, held=held, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(spread("a"), ["take 1 may write", "take 2 may write", "take 3 may write"], id="free ones: all"),
        pytest.param(spread("a", "a", "a", "a"), ["ask 0 for me"], id="one has all: ask for one"),
        pytest.param(spread("a", "a", "b", "me"), [], id="all have their share: nothing"),
        pytest.param(spread("a", "me", shards=2), [], id="one each: nothing"),
        pytest.param(spread("a", "b", shards=2), [], id="more replicas than shards: stand by"),
        pytest.param(spread("a", "a", "a", "me"), ["ask 0 for me"], id="two fewer than another: ask"),
        pytest.param(spread("a", "a", "a", "a", wanted={2: "me"}), [], id="asked already: wait for the answer"),
        pytest.param(
            spread("a", "a", "a", "a", wanted={0: "b"}), ["ask 1 for me"], id="the first is asked for: ask for another"
        ),
        pytest.param(
            spread("me", "me", "me", "me", wanted={1: "b"}), ["give 1 for b"], id="asked by one with nothing: give"
        ),
        pytest.param(
            spread("me", "me", "me", "me", wanted={1: "b", 2: "b", 3: "b"}),
            ["give 1 for b", "give 2 for b"],
            id="asked for too much: give until both have the same",
        ),
        pytest.param(spread("me", "me", "b", "b", wanted={1: "b"}), [], id="asked by one with as many: keep"),
        pytest.param(
            spread("a", "", "a", "me", wanted={1: "b"}), [], id="given to another a moment ago: leave it to that"
        ),
        pytest.param(spread("a", "", "a", "me", wanted={1: "me"}), ["take 1 may write"], id="given to me: take it"),
        pytest.param(
            spread("a", "", "a", "me", wanted={1: "b"}, since=NOW - 4),
            ["take 1 may write"],
            id="given to another that did not come: take it",
        ),
    ],
)
def test_several_shards(seen: View, expected: list[str]) -> None:
    assert expected == told(seen)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(lease(0, "a", shards=2)), [], id="replicas of another number are at work: wait"),
        pytest.param(view(lease(0, "", shards=2)), ["take 0 settling"], id="they have left: begin, and write nothing"),
        pytest.param(
            view(lease(0, "a", shards=2), since=LONG_AGO), ["take 0 settling"], id="they are silent: begin likewise"
        ),
        pytest.param(view(lease(0, "a", shards=0)), [], id="a lease without a number, held: wait"),
        pytest.param(
            view(lease(0, "me", settling=True), settling_since=NOW - 11), ["renew 0 settling"], id="not yet settled"
        ),
        pytest.param(
            view(lease(0, "me", settling=True), settling_since=NOW - 12), ["renew 0 may write"], id="settled: work"
        ),
        pytest.param(
            view(lease(0, "me", settling=True)), ["take 0 settling"], id="began before a restart: begin again"
        ),
        pytest.param(view(lease(0, "a", settling=True)), [], id="another settles: wait"),
        pytest.param(
            view(lease(0, "a", settling=True), since=LONG_AGO), ["take 0 settling"], id="it died meanwhile: begin again"
        ),
        pytest.param(
            view(lease(0, "a", shards=3), lease(1, "me"), shards=2, held={1: NOW + 5}),
            ["give 1"],
            id="the number has changed under me: give back what I have",
        ),
        pytest.param(
            view(lease(0, "a", shards=2, settling=True), lease(1, ""), shards=2),
            [],
            id="my number, but not settled: take nothing",
        ),
    ],
)
def test_another_number_of_shards(seen: View, expected: list[str]) -> None:
    assert expected == told(seen)


def test_at_the_end_everything_is_given_back() -> None:
    given = resign(spread("me", "a", "me", "", wanted={0: "b"}))

    assert [(0, "", ""), (2, "", "")] == [(s.lease.shard, s.lease.holder, s.lease.wanted_by) for s in given]


@pytest.mark.parametrize(
    ("new", "since"),
    [
        pytest.param(lease(0, "a", version="8"), 10, id="asked for by somebody: as old as it was"),
        pytest.param(lease(0, "a", version="8", renewed="later"), 20, id="renewed: new"),
        pytest.param(lease(0, "b", version="8"), 20, id="another holder: new"),
    ],
)
def test_a_lease_counts_as_unchanged_by_holder_and_renewal(new: LeaseFacts, since: float) -> None:
    before = see({}, [lease(0, "a")], 10)

    assert {0: Sighting(new, since)} == see(before, [new], 20)


def test_a_deleted_lease_keeps_its_holder_until_it_would_have_expired() -> None:
    before = see({}, [lease(0, "a")], 10)

    assert {0: Sighting(lease(0, "a", version=""), 10)} == see(before, [], 20)


@pytest.mark.parametrize(
    ("seen", "seconds"),
    [
        pytest.param(view(lease(0, "me"), held={0: NOW + 8}), 2.0, id="I hold all: the retry period"),
        pytest.param(view(lease(0, "a")), 0.5, id="another holds one: more often, to see it given back"),
        pytest.param(view(lease(0, "a"), since=NOW - 11.8), 0.2, id="one is about to expire: just then"),
        pytest.param(
            view(lease(0, "me"), lease(1, "old"), held={0: NOW + 8}), 2.0, id="a lease beyond the number does not count"
        ),
    ],
)
def test_pause(seen: View, seconds: float) -> None:
    assert seconds == pytest.approx(pause(seen))
