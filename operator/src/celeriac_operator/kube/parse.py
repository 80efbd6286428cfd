"""The API server's JSON to frozen facts. Raw dicts end here. Pure functions; they raise on what they cannot read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from celeriac.api.v1alpha1 import (
    Attempt,
    CronTaskSpec,
    CronTaskStatus,
    DefinitionRevision,
    Effective,
    TaskDefinitionSpec,
    TaskDefinitionStatus,
    TaskQueueSpec,
    TaskQueueStatus,
    TaskSpec,
    TaskStatus,
)
from celeriac.cron.run import BACKFILL_ANNOTATION
from celeriac.wire.identity import request_of
from celeriac.wire.names import DEFINITION_DIGEST_ANNOTATION, SUBMISSION, SUBMIT_TIME, WORKER_LABEL
from celeriac_operator.core import names
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.admission.status import QueueFacts
from celeriac_operator.core.cron.facts import CronFacts, CronKey
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import (
    Accepted,
    JobFacts,
    Key,
    PodFacts,
    Revision,
    Started,
    TaskFacts,
    Terminated,
    Waiting,
)
from celeriac_operator.core.warm.claim import is_assigned
from celeriac_operator.kube.shared import shared
from celeriac_operator.manifests.revision import DEFINITION_ANNOTATION, content_digest, revision_of

Raw = dict[str, Any]


_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""What every container waits for when it starts: not news."""


def time_of(text: str) -> datetime:
    """An RFC 3339 time."""
    return datetime.fromisoformat(text)


def key_of(raw: Raw) -> Key:
    """Namespace and name."""
    return Key(raw["metadata"]["namespace"], raw["metadata"]["name"])


def version_of(raw: Raw) -> int:
    """resourceVersion, which can be compared since Kubernetes 1.35 and could in fact be before."""
    return int(raw["metadata"]["resourceVersion"])


def task_of(raw: Raw) -> TaskFacts:
    """A Task.

    Raises:
        pydantic.ValidationError: it was stored by another version, in a shape that this one cannot read.
    """
    meta = raw["metadata"]
    annotations = meta.get("annotations") or {}
    task = TaskFacts(
        key=key_of(raw),
        uid=meta["uid"],
        version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        created=time_of(meta["creationTimestamp"]),
        spec=TaskSpec.model_validate(raw["spec"]),
        status=_status_of(raw),
        deleting="deletionTimestamp" in meta and names.ORPHAN not in (meta.get("finalizers") or ()),
        labels=meta.get("labels") or {},
        backfill=BACKFILL_ANNOTATION in annotations,
        submission=annotations.get(SUBMISSION),
        request_digest=request_of(annotations),
        definition_digest=annotations.get(DEFINITION_DIGEST_ANNOTATION) if SUBMISSION in annotations else None,
        submitted=_submitted(annotations, time_of(meta["creationTimestamp"])),
    )
    return _without_bulk(task) if task.finished else task


def _without_bulk(task: TaskFacts) -> TaskFacts:
    """A finished Task waits for its TTL: what only its run needed, and its value, may be large and are read no more.

    The value of one that came by message is: where its record is gone, it is written anew before the Task is deleted.
    """
    spec, status, result = task.spec, task.status, task.status.result
    kept = result if result is not None and (result.ref is not None or task.submission is not None) else None
    return replace(
        task,
        spec=spec.model_copy(update={"container": None, "params": None}),
        status=status.model_copy(update={"result": kept, "attempts": (*_earlier_pods(status), *status.attempts[-1:])}),
    )


def _earlier_pods(status: TaskStatus) -> Iterator[Attempt]:
    """Of the attempts before the last, those in pods that are there to be read until the Task goes."""
    for attempt in status.attempts[:-1]:
        if attempt.pod_uid is not None and is_assigned(attempt):
            yield Attempt(number=attempt.number, job_name=attempt.job_name, pod_uid=attempt.pod_uid)


