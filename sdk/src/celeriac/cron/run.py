"""The Tasks of a CronTask: their names and manifests. Whoever creates a slot's Task creates the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celeriac.api.v1alpha1 import API_VERSION, TaskTemplate
from celeriac.wire.names import unmarked

CRON_LABEL = "celeriac.dev/cron"
"""On a Task: the CronTask that it is a run of."""
SCHEDULED_TIME_ANNOTATION = "celeriac.dev/scheduled-time"
"""On a Task: its slot, RFC 3339."""
BACKFILL_ANNOTATION = "celeriac.dev/backfill"
"""On a Task: a person asked for its slot afterwards. concurrencyPolicy does not look at it."""

_MINUTE_SECONDS = 60


def run_name(cron: str, slot: datetime) -> str:
    """The one name of a slot's Task: ``<cron>-<minutes since 1970>``. Slots of equal local time have different ones."""
    return f"{cron}-{int(slot.timestamp()) // _MINUTE_SECONDS}"


def manual_name(cron: str, mark: str) -> str:
    """The name of a run by hand; the mark, of 5 characters, makes it differ from others."""
    return f"{cron}-manual-{mark}"


def slot_of(cron: str, task: str) -> datetime | None:
    """The slot in a Task's name; None for one by hand. Unlike an annotation, a name is never edited."""
    number = re.fullmatch(rf"{re.escape(cron)}-([1-9][0-9]{{0,8}})", task)
    return datetime.fromtimestamp(int(number[1]) * _MINUTE_SECONDS, UTC) if number else None


def build_run(
    cron: Mapping[str, str], template: TaskTemplate, name: str, slot: datetime | None, *, backfill: bool = False
) -> dict[str, Any]:
    """The manifest of a run. It came by no message, whatever its template says: the operator believes itself.

    Args:
        cron: name, namespace and uid of the CronTask.
        name: of the Task.
        slot: None for a run by hand.
    """
    given = template.metadata
    annotations = unmarked((given and given.annotations) or {})
    if slot is not None:
        annotations[SCHEDULED_TIME_ANNOTATION] = slot.strftime("%Y-%m-%dT%H:%M:%SZ")
    if backfill:
        annotations[BACKFILL_ANNOTATION] = "true"
    owner = {"apiVersion": API_VERSION, "kind": "CronTask", "name": cron["name"], "uid": cron["uid"]}
    return {
        "apiVersion": API_VERSION,
        "kind": "Task",
        "metadata": {
            "name": name,
            "namespace": cron["namespace"],
            "labels": {**(given.labels if given and given.labels else {}), CRON_LABEL: cron["name"]},
            "annotations": annotations,
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": template.spec.to_wire(),
    }
