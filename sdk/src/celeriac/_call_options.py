"""What a caller may say of a task, whatever it runs, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class SharedOptions(TypedDict, total=False):
    """The keyword arguments that ``submit`` and a task's ``options`` have in common; see ``TaskRequest``.

    A module of its own, because the runner imports it, and the models that ``_request`` needs take a while to import.
    """

    name: str | None
    key: str | None
    namespace: str | None
    queue: str | None
    priority: int | None
    concurrency_key: str | None
    start_time: datetime | None
    countdown: float | timedelta | None
    queue_seconds: int | None
    start_seconds: int | None
    run_seconds: int | None
    total_seconds: int | None
    grace_seconds: int | None
    ttl_seconds_after_finished: int | None
    suspend: bool | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
