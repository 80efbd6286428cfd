"""Messages that wait for their startTime: whatever goes wrong around them, each is taken in at its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from nats.js.api import RawStreamMsg
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.door import QUEUE, Client, MovedClock, Operator, declare, message, tasks_of, until
from tests.support.nats_server import NatsServer

from celeriac.wire.message import encode
from celeriac.wire.names import DELAYED_STREAM, delayed_subject
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.delayed import Delayed, FromDelayed
from celeriac_operator.bus.room import Bounds, delayed_room
from celeriac_operator.core.intake.arrival import arrival

NOW = datetime(2026, 11, 26, tzinfo=UTC)
MINUTE = int(NOW.timestamp()) // 60


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(Clock())
    declare(cluster)
    return cluster


@pytest.fixture
def client(server: NatsServer) -> Client:
    return Client(server)


async def drained(client: Client) -> None:
    async def empty() -> bool:
        return await client.left() == 0

    await until(empty)


TIMES = {
    "in the year 10000 of UTC": "9999-12-31T23:59:59-23:59",
    "in the last second of the year 9999": "9999-12-31T23:59:59Z",
    "without its seconds": "2999-01-01T00:00Z",
}


@pytest.mark.parametrize("start", TIMES.values(), ids=TIMES.keys())
async def test_a_start_time_at_the_end_of_time_holds_up_nothing_else(
    server: NatsServer, cluster: Cluster, client: Client, start: str
) -> None:
    for name in ("first", "second"):
        async with Operator(server, cluster).running():
            await until(lambda: there(client))
            await client.publish(message(f"far-{name}", startTime=start), message(name))
            await drained(client)
    assert (["first", "second"], 2) == (sorted(tasks_of(cluster)), len(await client.delayed()))


async def test_a_message_whose_keeping_was_answered_too_late_is_taken_in_at_its_time(
    server: NatsServer, cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, lost, clock = JetStreamContext.publish, list[str](), MovedClock()

    async def lossy(self: JetStreamContext, subject: str, *args: Any, **kwargs: Any) -> Any:
        ack = await publish(self, subject, *args, **kwargs)
        if "delayed" in subject and not lost:
            lost.append(subject)
            raise TimeoutError
        return ack

    monkeypatch.setattr(JetStreamContext, "publish", lossy)
    async with Operator(server, cluster, clock=clock).running():
        await until(lambda: there(client))
        await client.publish(message("later", startTime=(datetime.now(UTC) + timedelta(hours=1)).isoformat()))
        await drained(client)
        assert (1, 1, []) == (len(lost), len(await client.delayed()), tasks_of(cluster))
        clock.ahead = timedelta(hours=2)
        await until(lambda: tasks_of(cluster) == ["later"])


async def test_what_is_there_by_hand_is_taken_in_or_left_alone_and_the_rest_goes_on(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    async with Operator(server, cluster).running():
        await until(lambda: there(client))
    async with client.jetstream() as js:
        for name, tail in {"a": "n.29000000", "b": "x.29000000", "c": "n.soon", "d": "n.-1", "e": "n"}.items():
            headers = {"Celeriac-Submit-Time": "yesterday"} if name == "a" else None
            await js.publish(f"celeriac.delayed.media.default.{tail}", encode(message(name)), headers=headers)
    async with Operator(server, cluster).running():
        await client.publish(message("next"))
        await until(lambda: sorted(tasks_of(cluster)) == ["a", "next"])
        await until(lambda: four_are_left(client))


async def there(client: Client) -> bool:
    return await client.left() >= 0


async def four_are_left(client: Client) -> bool:
    return len(await client.delayed()) == 4


@dataclass
class Shelf:
    """The stream of delayed messages, in memory: something may happen while it is read."""

    stored: dict[int, bytes] = field(default_factory=dict)
    last: int = 0
    meanwhile: Callable[[int], Awaitable[None]] | None = None

    @property
    def js(self) -> Shelf:
        return self

    async def publish(self, _: str, data: bytes, **__: object) -> Any:
        self.last += 1
        self.stored[self.last] = data
        return type("Ack", (), {"duplicate": False})

    async def get_msg(self, _: str, *, seq: int, subject: str, next: bool) -> RawStreamMsg:
        assert (subject, next) == (delayed_subject(QUEUE.namespace, QUEUE.queue, "n", MINUTE), True)
        found = min((each for each in self.stored if each >= seq), default=None)
        if self.meanwhile is not None:
            await self.meanwhile(seq)
        if found is None:
            raise NotFoundError
        return RawStreamMsg(subject=subject, seq=found, data=self.stored[found], time=NOW)

    async def stream_info(self, *_: str, **__: str) -> Any:
        return type("Info", (), {"state": type("State", (), {"bytes": 0, "subjects": None})})

    async def delete_msg(self, stream: str, sequence: int) -> None:
        assert stream == DELAYED_STREAM
        del self.stored[sequence]


async def shelf_with(*names: str) -> tuple[Shelf, Delayed]:
    shelf = Shelf()
    delayed = Delayed(cast(Bus, shelf), QUEUE, delayed_room(cast(Bus, shelf), Bounds()))
    for name in names:
        await keep(delayed, name)
    return shelf, delayed


async def keep(delayed: Delayed, name: str) -> None:
    await delayed.keep(arrival(QUEUE, "n", f"origin.{name}", NOW, encode(message(name))), MINUTE, 10)


def names(found: list[FromDelayed]) -> list[str | None]:
    return [each.arrival.name for each in found]


async def test_one_that_is_put_back_while_the_next_is_read_is_taken_again() -> None:
    shelf, delayed = await shelf_with("a", "b")
    (first,) = await delayed.due("n", 1, NOW)

    async def put_back(_: int) -> None:
        shelf.meanwhile = None
        await first.again(0)

    shelf.meanwhile = put_back
    found = await delayed.due("n", 9, NOW)
    assert ["b", "a"] == names(found)
    for each in found:
        await each.done()
    assert ([], 0, None) == (await delayed.due("n", 9, NOW), delayed.total, delayed.next_due())


async def test_one_that_is_put_back_while_the_end_is_read_is_due() -> None:
    shelf, delayed = await shelf_with("a")
    (first,) = await delayed.due("n", 9, NOW)

    async def put_back(_: int) -> None:
        shelf.meanwhile = None
        await first.again(0)

    shelf.meanwhile = put_back
    again = await delayed.due("n", 9, NOW)
    assert ["a"] == names(again or await delayed.due("n", 9, NOW))


async def test_one_that_is_kept_while_the_end_is_read_is_due() -> None:
    shelf, delayed = await shelf_with("a")
    (first,) = await delayed.due("n", 1, NOW)
    await first.done()

    async def kept(_: int) -> None:
        shelf.meanwhile = None
        await keep(delayed, "b")

    shelf.meanwhile = kept
    found = await delayed.due("n", 9, NOW)
    assert found or delayed.next_due() is not None
    assert ["b"] == names(found or await delayed.due("n", 9, NOW))


async def test_nothing_is_due_while_all_of_a_minute_is_in_hand_though_more_were_counted() -> None:
    shelf, delayed = await shelf_with("a", "b", "c")
    del shelf.stored[2]  # an administrator's doing
    found = await delayed.due("n", 9, NOW)
    assert (["a", "c"], None, 2) == (names(found), delayed.next_due(), delayed.total)
