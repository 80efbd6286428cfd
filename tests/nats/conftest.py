"""A real nats-server for the tests that need no cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nats_server import NatsServer, nats_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server of the test's own."""
    with nats_server(tmp_path) as running:
        yield running
