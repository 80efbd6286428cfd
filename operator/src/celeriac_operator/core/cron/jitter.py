"""The delay of a slot: the same for everybody who asks, different from CronTask to CronTask and slot to slot. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from celeriac.cron.calendar import Calendar


def due_time(slot: datetime, calendar: Calendar, uid: str, jitter_seconds: int) -> datetime:
    """When the slot is due: up to so many seconds later, but before the next slot, so that slots stay in order."""
    following = calendar.next(slot) if jitter_seconds else None
    if following is None:
        return slot
    most = min(jitter_seconds, int((following - slot).total_seconds()) - 1)
    seed = hashlib.sha256(f"{uid}/{int(slot.timestamp())}".encode()).digest()
    return slot + timedelta(seconds=int.from_bytes(seed[:8], "big") % (most + 1))
