"""Streams and dead letters against Tasks, records and events."""

from __future__ import annotations

import pytest
from tests.support.evidence import (
    KEY,
    STREAM,
    a_bus,
    a_record,
    a_task,
    ago,
    an_event,
    buried,
    evidence,
    said,
    waiting,
)

from celeriac.audit.evidence import Evidence
from celeriac.audit.of_messages import (
    letters_and_tasks,
    messages_that_wait,
    records_without_letters,
    streams_put_back,
    wishes_for_nothing,
)
from celeriac.wire.records import RecordKind

OTHER = "sha256:" + "b" * 64
DEAD = {KEY: a_record(RecordKind.DEAD, "TooOld")}
WISH = {KEY: a_record(RecordKind.CANCEL_REQUESTED, "Cancelled", submission=None, task_uid=None)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(), bus=a_bus()), [], id="a Task is as old as its stream's last message"),
        pytest.param(
            evidence(a_task(submitted=ago(5)), bus=a_bus()), [f"Lost {STREAM}"], id="a Task came after the last message"
        ),
        pytest.param(evidence(a_task(), bus=a_bus(streams=())), [f"Lost {STREAM}"], id="the stream is gone"),
        pytest.param(
            evidence(a_task(by_message=False), bus=a_bus(streams=())), [], id="a Task of kubectl needs no stream"
        ),
        pytest.param(evidence(a_task(submitted=ago(5))), [], id="NATS was not asked"),
    ],
)
def test_a_stream_is_an_older_copy_where(given: Evidence, wanted: list[str]) -> None:
    assert said(streams_put_back(given)) == wanted


def test_a_stream_that_was_put_back_is_told_once_by_its_newest_task() -> None:
    tasks = (a_task(submitted=ago(5)), a_task(submitted=ago(3)), a_task(submitted=ago(4)))

    [finding] = streams_put_back(evidence(*tasks, bus=a_bus()))

    assert "2026-11-26 09:57:00 UTC" in finding.found
    assert "2026-11-26 09:00:00 UTC" in finding.found


@pytest.mark.parametrize(
    ("given", "wanted", "says"),
    [
        pytest.param(evidence(bus=a_bus(waiting=(waiting(),))), [], "", id="a message that nobody has seen yet"),
        pytest.param(
            evidence(a_task(), bus=a_bus(waiting=(waiting(),))),
            ["Note resize"],
            "is a Task already",
            id="its Task is there",
        ),
        pytest.param(
            evidence(a_task(), bus=a_bus(waiting=(waiting(OTHER),))),
            [],
            "",
            id="a Task of another message has its name",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(),), records={KEY: a_record()})),
            ["Note resize"],
            "has ended before (Succeeded)",
            id="its record says how it ended",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(),), buried=(buried(),))),
            ["Again resize"],
            "is a dead letter, too",
            id="it is a dead letter",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(),), events={KEY: an_event("Running")})),
            ["Again resize"],
            "runs again",
            id="its Task ran and is gone",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(params="media.params.x"),))),
            ["Lost resize"],
            "not in the object store",
            id="its params are gone",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(params="p"),), objects=frozenset({"p"}))),
            [],
            "",
            id="its params are there",
        ),
        pytest.param(
            evidence(bus=a_bus(waiting=(waiting(),)), queues=frozenset()),
            ["Note resize"],
            "TaskQueue default is not there",
            id="its queue is gone",
        ),
    ],
)
def test_of_a_message_that_waits(given: Evidence, wanted: list[str], says: str) -> None:
    found = list(messages_that_wait(given))

    assert said(found) == wanted
    assert all(says in each.found for each in found)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(bus=a_bus(buried=(buried(),))), [], id="a dead letter alone"),
        pytest.param(evidence(a_task(), bus=a_bus(buried=(buried(),))), ["Note resize"], id="its Task is there, too"),
        pytest.param(evidence(a_task(), bus=a_bus(buried=(buried(OTHER),))), [], id="another message's Task"),
    ],
)
def test_of_a_dead_letter(given: Evidence, wanted: list[str]) -> None:
    assert said(letters_and_tasks(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(bus=a_bus(records=DEAD, buried=(buried(),))), [], id="its letter is there"),
        pytest.param(evidence(bus=a_bus(records=DEAD)), ["Note resize"], id="there is no letter"),
        pytest.param(evidence(bus=a_bus(records=DEAD, waiting=(waiting(),))), [], id="it is about to be buried"),
    ],
)
def test_of_the_record_of_a_dead_letter(given: Evidence, wanted: list[str]) -> None:
    assert said(records_without_letters(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(), bus=a_bus(records=WISH)), [], id="its Task is there"),
        pytest.param(evidence(bus=a_bus(records=WISH, waiting=(waiting(),))), [], id="its message is there"),
        pytest.param(evidence(bus=a_bus(records=WISH)), ["Note resize"], id="there is neither"),
    ],
)
def test_of_a_wish_to_cancel(given: Evidence, wanted: list[str]) -> None:
    assert said(wishes_for_nothing(given)) == wanted
