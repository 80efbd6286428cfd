"""Records on a real nats-server: who is first decides, news survive a killed server, and nothing old is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.builders import make_task
from tests.support.clock import at
from tests.support.keeping import Keeper, keeper, until
from tests.support.nats_server import NatsServer

from celeriac.api.v1alpha1 import Failure, Result
from celeriac.wire.names import RESULTS_BUCKET, attempt_key, claim_key, record_key, stop_key
from celeriac.wire.records import AttemptRecord, Author, RecordKind, StopNotice, TaskRecord
from celeriac_operator.bus.bucket import Bucket, Entry
from celeriac_operator.bus.connection import BusDown
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.plan import TellRunner
from celeriac_operator.kube.api import unfenced

MINE = "sha256:mine"
TASK = make_task(submission=MINE)
ATTEMPT, RECORD = attempt_key("media", TASK.uid, 1), record_key(*TASK.key)


def by(author: Author, failure: Failure | None = None) -> AttemptRecord:
    return AttemptRecord(
        author=author, task_uid=TASK.uid, attempt=1, pod_uid="pod-1", failure=failure, finish_time=at(9)
    )


def finished(task: TaskFacts = TASK, outcome: str = "Succeeded") -> TaskRecord:
    return TaskRecord(
        kind=RecordKind.FINISHED,
        submission=MINE,
        task_uid=task.uid,
        outcome=outcome,
        result=Result(value=None),
        finish_time=at(10),
        expire_time=at(10) + timedelta(days=7),
    )


def wire(record: AttemptRecord | TaskRecord) -> bytes:
    return record.model_dump_json(by_alias=True, exclude_none=True).encode()


@dataclass
class Asked:
    """A bucket, and what it was asked for."""

    bucket: Bucket
    answered: list[str] = field(default_factory=list)
    enabled = ready = True

    async def get(self, key: str) -> Entry | None:
        found = await self.bucket.get(key)
        self.answered.append(key)
        return found

    async def create(self, key: str, value: bytes) -> bool:
        return await self.bucket.create(key, value)

    async def update(self, key: str, value: bytes, revision: int) -> bool:
        return await self.bucket.update(key, value, revision)


async def stored(keeping: Keeper, key: str) -> object:
    entry = await keeping.bucket.get(key)
    return json.loads(entry.value) if entry is not None and entry.value is not None else None


async def test_of_two_who_decide_an_attempt_at_once_one_is_first(server: NatsServer) -> None:
    async with keeper(server) as ours, keeper(server) as theirs:
        for number in range(20):
            key = f"media.{TASK.uid}.{number}"
            won = await asyncio.gather(ours.bucket.create(key, b"ours"), theirs.bucket.create(key, b"theirs"))
            found = await ours.bucket.get(key)
            assert sorted(won) == [False, True]
            assert found is not None
            assert found.value == (b"ours" if won[0] else b"theirs")


async def test_a_verdict_that_comes_after_the_runner_is_dropped_for_the_runners_record(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await keeping.bucket.create(ATTEMPT, wire(by(Author.RUNNER)))
        assert not await keeping.book.decide(TASK, by(Author.OPERATOR, Failure.CANCELLED))
        known = await keeping.book.about(TASK, 1, runner=True)
        assert known.attempt == by(Author.RUNNER)


async def test_a_verdict_is_not_taken_for_recorded_while_another_write_is_not_through(server: NatsServer) -> None:
    """Where the bucket has replicas, a create is refused as soon as the leader has another, which is read later."""

    class Replicated(Asked):
        async def create(self, key: str, value: bytes) -> bool:
            return False

    async with keeper(server) as keeping:
        book = RecordBook(Replicated(keeping.bucket), lambda _: None, unfenced)
        with pytest.raises(BusDown):
            await book.decide(TASK, by(Author.OPERATOR, Failure.POD_DELETED))
        await keeping.bucket.create(ATTEMPT, wire(by(Author.RUNNER)))
        assert not await book.decide(TASK, by(Author.OPERATOR, Failure.POD_DELETED))


async def test_the_record_of_an_attempt_is_heard_of_without_asking_again(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        assert (await keeping.book.about(TASK, 1, runner=True)).attempt is None
        await keeping.bucket.create(ATTEMPT, wire(by(Author.RUNNER)))
        await until(lambda: TASK.key in keeping.changed)
        assert (await keeping.book.about(TASK, 1, runner=True)).attempt == by(Author.RUNNER)


async def test_what_another_namespace_writes_of_a_task_is_not_believed(server: NatsServer) -> None:
    """Whoever may write records of a namespace may know the uids of others' Tasks: they are in the names of records."""
    claim = {"author": "Runner", "taskUid": TASK.uid, "attempt": 1, "podUID": "pod-1", "time": at(1).isoformat()}
    async with keeper(server) as keeping:
        await keeping.book.about(TASK, 1, runner=True, claim=True)
        await keeping.bucket.create(attempt_key("evil", TASK.uid, 1), wire(by(Author.OPERATOR)))
        await keeping.bucket.create(claim_key("evil", TASK.uid, 1), json.dumps(claim).encode())
        await keeping.bucket.create(RECORD, b"{}")
        await until(lambda: TASK.key in keeping.changed)
        found = await keeping.book.about(TASK, 1, runner=True, claim=True)
        assert (found.attempt, found.claim) == (None, None)


