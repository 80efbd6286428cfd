"""What happens to the pods of a TaskDefinition that are started ahead, and what its status says of them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import WarmStatus
from celeriac.wire.runner import runs_runner
from celeriac_operator.core import names
from celeriac_operator.core.clocks import earliest
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.records import BusState
from celeriac_operator.core.warm.facts import Ahead, Pool, Trouble
from celeriac_operator.core.warm.scale import WINDOWS_SECONDS, sleeps_at, wanted, wanted_workers

FAILING = 2
"""So many pods in a row that end before they took a task are no accident."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
NO_POD_SECONDS = 120.0
"""A Job that has no pod for so long is made anew."""
AHEAD = ("Warm", "Worker")
"""Values of isolation whose pods are started ahead."""
IDLE_SECONDS = 60.0
"""So long a worker that is not needed stays."""
MOST_AT_ONCE = 20
"""Jobs that are made in one go."""


@dataclass(frozen=True, slots=True)
class JobName:
    """A Job to delete, with its pod."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What is to be done."""

    create: tuple[str, ...] = ()
    """Names of Jobs."""
    delete: tuple[JobName, ...] = ()
    leave: tuple[str, ...] = ()
    """Uids of pods that are deleted: they get no task from now on."""
    look_again: datetime | None = None


def unavailable(definition: DefinitionFacts, bus: BusState, trouble: Trouble) -> tuple[str, str] | None:
    """Why the definition's tasks run as Pod, as a reason and a sentence."""
    spec = definition.revision.spec
    if bus == "Off":
        return "NoNATS", f"isolation {spec.isolation} needs NATS, and the operator runs without: its tasks run as Pod"
    if not runs_runner(spec.container):
        why = "its container does not say that it runs the SDK's runner (python -m celeriac.run)"
        return "NoRunner", f"{why}: its tasks run as Pod"
    if bus == "Down":
        until = "wait for it" if spec.isolation == "Worker" else "run as Pod"
        return "NATSDown", f"NATS does not answer: its tasks {until}"
    if trouble.count >= FAILING:
        return trouble.reason, f"{trouble.count} waiting pods in a row came to nothing, the last: {trouble.message}"
    return None


def status_of(pool: Pool) -> WarmStatus | None:
    """What the definition's status says of its pods; None where it has none."""
    if pool.definition.revision.spec.isolation not in AHEAD:
        return None
    rate = round(100 * pool.hits / pool.attempts) if pool.attempts else None
    ready = sum(pod.ready and pod.pod.content == pool.content for pod in pool.pods)
    claimed = sum(pod.given > 0 and not pod.pod.ended for pod in pool.pods)
    return WarmStatus(ready=ready, claimed=claimed, hit_rate=rate)


def decide_pool(pool: Pool, now: datetime) -> PoolPlan:
    """Keep as many waiting as are wanted; those of an older content go, and what is left of ended ones.

    Nothing goes before it is known which Tasks there are: one of them may run there.
    """
    current = [pod for pod in pool.pods if _counts(pod) and pod.pod.content == pool.content]
    number = _wanted(pool, now)
    surplus = [pod for pod in sorted(current, key=_last_to_go)[number:] if _may_go(pod, now)]
    over = [pod for pod in pool.pods if _over(pod) or (pod.pod.content != pool.content and _is_of_the_past(pod))]
    coming = [job for job in pool.jobs if not job.finished and not job.deleting and _fresh(job.created, now)]
    lost = [JobName(job.name, job.uid) for job in pool.jobs if job not in coming and not job.deleting]
    missing = min(max(number - len(current) - len(coming), 0), MOST_AT_ONCE)
    pause = _pause_until(pool)
    waits_for = pause if missing and pause is not None and now < pause else None
    gone = (*over, *surplus) if pool.known else ()
    return PoolPlan(
        create=() if waits_for else tuple(_names(pool, missing, now)),
        delete=(*(JobName(pod.pod.job_name, pod.job_uid) for pod in gone), *(lost if pool.known else ())),
        leave=tuple(pod.pod.uid for pod in gone),
        look_again=earliest(waits_for, *_changes(pool, now), *(() if pool.known else (now + timedelta(seconds=1),))),
    )


def _wanted(pool: Pool, now: datetime) -> int:
    spec = pool.definition.revision.spec
    problem = unavailable(pool.definition, pool.bus, pool.trouble)
    if spec.isolation not in AHEAD or (problem is not None and problem[0] in ("NoNATS", "NoRunner")):
        return 0
    if spec.isolation == "Worker":
        given = sum(pod.given for pod in pool.pods if _counts(pod) and pod.pod.content == pool.content)
        return wanted_workers(spec.worker, given + pool.backlog)
    return wanted(spec.warm, pool.arrivals, pool.active, now)


def _counts(pod: Ahead) -> bool:
    """It is one of those that are wanted: of pods for one task, those that wait, of others all that take more."""
    return pod.stays if pod.pod.worker else pod.room > 0


def _may_go(pod: Ahead, now: datetime) -> bool:
    """Nothing runs there, and of a worker nothing did for a while: a burst often has another behind it."""
    idles_yet = pod.idle_since is not None and now < _idles_until(pod.idle_since)
    return not (pod.given or idles_yet)


def _is_of_the_past(pod: Ahead) -> bool:
    """Of an older content, with no task, and none that it could take waits."""
    return _counts(pod) and not pod.given and not pod.wanted


def _idles_until(since: datetime) -> datetime:
    return since + timedelta(seconds=IDLE_SECONDS)


def _last_to_go(pod: Ahead) -> tuple[bool, bool, datetime, str]:
    """Those that run tasks stay before those that are ready, and these before those that start; the oldest first."""
    return not pod.given, not pod.ready, *pod.age


def _over(pod: Ahead) -> bool:
    """It has ended, and nobody wants to read its log; or it will never take a task."""
    return (pod.pod.ended or pod.silent) and not pod.given and not pod.named


def _fresh(created: datetime, now: datetime) -> bool:
    return now - created < timedelta(seconds=NO_POD_SECONDS)


def _pause_until(pool: Pool) -> datetime | None:
    """When the next pod may be tried after those that came to nothing: later each time."""
    trouble = pool.trouble
    if trouble.last is None or trouble.count < FAILING:
        return None
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(trouble.count - FAILING, 16), LONGEST_PAUSE_SECONDS)
    return trouble.last + timedelta(seconds=pause)


def _names(pool: Pool, count: int, now: datetime) -> Iterable[str]:
    definition = pool.definition
    taken = {*(pod.pod.job_name for pod in pool.pods), *(job.name for job in pool.jobs)}
    seeds = (f"{definition.uid}.{now.isoformat()}.{number}" for number in itertools.count())
    free = (name for name in (names.warm_job_name(definition.name, seed) for seed in seeds) if name not in taken)
    return itertools.islice(free, count)


def _changes(pool: Pool, now: datetime) -> Iterable[datetime]:
    """When something can change by itself: a pool falls asleep, a rate goes down, a Job has no pod for too long."""
    asleep = sleeps_at(pool.definition.revision.spec.warm, pool.active)
    window = max(WINDOWS_SECONDS)
    rate = (pool.arrivals[-1] + timedelta(seconds=window + 1),) if pool.arrivals else ()
    jobs = (job.created + timedelta(seconds=NO_POD_SECONDS) for job in pool.jobs)
    idle = (_idles_until(pod.idle_since) for pod in pool.pods if pod.idle_since is not None and not pod.given)
    return [moment for moment in (asleep, *rate, *jobs, *idle) if moment is not None and moment > now]
