"""A nats-server whose passwords are replaced, in both ways in which that can be done."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.keeping import until
from tests.support.nats_server import NatsServer

REFUSED = "authentication error"
"""What the server writes of a user that it does not let in."""


def accounts(password: str) -> str:
    """The user theirs has that password; who names no user is the test's own."""
    users = f'{{user: ours, password: "ours"}}, {{user: theirs, password: "{password}"}}'
    return f"accounts: {{A: {{jetstream: enabled, users: [{users}]}}}}\nno_auth_user: ours\n"


def restarted(server: NatsServer) -> None:
    """As the chart does it."""
    server.stop()
    server.extra = accounts("second")
    server.start()


def told_to_read_its_configuration(server: NatsServer) -> None:
    """It ends the connections whose password was the old one, and says why: nats-py closes for good."""
    config = server.directory / "nats.conf"
    config.write_text(config.read_text().replace('"first"', '"second"'))
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)


ROTATIONS = [
    pytest.param(restarted, id="the server is started anew"),
    pytest.param(told_to_read_its_configuration, id="the server reads its configuration again"),
]


async def rotated(server: NatsServer, rotate: Callable[[NatsServer], None], file: Path) -> None:
    """The server takes the new password only, and who connects has it some time later."""
    before = server.log.count(REFUSED)
    await asyncio.to_thread(rotate, server)
    await until(lambda: server.log.count(REFUSED) > before + 1)
    file.write_text("second")
