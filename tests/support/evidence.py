"""What an audit reads, for its tests: one Task that came by message, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.unit.sdk.fake_api import condition

from celeriac._cron_task import CronTask, parse_cron
from celeriac._task import Task, parse_task
from celeriac.audit.evidence import Buried, Bus, Evidence, Job, Stream, Waiting
from celeriac.audit.finding import Finding
from celeriac.wire.events import TaskEvent
from celeriac.wire.names import SUBMISSION, SUBMIT_TIME
from celeriac.wire.records import RecordKind, TaskRecord

NOW = datetime.fromisoformat("2026-11-26T10:00:00+00:00")
DIGEST = "sha256:" + "a" * 64
STREAM = "CELERIAC_media_default"
UID = "uid-1"
KEY = ("media", "resize")


def ago(minutes: float) -> datetime:
    """So many minutes before the audit."""
    return NOW - timedelta(minutes=minutes)


def a_task(
    *,
    outcome: str | None = None,
    by_message: bool = True,
    submitted: datetime | None = None,
    uid: str = UID,
    **parts: Any,
) -> Task:
    """A Task that runs, or has ended in a way; parts: ``params_ref``, ``result``, ``attempts``, ``count``."""
    status: dict[str, Any] = {"phase": outcome or "Running", "attemptCount": parts.get("count", 0)}
    status |= {key: parts[key] for key in ("result", "attempts") if key in parts}
    if outcome is not None:
        truth = "True" if outcome == "Succeeded" else "False"
        status["conditions"] = [condition("Finished", "True", outcome), condition("Succeeded", truth, outcome)]
    notes = {SUBMISSION: DIGEST, SUBMIT_TIME: (submitted or ago(60)).isoformat()} if by_message else {}
    spec = {"definitionName": "resize"} | ({"paramsRef": parts["params_ref"]} if "params_ref" in parts else {})
    meta = {"name": "resize", "namespace": "media", "uid": uid, "creationTimestamp": ago(60).isoformat()}
    return parse_task({"metadata": meta | {"annotations": notes}, "spec": spec, "status": status})


def a_ref(key: str) -> dict[str, Any]:
    """A reference to a large value."""
    return {"bucket": "celeriac-payloads", "key": key, "size": 9, "digest": DIGEST}


def a_record(kind: RecordKind = RecordKind.FINISHED, outcome: str = "Succeeded", **parts: Any) -> TaskRecord:
    """The record of that Task."""
    known = {"submission": DIGEST, "task_uid": UID, "finish_time": ago(30), "expire_time": NOW + timedelta(days=6)}
    return TaskRecord(kind=kind, outcome=outcome, **(known | parts))


def an_event(phase: str, reason: str = "") -> TaskEvent:
    """The last event of that Task."""
    return TaskEvent(time=ago(40), task_uid=UID, phase=phase, reason=reason)


def a_stream(last: datetime | None = None) -> Stream:
    """The stream of the queue; its last message came an hour ago."""
    return Stream(STREAM, "media", "default", ago(9000), last or ago(60))


def waiting(digest: str = DIGEST, params: str | None = None) -> Waiting:
    """The message of that Task, not acknowledged."""
    return Waiting("media", "default", STREAM, 7, "resize", digest, params)


def buried(digest: str = DIGEST) -> Buried:
    """The message of that Task among the dead letters."""
    return Buried(3, "media", "default", "resize", digest, "TooOld")


def a_job(uid: str = UID, name: str = "resize-a1") -> Job:
    """A Job of that Task."""
    return Job("media", name, "Task", uid)


def a_cron(last: datetime, **spec: Any) -> CronTask:
    """A CronTask, hourly, and its last slot."""
    meta = {"name": "hourly", "namespace": "media", "uid": "c", "creationTimestamp": ago(9000).isoformat()}
    template = {"spec": {"definitionName": "resize"}}
    given = {"schedule": "0 * * * *", "taskTemplate": template} | spec
    return parse_cron({"metadata": meta, "spec": given, "status": {"lastScheduleTime": last.isoformat()}})


def evidence(*tasks: Task, bus: Bus | None = None, **parts: Any) -> Evidence:
    """All of it; the queue is declared."""
    given: dict[str, Any] = {"queues": frozenset({("media", "default")})} | parts
    return Evidence(NOW, tasks=tasks, bus=bus, **given)


def a_bus(**parts: Any) -> Bus:
    """What NATS holds; the queue's stream."""
    return Bus(**({"streams": (a_stream(),)} | parts))


def said(findings: Iterable[Finding]) -> list[str]:
    """Weight and name of each."""
    return [f"{each.weight} {each.name}" for each in findings]
