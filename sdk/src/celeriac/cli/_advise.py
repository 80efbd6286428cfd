"""The command advise."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from pydantic.alias_generators import to_camel

from celeriac import _advice, _tasks
from celeriac._advice import Advice, Definition
from celeriac._async_client import AsyncClient
from celeriac._wire import resource_path
from celeriac.api.v1alpha1 import API_VERSION, TaskDefinitionSpec
from celeriac.cli._console import say, write
from celeriac.cli._flags import Common, Output, command, names_of
from celeriac.cli._print import print_columns, print_data

HEADINGS = ["DEFINITION", "NOW", "ADVICE", "ATTEMPTS", "START", "RUN", "CPU", "MEMORY", "WHY"]


@command
def advise(
    definition: Annotated[
        str | None,
        typer.Argument(
            help="Name of the TaskDefinition. Default: all.",
            metavar="DEFINITION",
            callback=names_of("taskdefinition"),
        ),
    ] = None,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    *,
    common: Common,
) -> None:
    """Say which TaskDefinitions would gain from isolation Warm or Worker, and what requests fit their tasks."""
    _print(asyncio.run(_advise(common, definition, all_namespaces)), common.output, namespaces=all_namespaces)


async def _advise(common: Common, name: str | None, all_namespaces: bool) -> list[Advice]:
    async with AsyncClient(common.namespace, common.context) as client:
        namespace = None if all_namespaces else await client.namespace()
        if name is not None and namespace is not None:
            await _tasks.check_definition(client._api, namespace, name)
        items, _ = await client._api.items(resource_path(f"/apis/{API_VERSION}", "taskdefinitions", namespace), ())
        definitions = [found for found in map(_definition, items) if name in (None, found.name)]
        tasks = await client.list(definition=name, all_namespaces=all_namespaces)
    return [
        _advice.advise(each, [t for t in tasks if (t.namespace, t.spec.definition_name) == (each.namespace, each.name)])
        for each in sorted(definitions, key=lambda each: (each.namespace, each.name))
    ]


def _definition(manifest: Mapping[str, Any]) -> Definition:
    meta = manifest["metadata"]
    return Definition(meta["namespace"], meta["name"], TaskDefinitionSpec.model_validate(manifest["spec"]))


def _print(found: Sequence[Advice], output: Output, *, namespaces: bool) -> None:
    if output is Output.NAME:
        for advice in found:
            write(f"taskdefinition.celeriac.dev/{advice.definition}")
    elif output is not Output.TABLE:
        print_data([_wire(asdict(advice)) for advice in found], output)
    elif not found:
        say("No TaskDefinitions.")
    else:
        scope = ["NAMESPACE"] if namespaces else []
        rows = [[*([advice.namespace] if namespaces else []), *_cells(advice)] for advice in found]
        print_columns([[*scope, *HEADINGS], *rows])
        _warn(found)


def _wire(value: Any) -> Any:
    """Names as the API has them."""
    if isinstance(value, dict):
        return {to_camel(name): _wire(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _cells(advice: Advice) -> list[str]:
    return [
        advice.definition,
        advice.isolation,
        advice.suggested if advice.suggested != advice.isolation else "-",
        str(advice.attempts),
        _time(advice.start_seconds),
        _time(advice.run_seconds),
        _change(advice.present.cpu, advice.requests.cpu),
        _change(advice.present.memory, advice.requests.memory),
        advice.why,
    ]


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else _advice.said(seconds).replace(" ", "")


def _change(present: str | None, fits: str | None) -> str:
    """What it asks for, and what fits."""
    return f"{present or 'default'} → {fits}" if fits is not None else present or "default"


def _warn(found: Sequence[Advice]) -> None:
    for advice in found:
        for warning in advice.warnings:
            say(f"{advice.namespace}/{advice.definition}: {warning}")
