"""What earlier releases have stored is read, and decided on, by the code of today."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.support.clock import Clock
from tests.support.cluster import PLURALS, Cluster
from tests.support.process import Process
from tests.support.stored import Obj, StoredMessage, as_params, messages, objects

from celeriac._cron_task import parse_cron
from celeriac._queue import parse_queue
from celeriac._task import parse_task
from celeriac.api.v1alpha1 import TaskDefinitionSpec, TaskDefinitionStatus
from celeriac.wire import identity, names
from celeriac.wire.dead import dead_letter
from celeriac.wire.delayed import kept
from celeriac.wire.events import TaskEvent
from celeriac.wire.message import MSG_ID, TaskMessage, decode, id_of
from celeriac.wire.records import AttemptRecord, TaskRecord

PHASES = {
    "Pending",
    "Queued",
    "Starting",
    "Running",
    "Retrying",
    "Succeeded",
    "Failed",
    "Cancelled",
    "Expired",
}
TASKS = objects("tasks")


def name(raw: Obj) -> str:
    return str(raw["metadata"]["name"])


def finished(raw: Obj) -> bool:
    return any(each["type"] == "Finished" and each["status"] == "True" for each in raw["status"]["conditions"])


def test_there_is_a_task_of_every_phase() -> None:
    assert {raw["status"]["phase"] for raw in TASKS} == PHASES


def stored_cluster() -> Cluster:
    """Everything, as the API server has it, a second after the last write."""
    cluster = Cluster(Clock())
    for plural in PLURALS.values():
        for raw in objects(plural):
            cluster.objects[plural, name(raw)] = copy.deepcopy(raw)
    return cluster


def test_the_operator_starts_on_it_and_fails_over_nothing() -> None:
    cluster = stored_cluster()
    process = Process(cluster)

    process.work_off(500)

    assert process.errors == {}
    now = {raw["metadata"]["name"]: raw["status"] for raw in cluster.all("tasks")}
    assert {status.get("reason") for status in now.values()}.isdisjoint({"InternalError", "JobLost", "JobNameTaken"})
    assert {name(raw): now[name(raw)] for raw in TASKS if finished(raw)} == {
        name(raw): raw["status"] for raw in TASKS if finished(raw)
    }
    assert cluster.created_jobs.keys().isdisjoint({raw["metadata"]["name"] for raw in objects("jobs")})


def kept_fields(stored: Any, today: Any) -> bool:
    """Whether each field that was stored is there, with its value."""
    if isinstance(stored, dict):
        return isinstance(today, dict) and all(key in today and kept_fields(stored[key], today[key]) for key in stored)
    if isinstance(stored, list):
        return isinstance(today, list) and len(stored) == len(today) and all(map(kept_fields, stored, today))
    return bool(stored == today)


@pytest.mark.parametrize("raw", as_params(TASKS, name))
def test_a_task_says_what_it_said(raw: Obj) -> None:
    task = parse_task(raw)

    assert task.phase == raw["status"]["phase"]
    assert task.spec.to_wire() == raw["spec"]
    assert kept_fields(_without_zones(raw["status"]), _without_zones(task.status.to_wire()))


def _without_zones(value: Any) -> Any:
    """Times are written as Z or as +00:00, with and without what is zero."""
    if isinstance(value, dict):
        return {key: _without_zones(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_zones(each) for each in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


@pytest.mark.parametrize("raw", as_params(objects("taskqueues", "crontasks", "taskdefinitions"), name))
def test_other_objects_say_what_they_said(raw: Obj) -> None:
    if raw["kind"] == "TaskDefinition":
        spec, status = (
            TaskDefinitionSpec.model_validate(raw["spec"]),
            TaskDefinitionStatus.model_validate(raw["status"]),
        )
        assert (spec.to_wire(), bool(status.to_wire())) == (raw["spec"], True)
    else:
        found = parse_cron(raw) if raw["kind"] == "CronTask" else parse_queue(raw)
        assert found.spec.to_wire() == raw["spec"]


def subject(message: StoredMessage) -> str:
    return f"{message.subject} {message.sequence}"


@pytest.mark.parametrize("message", as_params(messages("CELERIAC_media_held"), subject))
def test_a_message_that_waits_is_the_same_task(message: StoredMessage) -> None:
    found = decode(message.data)

    assert message.headers[MSG_ID] == id_of(found.name or "", found.digest)


@pytest.mark.parametrize("message", as_params(messages(names.DELAYED_STREAM), subject))
def test_a_delayed_message_is_known_by_its_origin(message: StoredMessage) -> None:
    first = kept(message.headers, message.time, message.sequence)

    assert first.origin.startswith("CELERIAC_media_default.")
    assert isinstance(identity.read(message.data), TaskMessage)


@pytest.mark.parametrize("message", as_params(messages(names.DEAD_STREAM), subject))
def test_a_dead_letter_says_why(message: StoredMessage) -> None:
    letter = dead_letter(message.subject, message.headers)

    assert (letter.reason, letter.namespace, letter.queue) == ("MalformedMessage", "media", "default")


@pytest.mark.parametrize("message", as_params(messages(names.EVENTS_STREAM), subject))
def test_an_event_says_what_it_said(message: StoredMessage) -> None:
    event = TaskEvent.model_validate_json(message.data)

    assert message.subject.split(".")[4].startswith(event.phase)
    assert event.task_uid


@pytest.mark.parametrize("message", as_params(messages(f"KV_{names.RESULTS_BUCKET}"), subject))
def test_a_record_says_what_it_said(message: StoredMessage) -> None:
    key = message.subject.removeprefix(f"$KV.{names.RESULTS_BUCKET}.")
    model = TaskRecord if key.count(".") == 1 else AttemptRecord

    record = model.model_validate_json(message.data)

    assert model.model_validate_json(record.to_json()) == record


def test_there_are_records_of_each_sort() -> None:
    found = [TaskRecord.model_validate_json(each.data) for each in messages(f"KV_{names.RESULTS_BUCKET}")]

    assert {"Finished", "CancelRequested"} <= {str(record.kind) for record in found}
