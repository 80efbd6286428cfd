"""A NATS client that lasts: whatever a server says before it ends a connection, the next one is made.

nats-py closes for good, as when a server takes new passwords without a restart, and who waits for messages waits for
ever.
"""

from __future__ import annotations

import asyncio

import nats.errors
from nats.aio.client import Client
from nats.protocol.parser import PERMISSIONS_ERR


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

    async def _process_connect_init(self) -> None:
        """Leave no connection open in which the server has refused this client: nats-py makes the next one over it."""
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
            raise
