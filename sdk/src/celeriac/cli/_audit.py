"""``celeriac doctor --audit``: what differs between the API server and NATS, and what to do about it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from nats.aio.client import Client
from rich.text import Text

from celeriac import _dead_letters
from celeriac._async_client import AsyncClient
from celeriac._nats_options import NatsOptions
from celeriac.audit.compare import compare, confirmed, something_is_lost
from celeriac.audit.evidence import Evidence
from celeriac.audit.finding import Finding, Weight
from celeriac.audit.read import read
from celeriac.cli._console import out, write
from celeriac.cli._escape import escape
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output
from celeriac.cli._print import print_data

STYLES = {Weight.LOST: "bold red", Weight.AGAIN: "yellow", Weight.NOTE: "", Weight.UNREAD: "bold yellow"}


async def audit(common: Common, *, all_namespaces: bool) -> ExitCode:
    """Read, compare and print. Where something differs, a second look says whether it was only on its way."""
    async with AsyncClient(common.namespace, common.context) as client, _bus() as bus:
        namespace = None if all_namespaces else await client.namespace()
        evidence = await read(client._api, bus, namespace, datetime.now(UTC))
        found = compare(evidence)
        if found:
            evidence = await read(client._api, bus, namespace, datetime.now(UTC))
            found = confirmed(found, compare(evidence))
    _print(evidence, found, common.output)
    return code_of(found)


def code_of(found: Sequence[Finding]) -> ExitCode:
    """1 where something is lost, 3 where it is not known."""
    if something_is_lost(found):
        return ExitCode.TASK_FAILED
    return ExitCode.CLUSTER if any(each.weight is Weight.UNREAD for each in found) else ExitCode.OK


@asynccontextmanager
async def _bus() -> AsyncIterator[Client | None]:
    if not NatsOptions.from_env(os.environ).enabled:
        yield None
        return
    async with _dead_letters.connection(os.environ) as client:
        yield client


def _print(evidence: Evidence, found: Sequence[Finding], output: Output) -> None:
    if output is Output.NAME:
        for each in found:
            write(f"{each.weight} {_place(each)}".rstrip())
    elif output is not Output.TABLE:
        print_data({"looked at": _looked_at(evidence), "findings": [asdict(each) for each in found]}, output)
    else:
        for each in found:
            _print_finding(each)
        counts = Counter(each.weight for each in found)
        said = ", ".join(f"{counts[weight]} {weight.lower()}" for weight in Weight if counts[weight])
        looked = ", ".join(f"{count:,} {what}" for what, count in _looked_at(evidence).items())
        write(f"{said or 'Nothing differs'}. Looked at {looked}.")


def _print_finding(each: Finding) -> None:
    head = (f"{each.weight:<7}", STYLES[each.weight])
    place = f" {_place(each)}:" if _place(each) else ""
    out().print(Text.assemble(head, escape(f"{place} {each.found}")))
    out().print(Text(f"  → {escape(each.advice)}"))


def _place(each: Finding) -> str:
    return f"{each.namespace}/{each.name}" if each.name else ""


def _looked_at(evidence: Evidence) -> dict[str, int]:
    bus = evidence.bus
    cluster = {"tasks": len(evidence.tasks), "jobs": len(evidence.jobs), "cronTasks": len(evidence.crons)}
    return cluster | (
        {
            "messages": len(bus.waiting),
            "deadLetters": len(bus.buried),
            "records": len(bus.records),
            "tasksInHistory": len(bus.events),
            "objects": len(bus.objects),
        }
        if bus is not None
        else {}
    )
