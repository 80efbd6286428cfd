"""Claims and assignments on a real nats-server: of pod and operator one is first, and what was lost is told again."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import nats
import pytest
from tests.support.builders import make_attempt, make_status, make_task
from tests.support.clock import at
from tests.support.flushing import flushed
from tests.support.keeping import Keeper, keeper, until
from tests.support.nats_server import NatsServer

from celeriac.run.bus import put_against
from celeriac.wire.canonical import canonical_json
from celeriac.wire.names import assign_subject, attempt_key, claim_key, ready_subject, roll_subject
from celeriac_operator.bus.assignments import Assignments
from celeriac_operator.core.plan import RevokeClaim
from celeriac_operator.core.records import Claim

ASSIGNED = make_attempt(job_name="resize-w-0123456789", pod_name="resize-w-0123456789-x", pod_uid="pod-1")
TASK = make_task(status=make_status(ASSIGNED))
KEY = claim_key("media", TASK.uid, 1)


def claim_by(pod: str) -> bytes:
    record = {"author": "Runner", "taskUid": TASK.uid, "attempt": 1, "podUID": pod, "time": at(1).isoformat()}
    return canonical_json(record)


def revocation(expect: int = 0, pod: str = "pod-1") -> RevokeClaim:
    return RevokeClaim(1, pod, expect, at(2))


async def known(keeping: Keeper) -> Claim | None:
    return (await keeping.book.about(TASK, 1, runner=True, claim=True)).claim


async def test_of_a_claim_and_a_revocation_at_once_one_is_first(server: NatsServer) -> None:
    async with keeper(server) as ours:
        pod = ours.bus.js
        for number in range(20):
            task = make_task(status=TASK.status)
            key = claim_key("media", f"uid-{number}", 1)
            object.__setattr__(task, "uid", f"uid-{number}")
            object.__setattr__(task, "key", task.key._replace(name=f"resize-{number}"))
            existing, _ = await asyncio.gather(
                put_against(pod, key, claim_by("pod-1"), 0), ours.book.revoke(task, revocation())
            )
            found = (await ours.book.about(task, 1, runner=True, claim=True)).claim
            assert found is not None
            assert found.revoked == (existing is not None)


async def test_after_a_revocation_only_a_claim_that_knows_it_fits(server: NatsServer) -> None:
    async with keeper(server) as ours:
        await ours.book.revoke(TASK, revocation())
        revoked = await known(ours)
        assert revoked is not None
        assert (revoked.revoked, revoked.pod_uid) == (True, "pod-1")
        late = await put_against(ours.bus.js, KEY, claim_by("pod-1"), 0)
        fits = await put_against(ours.bus.js, KEY, claim_by("pod-2"), revoked.revision)
        again = await put_against(ours.bus.js, KEY, claim_by("pod-3"), revoked.revision)
        assert [late is None, fits is None, again is None] == [False, True, False]


async def test_an_attempt_that_was_claimed_and_has_ended_before_it_was_expected_has_its_end_looked_up(
    server: NatsServer,
) -> None:
    """As where an operator of another release has told a pod of it and is gone."""
    async with keeper(server) as ours:
        end = {**json.loads(claim_by("pod-1")), "finishTime": at(3).isoformat()}
        del end["time"]
        await put_against(ours.bus.js, KEY, claim_by("pod-1"), 0)
        await put_against(ours.bus.js, attempt_key("media", TASK.uid, 1), canonical_json(end), 0)
        ours.book.expect(TASK, 1, None)
        await ours.book.revoke(TASK, revocation(pod="pod-2"))
        found = await ours.book.about(TASK, 1, runner=True, claim=True)
        assert found.claim is not None
        assert found.attempt is not None
        assert (found.claim.pod_uid, found.claim.revoked, found.attempt.pod_uid) == ("pod-1", False, "pod-1")


@pytest.mark.parametrize(
    ("record", "knows"),
    [
        pytest.param("claim", True, id="a claim is known, so nobody else gets it"),
        pytest.param("revocation", False, id="a revocation is none any more, so the next claim is against nothing"),
    ],
)
async def test_nats_comes_back_without_what_it_had(server: NatsServer, record: str, knows: bool) -> None:
    async with keeper(server) as ours:
        if record == "claim":
            await put_against(ours.bus.js, KEY, claim_by("pod-1"), 0)
        else:
            await ours.book.revoke(TASK, revocation())
        assert await known(ours) is not None
        server.kill()
        await until(lambda: not ours.bucket.ready)
        shutil.rmtree(server.directory / "store")
        server.start()
        await until(lambda: ours.bucket.ready)
        assert (await known(ours) is not None) == knows


async def test_news_of_a_claim_come_without_asking(server: NatsServer) -> None:
    async with keeper(server) as ours:
        ours.book.expect(TASK, 1, None)
        await put_against(ours.bus.js, KEY, claim_by("pod-1"), 0)
        async with asyncio.timeout(60):
            while await known(ours) is None:
                await asyncio.sleep(0.02)
        assert ours.changed == []


async def test_a_new_operator_asks_for_the_claim(server: NatsServer) -> None:
    async with keeper(server) as before:
        await put_against(before.bus.js, KEY, claim_by("pod-1"), 0)
    async with keeper(server) as ours:
        found = await known(ours)
        assert found is not None
        assert (found.pod_uid, found.revoked) == ("pod-1", False)


async def test_what_is_no_claim_can_be_revoked(server: NatsServer) -> None:
    async with keeper(server) as ours:
        await put_against(ours.bus.js, KEY, b"nonsense", 0)
        found = await known(ours)
        assert found is not None
        await ours.book.revoke(TASK, revocation(found.revision))
        assert (await known(ours)) == Claim("pod-1", True, at(2), found.revision + 1)


async def test_pods_are_heard_asked_told_and_missed(server: NatsServer) -> None:
    async with keeper(server) as ours, await nats.connect(server.url) as client:
        heard, unheard, told, asked = list[tuple[str, str, int]](), list[str](), list[Any](), list[str]()

        async def take(message: Any) -> None:
            told.append(json.loads(message.data))

        async def answer(message: Any) -> None:
            asked.append(message.subject)
            await client.publish(ready_subject("media", "pod-1"), b'{"left":7}')

        await client.subscribe(assign_subject("media", "pod-1"), cb=take)
        await client.subscribe(roll_subject("media"), cb=answer)
        await flushed(client)
        sut = Assignments(ours.bus, lambda: ("media",), lambda *said: heard.append(said), unheard.append)
        await sut._on_connect()
        await until(lambda: heard == [("media", "pod-1", 7)])
        await sut.tell("media", "pod-1", {"uid": "x"})
        await until(lambda: told == [{"uid": "x"}])
        await sut.tell("media", "pod-2", {"uid": "y"})
        await until(lambda: unheard == ["pod-2"])
        assert asked == [roll_subject("media")]
