"""A CronTask as it was at one moment. Raw JSON ends here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celeriac._task import parse_time
from celeriac.api.v1alpha1 import CronTaskSpec, CronTaskStatus


@dataclass(frozen=True, slots=True)
class CronTask:
    """A CronTask as it was when it was read. It does not change: get it again for news."""

    name: str
    namespace: str
    uid: str
    spec: CronTaskSpec
    status: CronTaskStatus
    created: datetime
    manifest: Mapping[str, Any] = field(repr=False, compare=False)
    """The object as the API server gave it."""

    @property
    def problem(self) -> str:
        """What a person has to see to, or nothing."""
        stalled = self.status.condition("Stalled")
        return f"{stalled.reason}: {stalled.message}" if stalled is not None and stalled.status == "True" else ""


def parse_cron(manifest: Mapping[str, Any]) -> CronTask:
    """The CronTask in the API server's JSON."""
    meta = manifest["metadata"]
    return CronTask(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        spec=CronTaskSpec.model_validate(manifest["spec"]),
        status=CronTaskStatus.model_validate(manifest.get("status") or {}),
        created=parse_time(meta["creationTimestamp"]),
        manifest=manifest,
    )
