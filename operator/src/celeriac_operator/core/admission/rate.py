"""The rate limit: the generic cell rate algorithm, a token bucket whose whole state is one timestamp. Pure.

The timestamp, the theoretical arrival time, is when all tokens would be back. A clock that jumps back, or a status that
somebody edited, must not block a queue for long: it never counts as later than one period from now.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import RateLimit


def interval(limit: RateLimit) -> timedelta:
    """The time in which one token comes back."""
    return timedelta(seconds=limit.period_seconds) / limit.tasks


def bounded(limit: RateLimit, arrival: datetime | None, now: datetime) -> datetime:
    """The theoretical arrival time, from now to one period later."""
    latest = now + interval(limit) * limit.tasks
    return now if arrival is None else min(max(arrival, now), latest)


def next_token(limit: RateLimit, arrival: datetime) -> datetime:
    """When an attempt may start; now or earlier: at once."""
    return arrival - interval(limit) * (limit.tasks - 1)


def taken(limit: RateLimit, arrival: datetime | None, now: datetime) -> datetime:
    """The theoretical arrival time once an attempt has started."""
    return bounded(limit, arrival, now) + interval(limit)


def replayed(limit: RateLimit, arrival: datetime | None, starts: Iterable[datetime]) -> datetime | None:
    """The theoretical arrival time after starts that it does not know of."""
    for start in sorted(starts):
        arrival = taken(limit, arrival, start)
    return arrival
