"""Who holds which shard: what one replica does about the Leases that it sees. Pure.

A shard is one Lease, and with one shard this is plain leader election. Time is this process's own clock alone: a Lease
counts as expired when it was *seen* unchanged for its whole duration, so clocks that differ do no harm. Lease 0 also
says how many shards there are, since two replicas that cut the cluster differently must not work at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

GUARD = 0
"""The shard whose Lease says how many there are."""
RESERVED_RETRIES = 2
"""For so many retry periods a Lease that was given away is left to the replica that it was given to."""
LOOKS = 4
"""Looks in a retry period of a replica that does not hold everything: what is given back is taken up at once."""


@dataclass(frozen=True, slots=True)
class Timing:
    """As in client-go, in seconds: lease > renew deadline > retry."""

    lease: float
    """A Lease that was not renewed for so long is free."""
    renew_deadline: float
    """So long after its last renewal a holder may write."""
    retry: float
    """Between two looks at the Leases."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One replica."""

    me: str
    """Its identity, which no other has."""
    shards: int
    """Into how many it cuts the cluster."""
    timing: Timing


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """A Lease as it is stored, or as it shall be."""

    shard: int
    version: str = ""
    """resourceVersion; empty: it is to be created."""
    holder: str = ""
    """Empty: it was released."""
    acquired: str = ""
    renewed: str = ""
    """renewTime, as text: only compared, never read as a time."""
    seconds: float = 0
    """Its duration, as its holder wrote it."""
    transitions: int = 0
    shards: int = 0
    """On the guard: into how many shards the cluster is cut."""
    settling: bool = False
    """On the guard: that number is new, and replicas of the number before may still be at their last writes."""
    wanted_by: str = ""
    """The replica that has too little and asks for this one; once it is released, the one that it is kept for."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease, and since when this process has seen it with that holder and renewal, in seconds of its own clock."""

    lease: LeaseFacts
    since: float


class Deed(Enum):
    """What is done with a Lease."""

    TAKE = auto()
    RENEW = auto()
    GIVE = auto()
    ASK = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One write of one Lease, with the version that it was decided from as precondition."""

    deed: Deed
    lease: LeaseFacts
    """As it shall be, but for its times."""
    confirms: bool = False
    """Its success means that this replica may write to the shard's namespaces."""


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision needs."""

    candidate: Candidate
    seen: Mapping[int, Sighting]
    held: Mapping[int, float]
    """Shards that this replica may write to, as far as it knows, and until when."""
    settling_since: float | None
    """When this replica's new number of shards was stored."""
    now: float

    @property
    def me(self) -> str:
        return self.candidate.me

    @property
    def shards(self) -> int:
        return self.candidate.shards

    @property
    def timing(self) -> Timing:
        return self.candidate.timing

    def takeable(self, sighting: Sighting) -> bool:
        """Nobody holds it, or not any more."""
        lease = sighting.lease
        return not lease.holder or self.now >= sighting.since + max(lease.seconds, self.timing.lease)


def see(seen: Mapping[int, Sighting], leases: Iterable[LeaseFacts], now: float) -> dict[int, Sighting]:
    """Take in what a list showed.

    A Lease that somebody deleted keeps its holder until it would have expired: the holder does not know of it yet.

    Args:
        now: after the list was answered; a moment too late is safe, one too early is not.
    """
    found = {lease.shard: Sighting(lease, now) for lease in leases}
    for shard, old in seen.items():
        new = found.get(shard)
        if new is None:
            found[shard] = replace(old, lease=replace(old.lease, version=""))
        elif (new.lease.holder, new.lease.renewed) == (old.lease.holder, old.lease.renewed):
            found[shard] = replace(new, since=old.since)
    return found


def lost(view: View) -> list[int]:
    """Shards that this replica believed to hold and that are somebody else's, or whose Lease was deleted."""
    return [shard for shard in sorted(view.held) if not _mine(view, shard)]


def steps(view: View) -> tuple[Step, ...]:
    """What to do now, all of it at once."""
    guard = view.seen.get(GUARD)
    if guard is None:
        return (_take(view, GUARD, None),)
    if guard.lease.shards != view.shards:
        return _another_number(view, guard)
    if guard.lease.settling:
        return _settle(view, guard)
    return _usual(view)


def resign(view: View) -> tuple[Step, ...]:
    """Give everything back, so that another replica goes on at once."""
    return tuple(_give(view.seen[shard].lease) for shard in sorted(view.seen) if _mine(view, shard))


def _another_number(view: View, guard: Sighting) -> tuple[Step, ...]:
    """Replicas of another number of shards are at work: wait for the guard, and begin with it alone."""
    others = tuple(_give(view.seen[s].lease) for s in sorted(view.held) if s != GUARD and _mine(view, s))
    if guard.lease.holder == view.me or view.takeable(guard):
        return (*others, _take(view, GUARD, guard, settling=True))
    return others


