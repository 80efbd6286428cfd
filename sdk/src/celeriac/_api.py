"""The API server as the clients use it: JSON in, JSON out, typed errors, and patience with trouble that passes.

Every call made here may be repeated: reads and merge patches by nature, creates because Tasks carry a digest of the
request that made them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from celeriac import errors
from celeriac._closed import closed
from celeriac._refusals import error_of_reply
from celeriac._wire import MERGE_PATCH, Call, ErrorReply, Query, Reply, Transport, Unreachable

ATTEMPTS = 6
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
LONGEST_RETRY_AFTER = 30.0
PAGE = 500

TRANSIENT = frozenset({429, 500, 502, 503, 504})


def pauses(first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Seconds to wait before each next try: doubling, half of it random, so that many clients do not come together."""
    pause = first
    while True:
        yield pause * (0.5 + random.random() / 2)  # noqa: S311 -- spreads load, hides nothing
        pause = min(pause * 2, longest)


def pause_of(reply: Reply, otherwise: float) -> float:
    """What the answer's Retry-After asks for, within reason."""
    after = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "")
    return min(float(after), LONGEST_RETRY_AFTER) if after.isdigit() else otherwise


class Api:
    """Calls with retries and typed errors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._closed = False

    @property
    def transport(self) -> Transport:
        """What performs the calls. Raises RuntimeError: it was closed, and would connect anew."""
        if self._closed:
            raise closed()
        return self._transport

    async def close(self) -> None:
        """Give up every connection, for good."""
        self._closed = True
        await self._transport.close()

    async def get(self, path: str, query: Query = ()) -> dict[str, Any]:
        """Read an object or a collection."""
        return (await self.send(Call("GET", path, query))).json()

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object; unknown fields are refused rather than dropped."""
        return (await self.send(Call("POST", path, (("fieldValidation", "Strict"),), body))).json()

    async def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Change fields of an object by a merge patch."""
        return (await self.send(Call("PATCH", path, (), patch, MERGE_PATCH))).json()

    async def items(self, path: str, query: Query, limit: int | None = None) -> tuple[list[dict[str, Any]], str]:
        """The objects of a collection, at most ``limit``, and the version that the collection had."""
        for _ in range(3):
            try:
                return await self._pages(path, query, limit)
            except errors.RequestRejected as error:
                if error.status != 410:
                    raise
        return await self._pages(path, query, limit)

    async def _pages(self, path: str, query: Query, limit: int | None) -> tuple[list[dict[str, Any]], str]:
        """All pages, one after the other; 410 where that took longer than the server keeps the listing."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            more: Query = (("continue", token),) if token else ()
            page = await self.get(path, (*query, ("limit", str(size)), *more))
            found += page.get("items") or []
            token = page["metadata"].get("continue") or ""
            if not token or (limit is not None and len(found) >= limit):
                return found, page["metadata"].get("resourceVersion", "")

    async def send(self, call: Call) -> Reply:
        """Perform the call, again where the trouble may pass; raise what the answer stands for."""
        trouble: errors.CeleriacError | None = None
        for number, pause in zip(range(ATTEMPTS), pauses(), strict=False):
            try:
                reply = await self.transport.request(call)
            except Unreachable as error:
                trouble = unreachable(error)
            else:
                if reply.status < 400:
                    return reply
                trouble = error_of_reply(call, reply)
                if reply.status not in TRANSIENT:
                    raise trouble
                pause = pause_of(reply, pause)  # noqa: PLW2901 -- the server knows better
            if number < ATTEMPTS - 1:
                await asyncio.sleep(pause)
        assert trouble is not None  # noqa: S101 -- every way through the loop sets it
        raise trouble

    def stream(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Perform the call and give the answer's lines as they come; Unreachable where it breaks."""
        return _LineStream(self.transport, call)


class _LineStream(AbstractAsyncContextManager[AsyncIterator[bytes]]):
    """An open answer, by lines. A class and no generator, because an ending event loop closes those in no order."""

    def __init__(self, transport: Transport, call: Call) -> None:
        self._call = call
        self._chunks = transport.stream(call)

    async def __aenter__(self) -> AsyncIterator[bytes]:
        try:
            return lines(await self._chunks.__aenter__())
        except ErrorReply as refused:
            if refused.reply.status in TRANSIENT:
                raise Unreachable(f"HTTP {refused.reply.status}") from None
            raise error_of_reply(self._call, refused.reply) from None

    async def __aexit__(self, *error: Any) -> None:
        await self._chunks.__aexit__(*error)


def unreachable(error: Unreachable) -> errors.ConnectionFailed:
    """The error for a server that does not answer."""
    return errors.ConnectionFailed(
        f"The API server does not answer: {error}. Check the network and the kubeconfig (kubectl cluster-info)."
    )


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines in a stream of chunks, without their ends; a last line without an end too."""
    rest: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for other in others:
            yield b"".join(rest)
            rest = [other]
    if tail := b"".join(rest):
        yield tail
