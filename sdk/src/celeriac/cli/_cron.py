"""``celeriac cron``: list, trigger, backfill."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from celeriac import _backfill
from celeriac._backfill import BackfillRun
from celeriac._cron_task import CronTask
from celeriac._explain import span
from celeriac.cli._console import complain, out, say, write
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, command, names_of, parse_start
from celeriac.cli._print import first_line, manifest_of, print_columns, print_data
from celeriac.cli._submit import print_submitted
from celeriac.cron.run import run_name

app = typer.Typer(help="Tasks by the calendar.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the CronTask.", metavar="NAME", callback=names_of("crontask"))]
HEADINGS = ("NAME", "SCHEDULE", "ZONE", "ACTIVE", "MISSED", "LAST", "NEXT", "MESSAGE")


@command
def list_crons(
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    *,
    common: Common,
) -> None:
    """List CronTasks: when they last ran, when they run next, what runs, and what was missed."""
    with common.client() as client:
        crons = client.cron_list(all_namespaces=all_namespaces)
    if common.output is Output.NAME:
        for cron in crons:
            write(f"crontask.celeriac.dev/{cron.name}")
    elif common.output is not Output.TABLE:
        print_data({"apiVersion": "v1", "kind": "List", "items": [_manifest(cron) for cron in crons]}, common.output)
    elif crons:
        now = datetime.now(UTC)
        first = ["NAMESPACE"] if all_namespaces else []
        rows = [([cron.namespace] if all_namespaces else []) + _cells(cron, now) for cron in crons]
        _print_table([[*first, *HEADINGS], *rows])
    else:
        say("No CronTasks.")


def _print_table(rows: list[list[str]]) -> None:
    """Whole for programs; for a terminal the message is cut to the room that is left."""
    if sys.stdout.isatty():
        rest = sum(max(len(row[column]) for row in rows) + len("   ") for column in range(len(rows[0]) - 1))
        room = max(out().width - rest, len("MESSAGE"))
        rows = [[*row[:-1], row[-1] if len(row[-1]) <= room else f"{row[-1][: room - 1]}…"] for row in rows]
    print_columns(rows)


def _cells(cron: CronTask, now: datetime) -> list[str]:
    status, last, upcoming = cron.status, cron.status.last_schedule_time, cron.status.next_schedule_time
    return [
        cron.name,
        cron.spec.schedule,
        cron.spec.time_zone or "Etc/UTC",
        str(status.active_count or 0),
        str(status.missed_runs or 0),
        f"{span(now, last)} ago" if last else "-",
        f"in {span(upcoming, now)}" if upcoming else "-",
        first_line(cron.problem) or ("Suspended" if cron.spec.suspend else ""),
    ]


def _manifest(cron: CronTask) -> dict[str, Any]:
    metadata = {key: value for key, value in cron.manifest["metadata"].items() if key != "managedFields"}
    return {"apiVersion": "celeriac.dev/v1alpha1", "kind": "CronTask", **cron.manifest, "metadata": metadata}


@command
def trigger(name: Name, *, common: Common) -> None:
    """Run a CronTask's template now; its schedule goes on as before."""
    with common.client() as client:
        print_submitted(client.cron_trigger(name), common.output)


@command
def backfill(
    name: Name,
    *,
    start: Annotated[str, typer.Option("--from", help="The first slot's time: 2026-12-01T10:00:00Z.")],
    end: Annotated[str | None, typer.Option("--to", help="The last slot's time. Default: now.")] = None,
    most: Annotated[int, typer.Option("--max", help="At most so many slots, the oldest.", min=1)] = 100,
    concurrency: Annotated[int, typer.Option(help="So many at once, beside what the schedule runs.", min=1)] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which slots there are.")] = False,
    common: Common,
) -> None:
    """Run slots that have passed. One whose task is there is not run again; so what was interrupted can be repeated."""
    begin, until = _span(_utc(start), _utc(end) if end else None, datetime.now(UTC))
    with common.client() as client:
        cron = client.cron_get(name)
        slots = _backfill.slots_of(cron, begin, until, most, datetime.now(UTC))
        say(_announced(cron, slots, most, concurrency), "dim")
        if dry_run:
            _print_slots([BackfillRun(slot, run_name(cron.name, slot)) for slot in slots], common.output)
            return
        runs = client.cron_backfill(name, begin, until, most=len(slots), concurrency=concurrency) if slots else ()
        done = []
        for run in runs:
            done.append(run)
            _print(run, f"{len(done)}/{len(slots)}", common.output)
    if common.output in (Output.JSON, Output.YAML):
        print_data([_wire(run) for run in done], common.output)
    raise typer.Exit(ExitCode.OK if all(run.succeeded for run in done) else ExitCode.TASK_FAILED)


def _utc(text: str) -> datetime:
    return parse_start(text).astimezone(UTC)


def _span(begin: datetime, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The time to look for slots in: a mistake in it would otherwise pass for a time without slots, and for success."""
    if end is not None and end < begin:
        raise typer.BadParameter(
            f"{end:%Y-%m-%d %H:%M} UTC is before --from, {begin:%Y-%m-%d %H:%M} UTC", param_hint="--to"
        )
    if begin > now:
        raise typer.BadParameter(
            f"{begin:%Y-%m-%d %H:%M} UTC is still to come: only slots that have passed can be run", param_hint="--from"
        )
    return begin, end or now


def _announced(cron: CronTask, slots: tuple[datetime, ...], most: int, concurrency: int) -> str:
    if not slots:
        return f"CronTask {cron.namespace}/{cron.name} has no slots in that time."
    more = " (--max; there may be more)" if len(slots) == most else ""
    where = f"{cron.namespace}/{cron.name}, {slots[0]:%Y-%m-%d %H:%M} to {slots[-1]:%Y-%m-%d %H:%M} UTC"
    return f"{len(slots)} slot(s) of {where}{more}, {concurrency} at a time."


def _print_slots(runs: list[BackfillRun], output: Output) -> None:
    """The slots that would run, and what their Tasks would be named."""
    if output in (Output.JSON, Output.YAML):
        print_data([{"slot": _slot(run), "name": run.name} for run in runs], output)
        return
    for run in runs:
        write(f"task.celeriac.dev/{run.name}" if output is Output.NAME else _slot(run))


def _slot(run: BackfillRun) -> str:
    return f"{run.slot:%Y-%m-%dT%H:%M:%SZ}"


def _print(run: BackfillRun, progress: str, output: Output) -> None:
    """The progress: a line for each slot that has ended."""
    if output is Output.NAME:
        write(f"task.celeriac.dev/{run.name}")
    elif output is Output.TABLE and run.error is None:
        write(f"{progress}  {run.slot:%Y-%m-%d %H:%M} UTC  {run.name}  {_outcome(run)}")
    if run.error is not None:
        complain(f"{run.name}: {run.error}")


def _outcome(run: BackfillRun) -> str:
    outcome = run.task.outcome if run.task is not None else None
    return f"{outcome or 'unknown'}{' (it was there)' if run.existed else ''}"


def _wire(run: BackfillRun) -> dict[str, Any]:
    return {
        "slot": _slot(run),
        "name": run.name,
        "existed": run.existed,
        "error": str(run.error) if run.error else None,
        "task": manifest_of(run.task) if run.task else None,
    }


app.command("list")(list_crons)
app.command("trigger")(trigger)
app.command("backfill")(backfill)
