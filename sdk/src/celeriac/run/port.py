"""What an attempt has of NATS, whoever holds the connection."""

from __future__ import annotations

from typing import Protocol


class Port(Protocol):
    """The runner's own connection (``bus.py``), or the parent's that it was forked from (``parent.py``)."""

    @property
    def ends_us(self) -> bool:
        """Whether somebody else ends this process where it lingers."""

    def create(self, key: str, data: bytes, timeout: float) -> bytes | None:
        """Put a record under a key that has none; what is there already is given back instead."""

    def read(self, key: str, timeout: float) -> bytes | None:
        """The record under a key; None where there is none."""

    def put_payload(self, name: str, data: bytes, timeout: float) -> None:
        """Store a payload."""

    def get_payload(self, name: str, timeout: float) -> bytes:
        """A stored payload."""

    def publish(self, subject: str, data: bytes) -> None:
        """Publish at once; nothing is waited for, and nothing fails."""