def _settle(view: View, guard: Sighting) -> tuple[Step, ...]:
    """A new number counts once every write that the one before allowed is over: after a whole lease."""
    if guard.lease.holder != view.me:
        return (_take(view, GUARD, guard, settling=True),) if view.takeable(guard) else ()
    if view.settling_since is None:  # this process has not seen it begin
        return (_take(view, GUARD, guard, settling=True),)
    settled = view.now >= view.settling_since + view.timing.lease
    return (Step(Deed.RENEW, replace(guard.lease, settling=not settled), confirms=settled),)


def _usual(view: View) -> tuple[Step, ...]:
    counts = Counter(_holder(view, shard) for shard in range(view.shards))
    found = [step for shard in range(view.shards) if (step := _about(view, shard, counts)) is not None]
    if not any(step.deed is Deed.TAKE for step in found) and (asked := _ask(view, counts)) is not None:
        found.append(asked)
    return tuple(found)


def _about(view: View, shard: int, counts: Counter[str]) -> Step | None:
    """What to do about one shard. Counts move with what is given."""
    sighting = view.seen.get(shard)
    if sighting is None:
        return _take(view, shard, None)
    lease = sighting.lease
    if _mine(view, shard):
        return _keep_or_give(view, lease, counts)
    if not view.takeable(sighting):
        return None
    kept_for_another = not lease.holder and lease.wanted_by not in ("", view.me)
    if kept_for_another and view.now < sighting.since + RESERVED_RETRIES * view.timing.retry:
        return None
    return _take(view, shard, sighting)


def _keep_or_give(view: View, lease: LeaseFacts, counts: Counter[str]) -> Step | None:
    """One that holds two fewer gets what it asks for; so all come to hold the same, give or take one."""
    other = lease.wanted_by
    if other not in ("", view.me) and counts[other] <= counts[view.me] - 2:
        counts[other] += 1
        counts[view.me] -= 1
        return _give(lease, keep_for=other)
    return Step(Deed.RENEW, replace(lease, wanted_by=""), confirms=True) if _due(view, lease.shard) else None


def _due(view: View, shard: int) -> bool:
    """The next look would be too late to renew it in time for its period."""
    until = view.held.get(shard, view.now)
    age = view.timing.renew_deadline - (until - view.now)
    return age >= view.timing.retry * (1 - 1 / LOOKS)


def pause(view: View) -> float:
    """Seconds until the next look: few while others hold a shard, and none after the first of theirs expires."""
    others = [seen for shard, seen in view.seen.items() if shard < view.shards and seen.lease.holder != view.me]
    if not others and len(view.held) == view.shards:
        return view.timing.retry
    ends = [seen.since + max(seen.lease.seconds, view.timing.lease) - view.now for seen in others]
    look = view.timing.retry / LOOKS
    return min([look, *(max(end, look / 10) for end in ends if end > 0)])


def _ask(view: View, counts: Counter[str]) -> Step | None:
    """Ask the one that holds the most for one of its shards, if that has two more; one at a time."""
    others = {holder: count for holder, count in counts.items() if holder not in ("", view.me)}
    if not others or any(_asked(view, shard) for shard in range(view.shards)):
        return None
    richest = max(sorted(others), key=others.__getitem__)
    if others[richest] < counts[view.me] + 2:
        return None
    theirs = [shard for shard in range(view.shards) if _holder(view, shard) == richest]
    free = next((view.seen[shard].lease for shard in theirs if not view.seen[shard].lease.wanted_by), None)
    return Step(Deed.ASK, replace(free, wanted_by=view.me)) if free is not None and free.version else None


def _asked(view: View, shard: int) -> bool:
    return shard in view.seen and view.seen[shard].lease.wanted_by == view.me


def _holder(view: View, shard: int) -> str:
    """Who holds it now; nobody, where it is free."""
    sighting = view.seen.get(shard)
    return "" if sighting is None or view.takeable(sighting) else sighting.lease.holder


def _mine(view: View, shard: int) -> bool:
    sighting = view.seen.get(shard)
    return sighting is not None and sighting.lease.holder == view.me and bool(sighting.lease.version)


def _take(view: View, shard: int, sighting: Sighting | None, *, settling: bool = False) -> Step:
    """Become its holder. Without the guard's word nothing is confirmed: a settling guard allows no write yet."""
    old = sighting.lease if sighting is not None else LeaseFacts(shard)
    changes = old.transitions + (0 if sighting is None or old.holder == view.me else 1)
    number = view.shards if shard == GUARD else 0
    taken = LeaseFacts(
        shard, old.version, view.me, transitions=changes, shards=number, settling=settling, seconds=view.timing.lease
    )
    return Step(Deed.TAKE, taken, confirms=not settling)


def _give(lease: LeaseFacts, keep_for: str = "") -> Step:
    return Step(Deed.GIVE, replace(lease, holder="", wanted_by=keep_for))
