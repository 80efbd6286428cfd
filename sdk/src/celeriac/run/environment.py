"""What the operator tells the process of an attempt, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celeriac.run.usage import Mark, mark

SHARE = "CELERIAC_MEMORY_SHARE"
"""Variable with the bytes of its pod's memory that the process may take; empty: as many as the pod."""
MAX_RESULT_BYTES = 4095
"""The kubelet cuts a termination message at 4,096 bytes, so that one of 4,096 may have been longer."""


@dataclass(frozen=True)
class ParamsRef:
    """Where params are that are too large for the environment."""

    bucket: str
    key: str
    size: int
    digest: str


@dataclass(frozen=True)
class Environment:
    """The attempt that this process is."""

    task: str
    namespace: str
    attempt: int
    uid: str | None
    """Uid of the Task; None where no operator started this."""
    pod_uid: str | None
    params: str
    """JSON object."""
    params_ref: ParamsRef | None
    deadline: datetime | None
    result_file: Path | None
    started: datetime
    """When this process began."""
    mark: Mark = field(default_factory=mark)
    """What it had taken by then."""
    limited: bool = False
    """It may take a share of its pod's memory only, and an allocation beyond fails."""

    def begun(self, *, limited: bool) -> Environment:
        """The same in a process that was forked for it just now; the pod's result file is nobody's."""
        return replace(self, started=datetime.now(UTC), mark=mark(), limited=limited, result_file=None)


def read_environment(env: Mapping[str, str]) -> Environment:
    """The attempt, from the variables that the operator sets; by hand, all of them may be missing.

    Raises ValueError: one of them cannot be read.
    """
    file = env.get("CELERIAC_RESULT_FILE")
    deadline = env.get("CELERIAC_DEADLINE")
    return Environment(
        task=env.get("CELERIAC_TASK") or "local",
        namespace=env.get("CELERIAC_NAMESPACE") or "local",
        attempt=int(env.get("CELERIAC_ATTEMPT") or 1),
        uid=env.get("CELERIAC_TASK_UID") or None,
        pod_uid=env.get("CELERIAC_POD_UID") or None,
        params=env.get("CELERIAC_PARAMS") or "{}",
        params_ref=_reference(env.get("CELERIAC_PARAMS_REF") or "null"),
        deadline=datetime.fromisoformat(deadline) if deadline else None,
        result_file=Path(file) if file else None,
        started=datetime.now(UTC),
        limited=bool(env.get(SHARE)),
    )


def _reference(text: str) -> ParamsRef | None:
    raw: Any = json.loads(text)
    return None if raw is None else ParamsRef(raw["bucket"], raw["key"], int(raw["size"]), raw["digest"])
