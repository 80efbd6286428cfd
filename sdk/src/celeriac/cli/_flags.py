"""Options that several commands share, as dataclasses, and the decorator that makes one argument of each."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, get_type_hints

import typer

from celeriac import errors
from celeriac._client import Client
from celeriac.cli._console import complain
from celeriac.cli._exit import ExitCode, code_of


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace. Default: the context's.", show_default=False)
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig. Default: its current one.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How results are printed.")]


@dataclass(frozen=True)
class Common:
    """What every command takes."""

    namespace: NamespaceOption = None
    context: ContextOption = None
    output: OutputOption = Output.TABLE

    def after(self, earlier: Common | None) -> Common:
        """These options, and those that were given before the command's name for what they leave open."""
        if earlier is None:
            return self
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return replace(earlier, **given)

    def client(self) -> Client:
        """A client for the namespace and context that were named."""
        return Client(self.namespace, self.context)


@dataclass(frozen=True)
class TaskFlags:
    """What the commands that submit take."""

    queue: Annotated[str | None, typer.Option(help="Queue that the task waits in.")] = None
    priority: Annotated[int | None, typer.Option(help="Higher runs first, -1000 to 1000.")] = None
    name: Annotated[str | None, typer.Option(help="Name of the task. Default: one that no other task has.")] = None
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: submitted again, it is the same task, not another.")
    ] = None
    countdown: Annotated[str | None, typer.Option(help="Start so long from now, at the earliest: 90, 5m, 2h.")] = None
    start_time: Annotated[
        str | None, typer.Option(help="Start at this time, at the earliest: 2026-12-01T10:00:00Z.")
    ] = None
    retry: Annotated[int | None, typer.Option(help="Attempts that the task may use up.", metavar="ATTEMPTS")] = None
    queue_seconds: Annotated[int | None, typer.Option(help="Expire if it has not started by then.")] = None
    start_seconds: Annotated[int | None, typer.Option(help="How long one attempt may take to start.")] = None
    run_seconds: Annotated[int | None, typer.Option(help="How long one attempt may run.")] = None
    total_seconds: Annotated[int | None, typer.Option(help="How long all of it may take.")] = None
    grace_seconds: Annotated[int | None, typer.Option(help="From SIGTERM to SIGKILL.")] = None
    ttl: Annotated[int | None, typer.Option(help="Seconds that the finished task is kept.")] = None
    concurrency_key: Annotated[str | None, typer.Option(help="Key of the queue's maxConcurrencyPerKey.")] = None
    label: Annotated[list[str] | None, typer.Option(help="Label, as KEY=VALUE. Repeatable.", metavar="LABEL")] = None
    suspend: Annotated[bool, typer.Option("--suspend", help="Start nothing until spec.suspend is false.")] = False


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A function as a command: arguments that are dataclasses become options, errors become messages and exit codes."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        group = groups.get(parameter.name)
        parameters += _parameters_of(group) if group else [parameter.replace(annotation=hints[parameter.name])]

    def call(ctx: typer.Context, **values: Any) -> None:
        grouped = {name: kind(**{f.name: values.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        given = {name: group.after(ctx.obj) if isinstance(group, Common) else group for name, group in grouped.items()}
        guarded(functools.partial(function, **values, **given))

    return _with_signature(call, function, parameters)


def _with_signature(
    call: Callable[..., None], function: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """The call, so that Typer sees the options that are to be."""
    ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    by_keyword = [ctx, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters)]
    call.__signature__ = inspect.Signature(by_keyword)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in by_keyword}
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


def _parameters_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(group)
    ]


def guarded(run: Callable[[], None]) -> None:
    """Run a command; people get messages, not tracebacks, unless CELERIAC_DEBUG asks for those."""
    try:
        run()
    except errors.CeleriacError as error:
        complain(str(error))
        raise typer.Exit(code_of(error)) from None
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 -- so that the interpreter's last flush is quiet
        raise typer.Exit(ExitCode.OK) from None
    except (typer.Exit, typer.Abort, typer.BadParameter, KeyboardInterrupt):
        raise
    except Exception as error:
        if os.environ.get("CELERIAC_DEBUG"):
            raise
        complain(f"{type(error).__name__}: {error}. This is a fault of celeriac: CELERIAC_DEBUG=1 shows where it is.")
        raise typer.Exit(ExitCode.CLUSTER) from None


def names_of(kind: str) -> Callable[[str | list[str] | None], str | list[str] | None]:
    """Reads names of objects also as kubectl and ``-o name`` write them, so that one command can feed another.

    kind: in lower case, such as ``task``, which is left out of ``task/x`` and ``task.celeriac.dev/x``.
    """
    kinds = {kind, f"{kind}s", f"{kind}.celeriac.dev", f"{kind}s.celeriac.dev"}

    def name(text: str) -> str:
        found, slash, rest = text.partition("/")
        if slash and found not in kinds:
            raise typer.BadParameter(f"{text!r} is no name of a {kind}: write NAME, or {kind}/NAME")
        return rest if slash else found

    def read(given: str | list[str] | None) -> str | list[str] | None:
        if isinstance(given, str):
            return name(given)
        return given and [name(each) for each in given]

    return read


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Seconds in ``90``, ``90s``, ``5m``, ``2h`` or ``1d``."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a duration: use 90, 90s, 5m, 2h or 1d") from None
    if not 0 <= seconds < 10 * 365 * 86400:
        raise typer.BadParameter(f"{text!r} is not a duration from 0 to ten years")
    return seconds


def parse_start(text: str) -> datetime:
    """An RFC 3339 time, with its zone: whose noon it is nobody could guess."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time: use 2026-12-01T10:00:00Z") from None
    if moment.tzinfo is None:
        utc = f"{moment.isoformat()}Z"
        raise typer.BadParameter(f"{text!r} has no time zone: write {utc}, or an offset such as +01:00 instead of Z")
    return moment
