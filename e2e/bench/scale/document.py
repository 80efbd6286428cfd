"""docs/benchmarks-scale.md, and the same for the terminal and for programs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from e2e.bench import page
from e2e.bench.document import markdown, verdict
from e2e.bench.figures import Row
from e2e.bench.scale.figures import OTHERS, Split
from e2e.bench.scale.measure import Plan
from rich.table import Table


@dataclass(frozen=True)
class Run(page.Run):
    """And how much was measured."""

    plan: Plan
    nodes: int
    kwok: str


def split_table(lines: Sequence[Split], plan: Plan) -> Table:
    """The split of CPU for a terminal."""
    shown = Table(title="CPU, ms an object")
    for heading in _headings(plan):
        shown.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for line in lines:
        shown.add_row(*_cells(line))
    return shown


def as_json(run: Run, rows: Sequence[Row], lines: Sequence[Split]) -> dict[str, Any]:
    """All of it for programs; CPU in milliseconds for each object."""
    figures = [
        {
            "name": row.name,
            "median": row.figure.median,
            "low": row.figure.low,
            "high": row.figure.high,
            "unit": row.unit,
            "target": row.target.bound if row.target else None,
            "met": verdict(row),
        }
        for row in rows
    ]
    cpu = {line.name: {"job": line.job, "task": line.task, "taskOfMany": line.large} for line in lines}
    about = {"command": run.command, "time": run.when.isoformat(), "machine": str(run.machine), "load": run.load}
    return {**about, "figures": figures, "cpuMilliseconds": cpu}


def document(run: Run, rows: Sequence[Row], lines: Sequence[Split]) -> str:
    """The page."""
    headings = _headings(run.plan)
    return PAGE.format(
        **run.words,
        rounds=run.plan.rounds,
        tasks=run.plan.tasks,
        live=run.plan.live,
        nodes=run.nodes,
        kwok=run.kwok,
        others=OTHERS,
        rows=markdown(rows),
        split="\n".join(
            [
                f"| {' | '.join(headings)} |",
                f"|---|{'---:|' * (len(headings) - 1)}",
                *(f"| {' | '.join(_cells(line))} |" for line in lines),
            ]
        ),
    )


def _headings(plan: Plan) -> list[str]:
    return ["", f"Job of {plan.tasks}", f"Task of {plan.tasks}", *([f"Task of {plan.live}"] if plan.live else [])]


def _cells(line: Split) -> list[str]:
    figures = (line.job, line.task, line.large)
    return [line.name, *(f"{each:.1f}" for each in figures if each is not None)]


PAGE = """\
# Benchmarks: thousands of Tasks

Thousands of Tasks beside thousands of raw Jobs of the very same pod, on nodes that KWOK fakes: no container runs,
so what is left is the control plane and the operator. This page is written by the command that measures:

```console
$ {command}
```

{when}, on {machine}; {nodes} fake nodes by KWOK {kwok}. Load average before: {load:.1f}.

| | median of {rounds} rounds | lowest – highest | target |
|---|---:|---:|---|
{rows}

## Where the CPU goes

Milliseconds of CPU for each object, the median of the rounds:

{split}

## How it is measured

- {rounds} rounds, each of a burst of {tasks} Tasks and one of {tasks} Jobs, in turn; every other round begins with
  the Jobs. Last, one burst of {live} Tasks (0: left out). Before each burst the namespace is empty.
- All processes share the machine's cores: etcd, the control plane, KWOK, the operator and the load generator. That
  is why a Task, for which the control plane does more, cannot be as quick as a Job here.
- A burst is submitted by 8 threads, as fast as they can. Time runs from the first create until a watch shows the
  last end: condition `Finished` of a Task, `Complete` of a Job. A Task finishes before its Job is complete; when
  the Jobs of the Tasks were complete, too, is a line of its own.
- A Task's pod comes from a TaskDefinition, which alone can grant the node selector and the toleration; the raw Job
  has the pod of a Job that the operator made.
- KWOK writes the status of a pod twice: running, and ended with exit code 0 at once.
- CPU is user and system time from /proc/PID/stat, and "{others}" is what all CPUs did beside (kernel threads,
  kubelet, containerd, whoever else uses the machine). Both are read before the first create and 3 s after the last
  Job was complete, so that idle work of that time is in them; the deletion of a burst is not.
- API writes are the API server's own count of creates, patches, updates and deletes of Tasks, Jobs, pods and
  Events, by whomever. The operator's writes and CPU are its metrics.
- The operator is a process on the machine, not in a pod, with the chart's settings and, as in a pod, the token of a
  service account: a certificate would be verified at each call. One setting differs: `CELERIAC_MAX_FINISHED_TASKS` is
  above the size of the largest burst, because by default the operator would begin to delete beyond 5,000.
- Memory of {tasks} Tasks is VmRSS while all of them are there still, with Jobs and pods; that of {live} is VmHWM,
  the most that the process ever had.

## What is not claimed

- Nothing about real nodes: a kubelet takes far longer to start a container than all of this (see benchmarks.md).
- Nothing about larger machines: with more cores, the operator, a single thread, no longer shares one with the API
  server.
- "At once" is not "running at once": how many of {live} were unfinished when the last was submitted is in the
  table.
- kube-controller-manager and kube-scheduler may call the API 200 times a second (the defaults are 20 and 50), for
  Tasks and Jobs alike; with the defaults both would be slower, and closer to each other.
"""
