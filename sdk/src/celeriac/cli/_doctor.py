"""``celeriac doctor`` and ``celeriac version``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from importlib import metadata
from typing import Annotated

import typer
from rich.text import Text

from celeriac._async_client import AsyncClient
from celeriac.api.v1alpha1 import API_VERSION
from celeriac.cli._audit import audit as compare_all
from celeriac.cli._checks import Check, Scope, examine
from celeriac.cli._console import out, write
from celeriac.cli._escape import escape
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, command
from celeriac.cli._print import print_data

MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}


@command
def doctor(
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="Compare Tasks, Jobs, messages, records, results and dead letters; 1: something is lost."
        ),
    ] = False,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Audit every namespace.")] = False,
    *,
    common: Common,
) -> None:
    """Check that tasks can be submitted to this cluster and namespace, and say what to do where they cannot.

    With --audit: compare what the API server and NATS hold, after one of them was restored from a backup, say.
    """
    if audit:
        raise typer.Exit(asyncio.run(compare_all(common, all_namespaces=all_namespaces)))
    found = asyncio.run(_examine(common))
    if common.output is Output.TABLE:
        for check in found:
            _print(check)
    elif common.output is Output.NAME:
        for check in found:
            write(f"{check.name} {MARKS[check.ok][0]}")
    else:
        print_data([asdict(check) for check in found], common.output)
    raise typer.Exit(ExitCode.CLUSTER if any(check.ok is False for check in found) else ExitCode.OK)


async def _examine(common: Common) -> list[Check]:
    async with AsyncClient(common.namespace, common.context) as client:
        return await examine(Scope(client._api, await client.namespace(), client._door))


def _print(check: Check) -> None:
    mark, style = MARKS[check.ok]
    out().print(Text.assemble((f"{mark} {check.name:<12}", style), escape(check.found)))
    if check.advice:
        out().print(Text(f"  → {escape(check.advice)}", style=""))


@command
def version(common: Common) -> None:
    """Print the version of this command and of the API that it speaks."""
    found = {"celeriac": metadata.version("celeriac"), "api": API_VERSION}
    if common.output in (Output.JSON, Output.YAML):
        print_data(found, common.output)
    elif common.output is Output.NAME:
        write(found["celeriac"])
    else:
        write(f"celeriac {found['celeriac']} (API {found['api']})")
