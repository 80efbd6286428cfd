"""The clients behind a proxy that cuts connections, as load balancers and restarted API servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.integration.sdk.conftest import SetStatus, soon
from tests.integration.sdk.test_clients import INLINE

from celeriac import AsyncClient
from celeriac._api import ATTEMPTS

pytestmark = pytest.mark.timeout(60)


class Proxy:
    """Passes bytes on to the API server until it is told to cut, or to refuse."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.made = 0
        self.refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in self._serving:
            task.cancel()  # one may be about to connect
        await asyncio.gather(*self._serving, return_exceptions=True)
        self.cut()
        await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        self.made += 1
        self._writers.add(writer)
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        self._writers.add(far_writer)
        with suppress(OSError):
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@pytest.fixture
async def proxy(kubeconfig: str) -> AsyncIterator[Proxy]:
    address = urlsplit(cluster_of(yaml.safe_load(Path(kubeconfig).read_text()))["server"])
    proxy = Proxy(address.hostname or "", address.port or 443)
    yield proxy
    await proxy.stop()


@pytest.fixture
async def far_client(proxy: Proxy, kubeconfig: str, where: str, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """A client whose every connection goes through the proxy."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    cluster = cluster_of(config)
    cluster["tls-server-name"] = urlsplit(cluster["server"]).hostname
    cluster["server"] = f"https://127.0.0.1:{await proxy.start()}"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    async with AsyncClient(where, kubeconfig=str(tmp_path / "config")) as client:
        yield client


def cluster_of(config: dict[str, Any]) -> dict[str, Any]:
    """The one cluster of a kubeconfig."""
    [entry] = config["clusters"]
    cluster: dict[str, Any] = entry["cluster"]
    return cluster


async def test_a_wait_outlives_its_connections(far_client: AsyncClient, proxy: Proxy, set_status: SetStatus) -> None:
    handle = await far_client.submit(**INLINE)
    waiting = asyncio.create_task(handle.get(40))
    for _ in range(3):
        made = proxy.made
        await asyncio.sleep(0.5)
        proxy.cut()
        await soon(lambda made=made: proxy.made > made)
    await set_status(handle.name, "Succeeded", result={"value": "after all"})

    assert await waiting == "after all"


async def test_what_happens_while_nobody_is_connected_is_seen_afterwards(
    far_client: AsyncClient, proxy: Proxy, set_status: SetStatus
) -> None:
    handle = await far_client.submit(**INLINE)
    waiting = asyncio.create_task(handle.get(40))
    await asyncio.sleep(0.5)
    proxy.refusing = True
    proxy.cut()
    await set_status(handle.name, "Succeeded", result={"value": 1})
    await asyncio.sleep(2)
    proxy.refusing = False

    assert await waiting == 1


async def test_submissions_whose_answers_are_lost_make_one_task_each(
    far_client: AsyncClient, client: AsyncClient, proxy: Proxy
) -> None:
    async def cut_again_and_again() -> None:
        """By what has been made, not by the clock: a busy machine gets nothing through between two ticks."""
        for number in range(1, ATTEMPTS):  # so a submission has one attempt more than there are cuts
            while len(await client.list()) < 6 * number:
                await asyncio.sleep(0)
            proxy.cut()

    cutting = asyncio.create_task(cut_again_and_again())
    done = await far_client.submit_many([INLINE] * 40, concurrency=8)

    handles = [one.handle.name for one in done if one.handle]
    assert [one.error for one in done if not one.ok] == []
    await cutting
    assert sorted(handles) == sorted(task.name for task in await far_client.list())