def _status_of(raw: Raw) -> TaskStatus:
    """A Task's status; what other Tasks' say too is in memory once."""
    status = TaskStatus.model_validate(raw.get("status") or {})
    conditions = tuple(shared(condition) for condition in status.conditions)
    effective = shared(status.effective) if status.effective is not None else None
    return status.model_copy(update={"conditions": conditions, "effective": effective})


def _submitted(annotations: Raw, created: datetime) -> datetime | None:
    """When the message came; of an annotation that cannot be true there is nothing to learn. Anybody may write one."""
    try:
        submitted = time_of(annotations[SUBMIT_TIME])
        return min(submitted, created) if SUBMISSION in annotations else None
    except (KeyError, ValueError, TypeError):
        return None


def cron_of(raw: Raw) -> CronFacts:
    """A CronTask."""
    meta = raw["metadata"]
    return CronFacts(
        key=CronKey(*key_of(raw)),
        uid=meta["uid"],
        version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        created=time_of(meta["creationTimestamp"]),
        spec=CronTaskSpec.model_validate(raw["spec"]),
        status=CronTaskStatus.model_validate(raw.get("status") or {}),
        deleting="deletionTimestamp" in meta,
    )


def controlling_cron(raw: Raw) -> CronKey | None:
    """The CronTask that controls this Task, if one does."""
    owners = raw["metadata"].get("ownerReferences", ())
    name = next(
        (owner["name"] for owner in owners if owner.get("controller") and owner.get("kind") == "CronTask"), None
    )
    return CronKey(raw["metadata"]["namespace"], name) if name else None


def definition_of(raw: Raw) -> DefinitionFacts:
    """A TaskDefinition."""
    meta = raw["metadata"]
    spec = TaskDefinitionSpec.model_validate(raw["spec"])
    return DefinitionFacts(
        namespace=meta["namespace"],
        name=meta["name"],
        version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        status=TaskDefinitionStatus.model_validate(raw.get("status") or {}),
        revision=revision_of(meta["name"], meta.get("generation", 1), spec),
        uid=meta["uid"],
        created=time_of(meta["creationTimestamp"]),
    )


def queue_of(raw: Raw) -> QueueFacts:
    """A TaskQueue."""
    meta = raw["metadata"]
    return QueueFacts(
        key=QueueKey(meta["namespace"], meta["name"]),
        version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        spec=TaskQueueSpec.model_validate(raw["spec"]),
        status=TaskQueueStatus.model_validate(raw.get("status") or {}),
    )


def revision_from(raw: Raw) -> Revision:
    """A ControllerRevision that the operator wrote.

    Raises:
        ValueError: its content is not what its name says. The stored JSON is looked at, not what this version reads of
            it: another version may have known other fields.
    """
    meta, content = raw["metadata"], raw["data"]["spec"]
    digest = content_digest(content)
    if names.revision_name(meta["name"].rsplit("-", 1)[0], digest) != meta["name"]:
        raise ValueError(f"ControllerRevision {meta['name']} was changed by something else")
    generation = int(meta.get("annotations", {}).get(DEFINITION_ANNOTATION, raw["revision"]))
    return Revision(meta["name"], generation, TaskDefinitionSpec.model_validate(content), digest, stored=True)


def controller_uid(raw: Raw) -> str:
    """The uid of the object that controls this one, or nothing."""
    owners = raw["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def _controller_name(raw: Raw) -> str:
    owners = raw["metadata"].get("ownerReferences", ())
    return next((owner["name"] for owner in owners if owner.get("controller")), "")


def job_of(raw: Raw) -> JobFacts:
    """A Job of an attempt."""
    meta, status = raw["metadata"], raw.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ()) if c["status"] == "True"}
    failed = conditions.get("Failed")
    return JobFacts(
        name=meta["name"],
        uid=meta["uid"],
        owner_uid=controller_uid(raw),
        attempt=names.attempt_of(meta["name"]),
        created=time_of(meta["creationTimestamp"]),
        deleting="deletionTimestamp" in meta,
        taken_up="startTime" in status,
        complete="Complete" in conditions,
        failed=failed is not None,
        message=failed.get("message", "") if failed else "",
        accepted=_accepted(meta.get("annotations", {}).get(names.ACCEPTED_ANNOTATION)),
        suspended=_suspended(raw),
        started=_known(status.get("startTime")),
    )


