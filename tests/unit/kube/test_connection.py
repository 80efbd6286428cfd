"""The connection: broken ones are trouble with the way to the API server, and every write passes the fence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from kubernetes.aio import client

from celeriac_operator.fence import NotLeading
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi, Permit, unfenced
from celeriac_operator.reconcile import TROUBLE


@asynccontextmanager
async def served(
    answer: bytes | None, heard: list[bytes] | None = None, permit: Permit = unfenced
) -> AsyncIterator[KubeApi]:
    """A connection to a server that answers just that and hangs up; or never, where there is no answer."""
    over, serving = asyncio.Event(), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(handle(reader, writer)))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError):  # whom we answer may have given up
            await reply(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(head.partition(b"\r\n")[0])
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
            await writer.drain()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        configuration = client.Configuration()
        configuration.host = f"http://{host}:{port}"
        kube = KubeApi(client.ApiClient(configuration), permit)
        try:
            yield kube
        finally:
            over.set()
            await kube.close()
            await asyncio.gather(*serving)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="the server hangs up without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", id="the server hangs up within its answer"),
        pytest.param(b"no HTTP at all\r\n\r\n", id="something else answers"),
    ],
)
async def test_a_broken_connection_is_trouble(answer: bytes) -> None:
    async with served(answer) as kube:
        with pytest.raises(TROUBLE):
            await kube.get(api.TASKS, "media", "resize-42")


class Refuses:
    """A fence that is closed."""

    @contextmanager
    def permit(self, namespace: str) -> Iterator[float]:
        raise NotLeading(namespace)
        yield 0.0


WRITES = [
    pytest.param(lambda kube: kube.create(api.JOBS, "media", {}), id="a create"),
    pytest.param(lambda kube: kube.create(api.EVENTS, "media", {}), id="an Event"),
    pytest.param(lambda kube: kube.replace(api.JOBS, "media", "x", {}), id="a replacement"),
    pytest.param(lambda kube: kube.write_status(api.TASKS, "media", "x", "1", {}), id="a status"),
    pytest.param(lambda kube: kube.delete(api.PODS, "media", "x", "uid"), id="a delete"),
]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("write", WRITES)
async def test_a_closed_fence_lets_no_write_out(write: Callable[[KubeApi], Awaitable[Any]]) -> None:
    heard: list[bytes] = []
    async with served(OK, heard, Refuses().permit) as kube:
        with pytest.raises(NotLeading):
            await write(kube)

    assert [] == heard


@pytest.mark.parametrize("write", WRITES)
async def test_the_api_server_is_told_how_long_a_write_may_take(write: Callable[[KubeApi], Awaitable[Any]]) -> None:
    @contextmanager
    def permit(namespace: str) -> Iterator[float]:
        assert "media" == namespace
        yield 2.5

    heard: list[bytes] = []
    async with served(OK, heard, permit) as kube:
        await write(kube)

    assert [True] == [b"timeout=2.500s" in each for each in heard]


async def test_a_closed_fence_lets_reads_out() -> None:
    async with served(OK, [], Refuses().permit) as kube:
        assert {} == await kube.get(api.TASKS, "media", "resize-42")


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_hangs_is_given_up_at_the_fence(write: Callable[[KubeApi], Awaitable[Any]]) -> None:
    @contextmanager
    def permit(_: str) -> Iterator[float]:
        yield 0.05

    async with served(None, [], permit) as kube:
        with pytest.raises(TROUBLE):
            await write(kube)


def streamed(*chunks: bytes) -> bytes:
    """An answer in pieces, as the API server sends a watch's."""
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


async def watched(kube: KubeApi) -> list[str]:
    return [f"{kind} {raw['metadata']['name']}" async for kind, raw in kube.watch(api.PODS, "media")]


LONG = "x" * 200_000
STREAMS = [
    pytest.param(
        streamed(b'{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}\n'),
        ["ADDED a"],
        id="an event",
    ),
    pytest.param(
        streamed(
            b'{"type":"ADDED","object":',
            b'{"metadata":{"name":"a","resourceVersion":"7"}}}\n{"type":"DEL',
            b'ETED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}\n',
        ),
        ["ADDED a", "DELETED a"],
        id="events cut anywhere",
    ),
    pytest.param(
        streamed(b'{"type":"ADDED","object":{"metadata":{"name":"%b","resourceVersion":"7"}}}\n' % LONG.encode()),
        [f"ADDED {LONG}"],
        id="an event longer than a buffer",
    ),
    pytest.param(streamed(), [], id="nothing"),
]


@pytest.mark.parametrize(("answer", "events"), STREAMS)
async def test_the_events_of_a_watch(answer: bytes, events: list[str]) -> None:
    async with served(answer) as kube:
        assert events == await watched(kube)


GONE = b'{"code":410,"reason":"Expired","message":"too old"}'
REFUSED_WATCHES = [
    pytest.param(streamed(b'{"type":"ERROR","object":%b}\n' % GONE), id="an error among its events"),
    pytest.param(b"HTTP/1.1 410 Gone\r\nContent-Length: %d\r\n\r\n%b" % (len(GONE), GONE), id="a refusal"),
]


@pytest.mark.parametrize("answer", REFUSED_WATCHES)
async def test_a_watch_that_began_too_long_ago_is_told_so(answer: bytes) -> None:
    async with served(answer) as kube:
        with pytest.raises(api.ApiError) as refused:
            await watched(kube)
    assert (410, "Expired") == (refused.value.status, refused.value.reason)


async def test_a_silent_watch_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_SILENT_SECONDS", 0.2)
    async with served(None) as kube:
        with pytest.raises(TimeoutError):
            await watched(kube)


async def test_a_watch_that_breaks_off_is_trouble() -> None:
    async with served(streamed()[:-5] + b'99\r\n{"type"') as kube:
        with pytest.raises(TROUBLE):
            await watched(kube)
