"""What a release stores, written down: objects in all phases, and what NATS has. `python -m tests.stored.capture DIR`.

Run with each release, into a directory of its own; what an earlier one wrote is never written again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.support.kube import CRONS, DEFINITIONS, JOBS, PODS, QUEUES, REVISIONS, TASKS, Kind
from e2e.support.manifests import backoff, container, definition, queue, task, task_of
from e2e.support.predicates import Predicate, exists, phase
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from tests.support.site import NAMESPACE, Site, installed

Obj = dict[str, Any]

KINDS = (TASKS, DEFINITIONS, QUEUES, CRONS, JOBS, PODS, REVISIONS)
STREAMS = (f"CELERIAC_{NAMESPACE}_held", "CELERIAC_DELAYED", "CELERIAC_DEAD", "CELERIAC_EVENTS", "KV_celeriac-results")
RETRY = {"maxAttempts": 3, "backoff": backoff(600)}
PLAYS = {"starting": "waits", "running": "runs", "retrying": "fails", "failed": "fails", "by-message-running": "runs"}


def submit(site: Site) -> dict[str, str]:
    """A Task for each phase; the phases by name."""
    later = (datetime.now(UTC) + timedelta(days=3000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    site.node.plays |= PLAYS  # type: ignore[arg-type]
    site.namespace.apply(
        definition("resize", "true", paramsSchema={"type": "object"}, defaults={"retry": {"maxAttempts": 2}}),
        queue("full", maxConcurrency=1, stopPolicy="Hold", stopReason="for the test"),
        queue("held", stopPolicy="Hold", inlineContainers="Allow"),
    )
    site.namespace.submit(
        task("pending", startTime=later),
        task("suspended", suspend=True),
        task("queued", queueName="full"),
        task("starting"),
        task("running", retry=RETRY, deadlines={"runSeconds": 86400, "graceSeconds": 5}),
        task("retrying", retry=RETRY),
        task_of("resize", "succeeded", params={"path": "a.png", "deep": [1, {"x": None}]}, priority=7),
        task("failed"),
        task("cancelled", cancel={"reason": "no longer needed"}),
        task("expired", queueName="full", deadlines={"queueSeconds": 1}),
        task_of("missing", "undefined"),
    )
    site.mailbox.submit(task("by-message"), task("by-message-running"))
    site.mailbox.post(b"no message")
    held = type(site.mailbox)(site.mailbox.url, site.namespace, "held")
    held.submit(task("waits", params={"n": 1}))
    site.mailbox.submit(task("delayed", startTime=later))
    site.mailbox.cancel("wished-away", "never mind")
    template = {"spec": {"container": container()}}
    for name, schedule in (("minutely", "* * * * *"), ("yearly", "@yearly")):
        spec = {"schedule": schedule, "taskTemplate": template}
        site.namespace.apply(
            {"apiVersion": TASKS.api_version, "kind": "CronTask", "metadata": {"name": name}, "spec": spec}
        )
    return {
        "pending": "Pending", "suspended": "Pending", "queued": "Queued", "starting": "Starting", "running": "Running",
        "retrying": "Retrying", "succeeded": "Succeeded", "failed": "Failed", "cancelled": "Cancelled",
        "expired": "Expired", "undefined": "Pending", "by-message": "Succeeded", "by-message-running": "Running",
    }  # fmt: skip


def settled(site: Site, phases: dict[str, str]) -> None:
    """Wait until all is where it is to be."""
    for name, wanted in phases.items():
        site.namespace.wait(name, phase(wanted))
    ran = Predicate("run once", lambda cron: "lastScheduleTime" in ((cron or {}).get("status") or {}))
    site.kube.wait(CRONS, NAMESPACE, "minutely", ran)
    counted = Predicate("counted", lambda found: ((found or {}).get("status") or {}).get("queued") is not None)
    site.kube.wait(QUEUES, NAMESPACE, "full", counted)
    for kind in (DEFINITIONS,):
        site.kube.wait(kind, NAMESPACE, "resize", exists())
    site.mailbox.wait_empty()
    _until(lambda: len(site.mailbox.letters()) == 1)


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.2)


def write_objects(site: Site, directory: Path) -> None:
    for kind in KINDS:
        for raw in site.kube.list(kind, NAMESPACE):
            _write(directory / kind.plural / f"{raw['metadata']['name']}.json", _typed(kind, raw))


def _typed(kind: Kind, raw: Obj) -> Obj:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **raw}


async def write_messages(url: str, directory: Path) -> None:
    client = Client()
    await client.connect(url)
    for stream in STREAMS:
        sequence = 1
        while True:
            try:
                raw = await client.jetstream().get_msg(stream, seq=sequence, subject=">", next=True, direct=False)
            except NotFoundError:
                break
            data = base64.b64encode(raw.data or b"").decode()
            found = {"stream": stream, "sequence": raw.seq, "subject": raw.subject, "time": str(raw.time)}
            _write(
                directory / "nats" / stream / f"{raw.seq}.json", found | {"headers": raw.headers or {}, "data": data}
            )
            sequence = (raw.seq or sequence) + 1
    await client.close()


def _write(path: Path, content: Obj) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def main() -> None:
    directory = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place, installed(Path(place)) as site:
        settled(site, submit(site))
        write_objects(site, directory)
        asyncio.run(write_messages(site.server.url, directory))


if __name__ == "__main__":
    main()
