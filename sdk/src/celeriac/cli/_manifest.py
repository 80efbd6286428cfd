"""``celeriac manifest`` and ``celeriac check``: the TaskDefinitions of a program's functions."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from celeriac import errors
from celeriac._async_client import AsyncClient
from celeriac._wire import resource_path
from celeriac.api.v1alpha1 import API_VERSION
from celeriac.app.application import App
from celeriac.app.compare import Break, breaks
from celeriac.app.definition import definitions_of
from celeriac.app.loading import NotThere, load_app
from celeriac.app.signature import BadSignature
from celeriac.cli._console import complain, say, write
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, command
from celeriac.cli._print import print_data

Location = Annotated[str, typer.Argument(help="Where the App is, such as media.tasks:app.", metavar="MODULE:APP")]
Image = Annotated[str | None, typer.Option(help="Image with the SDK and the code, instead of what the App says.")]


@command
def manifest(
    location: Location,
    *,
    image: Image = None,
    version: Annotated[
        str | None, typer.Option(help="Version of the code, for people. Default: the image's tag.")
    ] = None,
    common: Common,
) -> None:
    """Print the TaskDefinitions of an App's functions, for kubectl apply."""
    _, definitions = _definitions(location, common.namespace, image, version)
    if common.output is Output.NAME:
        for each in definitions:
            write(f"taskdefinition.celeriac.dev/{each['metadata']['name']}")
    elif common.output is Output.JSON:
        print_data({"apiVersion": "v1", "kind": "List", "items": definitions}, common.output)
    else:
        write(yaml.safe_dump_all(definitions, sort_keys=False, allow_unicode=True, width=120).rstrip("\n"))


@command
def check(
    location: Location,
    file: Annotated[str | None, typer.Argument(help="What `celeriac manifest` wrote before; - is stdin.")] = None,
    *,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Compare with the TaskDefinitions in the cluster.")
    ] = False,
    common: Common,
) -> None:
    """Name each change of signature that breaks queued tasks or readers of results; exit code 1 if there is one."""
    if (file is None) is not cluster:
        raise typer.BadParameter("give a file that `celeriac manifest` wrote, or --cluster")
    app, new = _definitions(location, common.namespace, "none", None)
    old = _read(file) if file is not None else asyncio.run(_in_cluster(common))
    found = breaks(old, new, app.name)
    names, there = ({each["metadata"]["name"] for each in some} for some in (new, old))
    _print(found, common.output, compared=bool(names & there))
    raise typer.Exit(ExitCode.TASK_FAILED if found else ExitCode.OK)


def _definitions(
    location: str, namespace: str | None, image: str | None, version: str | None
) -> tuple[App, list[dict[str, Any]]]:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` has it
    try:
        app = load_app(location)
        definitions = definitions_of(app, location, namespace=namespace, image=image, version=version)
    except (NotThere, BadSignature) as error:
        complain(str(error))
        raise typer.Exit(ExitCode.USAGE) from None
    except Exception as error:  # importing runs the user's code, whose faults are not celeriac's
        module = location.partition(":")[0]
        complain(f"{module} cannot be imported: {type(error).__name__}: {error}. `python -m {module}` shows where.")
        raise typer.Exit(ExitCode.USAGE) from None
    if not definitions:
        complain(f"{location} has no tasks: name the modules that have them, as in App(include=['media.tasks']).")
        raise typer.Exit(ExitCode.USAGE)
    return app, definitions


def _read(file: str) -> list[dict[str, Any]]:
    """The TaskDefinitions in a file, in documents or in a List."""
    try:
        documents = list(yaml.safe_load_all(sys.stdin.read() if file == "-" else Path(file).read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from None
    flat = [item for each in documents if isinstance(each, dict) for item in each.get("items") or [each]]
    found = [each for each in flat if isinstance(each, dict) and each.get("kind") == "TaskDefinition"]
    if not found:
        raise typer.BadParameter(f"{file} has no TaskDefinition: write it with `celeriac manifest MODULE:APP`")
    return found


async def _in_cluster(common: Common) -> list[dict[str, Any]]:
    async with AsyncClient(common.namespace, common.context) as client:
        path = resource_path(f"/apis/{API_VERSION}", "taskdefinitions", await client.namespace())
        try:
            items, _ = await client._api.items(path, ())
        except errors.TaskNotFound:
            return []
        return items


def _print(found: list[Break], output: Output, *, compared: bool) -> None:
    if output in (Output.JSON, Output.YAML):
        print_data([asdict(each) for each in found], output)
        return
    for each in found:
        write(str(each))
    if output is Output.TABLE:
        say(_summary(found, compared), "bold red" if found else "green" if compared else "yellow")


def _summary(found: list[Break], compared: bool) -> str:
    if not found and not compared:
        return "Nothing was compared: none of the App's TaskDefinitions is there. Is it the right namespace, or file?"
    if not found:
        return "Nothing breaks: queued tasks run, and results can be read."
    many = "changes break" if len(found) > 1 else "change breaks"
    return f"{len(found)} {many} queued tasks or readers of results: docs/signatures.md says how to go about it."
