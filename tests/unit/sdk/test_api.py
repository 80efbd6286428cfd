"""Retries, pages and lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.unit.sdk.fake_api import TASKS, FakeApi, status

from celeriac import ConnectionFailed, RequestRejected
from celeriac._api import ATTEMPTS, Api, lines
from celeriac._wire import Call, Reply, Unreachable

AFTER = Reply(429, b"{}", {"Retry-After": "7"})
LONG_AFTER = Reply(503, b"{}", {"retry-after": "3600"})


@pytest.mark.parametrize(
    ("faults", "pause"),
    [
        pytest.param([Unreachable("reset")], (0.05, 0.1), id="a broken connection"),
        pytest.param([status(503, "ServiceUnavailable")], (0.05, 0.1), id="an outage"),
        pytest.param([status(500, "InternalError")], (0.05, 0.1), id="an internal error"),
        pytest.param([AFTER], (7, 7), id="too many requests, with a time to wait"),
        pytest.param([LONG_AFTER], (30, 30), id="a time to wait that is too long to be waited for"),
    ],
)
async def test_trouble_that_passes_is_waited_out(
    fake: FakeApi, pauses: list[float], faults: list[Reply | Unreachable], pause: tuple[float, float]
) -> None:
    await fake.task("a")
    fake.faults = [*faults]

    await Api(fake).get(f"{TASKS}/a")

    assert len(fake.calls) == 2
    assert pause[0] <= pauses[0] <= pause[1]


async def test_trouble_that_does_not_pass_is_given_up(fake: FakeApi, pauses: list[float]) -> None:
    fake.faults = [Unreachable("refused")] * 100

    with pytest.raises(ConnectionFailed, match="does not answer: refused"):
        await Api(fake).get("/version")

    assert (len(fake.calls), len(pauses)) == (ATTEMPTS, ATTEMPTS - 1)
    assert sum(pauses) < 10


async def test_a_refusal_is_not_repeated(fake: FakeApi, pauses: list[float]) -> None:
    fake.faults = [status(400, "BadRequest", "no")]

    with pytest.raises(RequestRejected):
        await Api(fake).get(TASKS)

    assert fake.methods() == ["GET"]


@pytest.mark.parametrize(
    ("limit", "sizes", "count"),
    [
        pytest.param(None, ["500", "500", "500"], 1200, id="all pages without a limit"),
        pytest.param(7, ["7"], 7, id="a small page for a small limit"),
        pytest.param(700, ["500", "200"], 700, id="a last page that fits the limit"),
    ],
)
async def test_pages(fake: FakeApi, limit: int | None, sizes: list[str], count: int) -> None:
    for number in range(1200):
        fake.objects[f"{TASKS}/{number}"] = {"metadata": {"name": str(number)}}

    items, _ = await Api(fake).items(TASKS, (), limit)

    assert sizes == [dict(call.query)["limit"] for call in fake.calls]
    assert count == len({item["metadata"]["name"] for item in items})


async def test_a_listing_that_expired_begins_again(fake: FakeApi) -> None:
    for number in range(600):
        fake.objects[f"{TASKS}/{number}"] = {"metadata": {"name": str(number)}}
    answer = fake._list(Call("GET", TASKS, (("limit", "500"),)))
    fake.faults = [answer, status(410, "Expired")]

    items, _ = await Api(fake).items(TASKS, ())

    assert len(items) == 600


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"a\nb\n"], [b"a", b"b"], id="whole lines"),
        pytest.param([b"a", b"b\nc", b"\n"], [b"ab", b"c"], id="lines over several chunks"),
        pytest.param([b"a\nb"], [b"a", b"b"], id="a last line without an end"),
        pytest.param([b"a\n\nb\n"], [b"a", b"", b"b"], id="an empty line"),
        pytest.param([], [], id="nothing"),
    ],
)
async def test_lines(chunks: list[bytes], expected: list[bytes]) -> None:
    async def given() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    assert expected == [line async for line in lines(given())]
