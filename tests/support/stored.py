"""What releases have stored, as `tests.stored.capture` wrote it down."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

Obj = dict[str, Any]

STORED = Path(__file__).parents[1] / "stored"
RELEASES = sorted(path.name for path in STORED.iterdir() if (path / "tasks").is_dir())


@dataclass(frozen=True)
class StoredMessage:
    """A message of a stream."""

    stream: str
    sequence: int
    subject: str
    time: datetime
    headers: dict[str, str]
    data: bytes


def objects(*plurals: str) -> list[Obj]:
    """Objects of these kinds, of all releases."""
    return [json.loads(path.read_text()) for path in _files(*plurals)]


def messages(stream: str) -> list[StoredMessage]:
    """Messages of a stream, of all releases."""
    return [_message(json.loads(path.read_text())) for path in _files(f"nats/{stream}")]


def as_params(found: Iterable[Any], name: Callable[[Any], str]) -> list[Any]:
    """Rows of a table, each with its name as id."""
    return [pytest.param(each, id=name(each)) for each in found]


def _files(*folders: str) -> list[Path]:
    return sorted(
        path for release in RELEASES for folder in folders for path in (STORED / release / folder).glob("*.json")
    )


def _message(raw: Obj) -> StoredMessage:
    return StoredMessage(
        raw["stream"],
        raw["sequence"],
        raw["subject"],
        datetime.fromisoformat(raw["time"]),
        raw["headers"],
        base64.b64decode(raw["data"]),
    )