def _suspended(raw: Raw) -> bool:
    """Kueue has not let the Job begin: it is suspended, or was until a moment ago."""
    by_kueue = names.KUEUE_QUEUE_LABEL in (raw["metadata"].get("labels") or {})
    return raw["spec"].get("suspend") is True or (by_kueue and "startTime" not in raw.get("status", {}))


def _accepted(text: str | None) -> Accepted | None:
    """What the annotation says; None where it is not there, or not as it was written: anybody may edit it."""
    try:
        wire = json.loads(text or "null")
        definition = wire.get("definition")
        return Accepted(
            shared(Effective.model_validate(wire["effective"])),
            DefinitionRevision.model_validate(definition) if definition else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def pod_of(raw: Raw) -> PodFacts:
    """A pod of an attempt's Job."""
    meta, status = raw["metadata"], raw.get("status", {})
    created = time_of(meta["creationTimestamp"])
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    disruption, scheduled = conditions.get("DisruptionTarget", {}), conditions.get("PodScheduled", {})
    labels = meta.get("labels") or {}
    ahead = names.WARM_LABEL in labels
    unschedulable = scheduled.get("reason") == "Unschedulable" and scheduled.get("status") == "False"
    return PodFacts(
        name=meta["name"],
        uid=meta["uid"],
        job_uid=controller_uid(raw),
        created=created,
        container=_container(status, created),
        node=raw["spec"].get("nodeName"),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", "") or disruption.get("message", ""),
        deleted_at=_deleted_at(meta),
        disruption=disruption.get("reason", "") if disruption.get("status") == "True" else "",
        unschedulable=scheduled.get("message", "") if unschedulable else "",
        job_name=_controller_name(raw) if ahead else "",
        definition=labels.get(names.DEFINITION_LABEL, "") if ahead else "",
        content=labels.get(names.WARM_LABEL, ""),
        worker=ahead and WORKER_LABEL in labels,
        slots=int(labels.get(WORKER_LABEL, 1)) if ahead else 1,
    )


def _deleted_at(meta: Raw) -> datetime | None:
    """deletionTimestamp is when the grace period ends; this is when it began. Who deletes may ask for a longer one than
    there is time, which tells nothing."""
    if "deletionTimestamp" not in meta:
        return None
    end = time_of(meta["deletionTimestamp"])
    try:
        return end - timedelta(seconds=meta.get("deletionGracePeriodSeconds", 0))
    except OverflowError:
        return end


def _container(status: Raw, created: datetime) -> Waiting | Started | Terminated:
    found: Raw = next((c for c in status.get("containerStatuses", ()) if c["name"] == names.CONTAINER_NAME), {})
    state = found.get("state", {})
    if "terminated" in state:
        return _terminated(state["terminated"])
    if "running" in state:
        return Started(_known(state["running"].get("startedAt")) or created)
    waiting = state.get("waiting", {})
    reason = waiting.get("reason", "")
    return Waiting() if reason in _STARTING else Waiting(reason, waiting.get("message", ""))


def _terminated(state: Raw) -> Terminated:
    start, finish = state.get("startedAt"), state.get("finishedAt")
    return Terminated(
        exit_code=state["exitCode"],
        reason=state.get("reason", ""),
        message=state.get("message", ""),
        start=_known(start),
        finish=_known(finish),
    )


def _known(text: str | None) -> datetime | None:
    """The kubelet writes the epoch or null for a time that it does not know."""
    moment = time_of(text) if text else None
    return moment if moment is not None and moment.year > 1970 else None
