"""The CronTask: a Task for every slot of a calendar."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from celeriac.api.v1alpha1.model import ApiModel, Condition, Name
from celeriac.api.v1alpha1.policy import Seconds
from celeriac.api.v1alpha1.schedule import SCHEDULE_PATTERN
from celeriac.api.v1alpha1.task import TaskSpec

LONGEST_CRON_NAME = 50
MAX_ACTIVE_SHOWN = 20
"""Runs that a status lists; activeCount counts all."""

DstPolicy = Literal["Once", "Skip", "Twice"]
ConcurrencyPolicy = Literal["Allow", "Forbid", "Replace", "Queue"]
CatchUpPolicy = Literal["None", "Latest", "All"]


Label = Annotated[str, Field(max_length=317)]
HistoryLimit = Annotated[int, Field(ge=0, le=1000)]


class CatchUp(ApiModel):
    """What becomes of slots that nobody could run at their time: no operator ran, or the CronTask was suspended."""

    policy: CatchUpPolicy | None = None
    """None (default): they are missed; a minute's delay is none. Latest: the newest is run. All: the newest maxRuns are
    run, the oldest first."""
    window_seconds: Seconds | None = None
    """For Latest and All: slots that are older are missed. Default 604800, a week."""
    max_runs: Annotated[int, Field(ge=1, le=100)] | None = None
    """How many slots may be kept to be run later: by policy All, and while concurrencyPolicy Queue has them wait; older
    ones are missed. Default 10."""


class TemplateMetadata(ApiModel):
    """Metadata of the Tasks. Keys that begin with celeriac.dev/ are the operator's and may be overwritten."""

    labels: Annotated[dict[Label, Annotated[str, Field(max_length=63)]], Field(max_length=32)] | None = None
    """Labels."""
    annotations: Annotated[dict[Label, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] | None = None
    """Annotations."""


class TaskTemplate(ApiModel):
    """The Task that each slot creates."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations of the Tasks; their names are made of the CronTask's name and the slot."""
    spec: TaskSpec
    """What is to be done, as in a Task. cancel and startTime cannot be set."""


class CronTaskSpec(ApiModel):
    """When to run what."""

    schedule: Annotated[str, Field(min_length=1, max_length=256, pattern=SCHEDULE_PATTERN)]
    """Five fields: minute, hour, day of month, month, day of week; or @hourly, @daily, @midnight, @weekly, @monthly,
    @yearly, @annually. H stands for a value that is derived from namespace and name, so that not all run at once. Days
    match by day of month or by day of week where both are restricted. L is the last day of the month, 5#3 the third
    Friday, L5 the last."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] | None = None
    """Name of a time zone of the IANA database, such as Europe/Berlin. Default Etc/UTC."""
    dst_policy: DstPolicy | None = None
    """What happens at a change of the clock to slots of a schedule that names hours; one with * for the hour runs
    whenever the clock shows a matching time. Once (default): a repeated time runs at its first occurrence, a missing
    one later by as much as the clock was put forward. Skip: as Once, but a missing time does not run. Twice: as Once,
    but a repeated time runs both times."""
    concurrency_policy: ConcurrencyPolicy | None = None
    """What happens to a slot while an earlier run goes on. Allow (default): both run. Forbid: the slot is missed.
    Replace: the earlier run is cancelled, and the slot runs when it has ended. Queue: the slot waits."""
    catch_up: CatchUp | None = None
    """What becomes of slots that nobody could run at their time."""
    jitter_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """A slot runs up to so many seconds later, always before the next one; how many is derived from it. Default 0."""
    suspend: bool | None = None
    """True: nothing starts; what runs goes on. When it ends, catchUp decides about the slots of that time."""
    successful_tasks_history_limit: HistoryLimit | None = None
    """Successful Tasks that are kept, the newest; their TTL may remove them sooner. Default 3."""
    failed_tasks_history_limit: HistoryLimit | None = None
    """Tasks without success that are kept, the newest; their TTL may remove them sooner. Default 1."""
    task_template: TaskTemplate
    """The Task that each slot creates."""


class ActiveRun(ApiModel):
    """A Task that has not finished."""

    name: Name
    """Name of the Task."""
    uid: Annotated[str, Field(max_length=64)]
    """Its uid."""
    schedule_time: AwareDatetime | None = None
    """Its slot; nothing for one that was started by hand."""


class CronTaskStatus(ApiModel):
    """What has run, and what comes next."""

    observed_generation: int | None = None
    """The metadata.generation that the status was computed from."""
    observed_schedule: Annotated[str, Field(max_length=512)] | None = None
    """Schedule, time zone and dstPolicy that the times are of. After a change they count from when it was seen."""
    last_schedule_time: AwareDatetime | None = None
    """The newest slot that has run. Written once its Task exists."""
    next_schedule_time: AwareDatetime | None = None
    """The next slot, without jitter; nothing while suspended."""
    decided_time: AwareDatetime | None = None
    """Slots up to here are run or missed: they never run again, whatever happens to their Tasks or to the clock."""
    active: Annotated[tuple[ActiveRun, ...], Field(max_length=MAX_ACTIVE_SHOWN)] = ()
    """Tasks that have not finished, the newest 20."""
    active_count: int | None = None
    """How many Tasks have not finished."""
    missed_runs: int | None = None
    """Slots that did not run, since the CronTask was created. A long outage counts for 1,000 at most."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, Suspended and Stalled."""

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is set."""
        return next((c for c in self.conditions if c.type == type_), None)
