"""Why a Task waits for a slot, in a word and a sentence. Pure."""

from __future__ import annotations

from celeriac_operator.core import names
from celeriac_operator.core.admission.queue import QueueAdmission
from celeriac_operator.core.admission.standing import Standing, Waits
from celeriac_operator.core.text import cut


def why(queue: QueueAdmission, standing: Standing, *, starting: bool) -> Waits:
    """What keeps the Task from starting: of several things the one that lasts longest."""
    name, spec, key = standing.queue.queue, queue.spec, standing.concurrency_key
    if queue.stopped:
        return Waits(names.QUEUE_HELD, f"Waiting: {stopped(name, spec.stop_policy, spec.stop_reason)}")
    if starting:
        return Waits(names.QUEUED, "Waiting: the operator has just started and looks at every task first")
    if queue.key_full(key):
        limit, shown = spec.max_concurrency_per_key, cut(key or "", 253)
        return Waits(names.KEY_LIMIT, f"Waiting: queue {name} is at its limit of {limit} for concurrencyKey {shown}")
    if queue.full:
        return Waits(names.QUEUE_FULL, f"Waiting: queue {name} is at its limit of {spec.max_concurrency}")
    if spec.rate_limit is not None:
        rate = f"{spec.rate_limit.tasks} in {spec.rate_limit.period_seconds} s"
        return Waits(names.RATE_LIMITED, f"Waiting: queue {name} is at its rate limit of {rate}")
    return Waits(names.QUEUED, f"Waiting for its turn in queue {name}")


def stopped(name: str, policy: str | None, reason: str | None) -> str:
    """That a queue is stopped, and why, as a part of a sentence."""
    what = "is being drained" if policy == "HoldAndDrain" else "is held"
    return f"queue {name} {what}: {cut(reason, 400)}" if reason else f"queue {name} {what}, stopPolicy {policy}"
