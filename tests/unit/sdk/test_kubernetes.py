"""The transport, against a real HTTP server on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from celeriac import AsyncClient, errors
from celeriac._kubernetes import KubernetesTransport
from celeriac._wire import MERGE_PATCH, Call, ErrorReply, Unreachable

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A server that answers everything in the one way that a test gives it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, bytes]] = []
        self.answer: Answer | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            (request.method, request.path_qs, request.headers.get("Authorization", ""), await request.read())
        )
        assert self.answer
        return await self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def kubeconfig(server: Server, tmp_path: Path) -> Path:
    path = tmp_path / "config"
    write_kubeconfig(path, server.url, "first")
    return path


def write_kubeconfig(path: Path, url: str, token: str) -> None:
    config = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [
            {"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "team"}},
            {"name": "plain", "context": {"cluster": "k", "user": "u"}},
        ],
    }
    path.write_text(json.dumps(config))


@pytest.fixture
async def transport(kubeconfig: Path) -> AsyncIterator[KubernetesTransport]:
    transport = KubernetesTransport(str(kubeconfig))
    yield transport
    await transport.close()


async def test_a_call_goes_out_as_it_is(server: Server, transport: KubernetesTransport) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"type": request.content_type}, status=201, headers={"X-A": "b"})

    server.answer = answer
    reply = await transport.request(Call("PATCH", "/a/b", (("x", "1,2"), ("y", "a=b")), {"n": None}, MERGE_PATCH))

    assert server.seen == [("PATCH", "/a/b?x=1,2&y=a%3Db", "Bearer first", b'{"n": null}')]
    assert (reply.status, reply.json(), reply.headers["X-A"]) == (201, {"type": MERGE_PATCH}, "b")


@pytest.mark.parametrize(
    ("context", "namespace"),
    [
        pytest.param(None, "team", id="of the current context"),
        pytest.param("plain", "default", id="default where the context has none"),
    ],
)
async def test_the_namespace(kubeconfig: Path, context: str | None, namespace: str) -> None:
    transport = KubernetesTransport(str(kubeconfig), context)

    assert await transport.namespace() == namespace

    await transport.close()


async def test_expired_credentials_are_read_anew(
    server: Server, transport: KubernetesTransport, kubeconfig: Path
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=200 if "second" in request.headers["Authorization"] else 401)

    server.answer = answer
    await transport.namespace()
    write_kubeconfig(kubeconfig, server.url, "second")
    replies = await asyncio.gather(*(transport.request(Call("GET", "/a")) for _ in range(3)))
    async with transport.stream(Call("GET", "/b")) as chunks:
        body = b"".join([chunk async for chunk in chunks])

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert body == b"{}"


async def test_credentials_that_stay_refused_are_an_answer(server: Server, transport: KubernetesTransport) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=401)

    server.answer = answer

    assert (await transport.request(Call("GET", "/a"))).status == 401


async def test_a_stream_gives_chunks_as_they_come(server: Server, transport: KubernetesTransport) -> None:
    more = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        await more.wait()
        await response.write(b"two")
        return response

    server.answer = answer
    got = []
    async with transport.stream(Call("GET", "/log")) as chunks:
        async for chunk in chunks:
            got.append(chunk)
            more.set()

    assert got == [b"one", b"two"]


async def test_a_stream_that_is_refused(server: Server, transport: KubernetesTransport) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no"}, status=403)

    server.answer = answer

    with pytest.raises(ErrorReply) as caught:
        async with transport.stream(Call("GET", "/log")):
            pass
    assert caught.value.reply.json() == {"message": "no"}


async def test_a_stream_that_breaks(server: Server, transport: KubernetesTransport) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        assert request.transport
        request.transport.close()
        return response

    server.answer = answer

    with pytest.raises(Unreachable):
        async with transport.stream(Call("GET", "/log")) as chunks:
            _ = [chunk async for chunk in chunks]


async def test_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "config"
    write_kubeconfig(path, "http://127.0.0.1:9", "t")
    transport = KubernetesTransport(str(path))

    with pytest.raises(Unreachable):
        await transport.request(Call("GET", "/"))

    await transport.close()


async def test_the_client_over_http(server: Server, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="404 page not found", status=404)

    server.answer = answer
    monkeypatch.setenv("CELERIAC_KUBECONFIG", str(kubeconfig))
    async with AsyncClient() as client:
        with pytest.raises(errors.NotInstalled):
            await client.submit(image="i")