async def test_a_request_to_cancel_gives_way_to_the_record_and_the_record_to_nothing(server: NatsServer) -> None:
    wish = finished(outcome="Cancelled").model_copy(update={"kind": RecordKind.CANCEL_REQUESTED, "task_uid": None})
    async with keeper(server) as keeping:
        await keeping.bucket.create(RECORD, wire(wish))
        assert await keeping.book.finish(TASK, finished())
        assert not await keeping.book.finish(TASK, finished(outcome="OOMKilled"))
        assert not await keeping.bucket.create(RECORD, wire(wish))
        assert (await keeping.book.about(TASK, None, runner=False)).task == finished()


async def test_what_changed_while_the_server_was_dead_is_seen_when_it_is_back(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await keeping.book.about(TASK, 1, runner=True)
        server.kill()
        await until(lambda: not keeping.bucket.ready)
        down = await keeping.book.about(TASK, 1, runner=True)
        assert (down.bus, down.looked_up) == ("Down", True)
        with pytest.raises(BusDown):
            await keeping.book.finish(TASK, finished())
        server.start()
        await until(lambda: keeping.bucket.ready)
        keeping.changed.clear()
        async with keeper(server) as another:
            await another.bucket.create(RECORD, wire(finished()))
        await until(lambda: TASK.key in keeping.changed)
        found = await keeping.book.about(TASK, 1, runner=True)
        assert (found.bus, found.task) == ("Up", finished())


def news(book: RecordBook) -> None:
    book.told(RECORD, Entry(1, None))


def refused(book: RecordBook) -> None:
    with suppress(BusDown), book.seeking(TASK.key):
        raise BusDown("the Task could not be made")


@pytest.mark.parametrize(
    ("meanwhile", "asked"),
    [
        pytest.param(lambda _: None, 1, id="nothing happens"),
        pytest.param(news, 2, id="there are news of the record"),
        pytest.param(RecordBook.begin, 2, id="the connection was broken"),
        pytest.param(refused, 2, id="another of the name is refused"),
    ],
)
async def test_what_was_sought_while_a_task_was_made_is_not_asked_for_again_unless(
    server: NatsServer, meanwhile: Callable[[RecordBook], None], asked: int
) -> None:
    async with keeper(server) as keeping:
        await keeping.bucket.create(RECORD, wire(finished()))
        store = Asked(keeping.bucket)
        book = RecordBook(store, lambda _: None, unfenced)
        with book.seeking(TASK.key):
            await until(lambda: len(store.answered) == 1)
        meanwhile(book)
        for _ in range(2):
            assert (await book.about(TASK, None, runner=False)).task == finished()
        await until(lambda: len(store.answered) == asked)


async def test_news_of_a_record_that_is_written_here_are_none(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await keeping.book.about(TASK, None, runner=False)
        assert await keeping.book.finish(TASK, finished())
        keeping.changed.clear()
        keeping.book.told(RECORD, Entry(1_000_000, wire(finished())))
        assert TASK.key not in keeping.changed


async def test_a_server_that_is_killed_keeps_every_record_that_was_acknowledged(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        for number in range(50):
            await keeping.bucket.create(f"media.task-{number}", wire(finished()))
        server.kill()
        await until(lambda: not keeping.bucket.ready)
        server.start()
        await until(lambda: keeping.bucket.ready)
        kept = [await stored(keeping, f"media.task-{number}") for number in range(50)]
        assert [json.loads(wire(finished()))] * 50 == kept


async def test_news_begin_anew_when_their_consumer_is_gone(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await keeping.book.about(TASK, 1, runner=True)
        (consumer,) = await keeping.bus.js.consumers_info(f"KV_{RESULTS_BUCKET}")
        await keeping.bus.js.delete_consumer(f"KV_{RESULTS_BUCKET}", consumer.name)
        await keeping.bucket.create(ATTEMPT, wire(by(Author.RUNNER)))
        await until(lambda: TASK.key in keeping.changed)
        assert (await keeping.book.about(TASK, 1, runner=True)).attempt == by(Author.RUNNER)


async def test_only_tasks_that_have_not_finished_take_memory(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        for number in range(200):
            await keeping.bucket.create(f"media.other-{number}", wire(finished()))
        await keeping.book.about(TASK, 1, runner=True)
        assert keeping.book.size == 1
        keeping.book.forget(TASK.key)
        assert keeping.book.size == 0


async def test_what_is_no_record_is_none_and_is_replaced(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await keeping.bucket.create(RECORD, b"\x00nonsense")
        assert (await keeping.book.about(TASK, None, runner=False)).task is None
        assert await keeping.book.finish(TASK, finished())
        assert json.loads(wire(finished())) == await stored(keeping, RECORD)


async def test_why_an_attempt_is_stopped_is_told_once_and_decides_nothing(server: NatsServer) -> None:
    told = TellRunner(1, StopNotice(failure=Failure.CANCELLED, message="no longer needed"))
    async with keeper(server) as keeping:
        await keeping.book.about(TASK, 1, runner=True)
        await keeping.book.tell(TASK, told)
        await keeping.book.tell(TASK, told)
        assert told.notice.to_wire() == await stored(keeping, stop_key("media", TASK.uid, 1))
        assert await keeping.book.decide(TASK, by(Author.OPERATOR, Failure.CANCELLED))


async def test_a_stop_does_not_wait_for_a_server_that_hangs(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        server.pause()
        await keeping.book.tell(TASK, TellRunner(1, StopNotice(failure=Failure.CANCELLED)))
        server.go_on()
