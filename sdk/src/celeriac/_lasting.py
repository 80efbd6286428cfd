"""A NATS client that lasts: whatever a server says before it ends a connection, the next one is made.

nats-py closes for good, as when a server takes new passwords without a restart, and who waits for messages waits for
ever. It also stops reading where it cannot read the subject or headers of a message, which are whatever anybody has
published: a server looks at neither.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.protocol import parser
from nats.protocol.parser import PERMISSIONS_ERR

parser.MSG_RE = re.compile(rb"\AMSG[ \t]+([^ \t\r\n]+)[ \t]+(\d+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)\r\n")
parser.HMSG_RE = re.compile(rb"\AHMSG[ \t]+([^ \t\r\n]+)[ \t]+(\d+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)[ \t]+(\d+)\r\n")
"""As the server separates: a vertical tab or a form feed is a part of a subject. nats-py took it for the end of one, so
that the message was another subscription's, or the connection's end."""


def is_cancelled() -> bool:
    """Whether somebody has asked for this task's end: nats-py also cancels who waits while its connection closes."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class LastingClient(Client):
    """Ends only where it is closed."""

    async def close(self) -> None:
        """Close it. A server that goes just then cancels who waits for the connection to end: nobody asked for that."""
        try:
            await super().close()
        except asyncio.CancelledError:
            if is_cancelled():
                raise

    async def _process_err(self, err_msg: str) -> None:
        if PERMISSIONS_ERR in err_msg.lower():  # the connection goes on
            await super()._process_err(err_msg)
            return
        error = nats.errors.Error(f"nats: {err_msg}")
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        """A message whose headers are none has none."""
        try:
            found: dict[str, str] | None = await super()._process_headers(headers)
        except (ValueError, IndexError) as error:
            await self._error_cb(error)
            return None
        return found

    def _build_message(self, sid: int, subject: bytes, reply: bytes, *rest: Any) -> Any:
        """Of a subject that is no text, something that is."""
        subject, reply = (each.decode(errors="replace").encode() for each in (subject, reply))
        return super()._build_message(sid, subject, reply, *rest)

    async def _process_connect_init(self) -> None:
        """Leave no connection open in which the server has refused this client: nats-py makes the next one over it."""
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
            raise
