"""docs/benchmarks.md, and the same table for the terminal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.bench import page
from e2e.bench.figures import Row, Target
from rich.table import Table


@dataclass(frozen=True)
class Run(page.Run):
    """And how much was measured."""

    rounds: int
    alone: int
    burst: int


def table(rows: Sequence[Row]) -> Table:
    """The figures for a terminal."""
    shown = Table()
    shown.add_column("")
    for heading in ("median", "lowest – highest", "target"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        style = {None: "", True: "green", False: "red"}[verdict(row)]
        shown.add_row(row.name, value(row), spread(row), target_text(row), style=style)
    return shown


def document(run: Run, rows: Sequence[Row]) -> str:
    """The page."""
    return PAGE.format(
        **run.words,
        rounds=run.rounds,
        alone=run.alone,
        burst=run.burst,
        rows=markdown(rows),
    )


def markdown(rows: Sequence[Row]) -> str:
    """The figures as lines of a Markdown table."""
    return "\n".join(f"| {row.name} | {value(row)} | {spread(row)} | {target_text(row)} |" for row in rows)


def value(row: Row) -> str:
    """The median with its unit."""
    return f"{row.figure.median:.{row.digits}f} {row.unit}".strip()


def spread(row: Row) -> str:
    """The lowest and the highest round."""
    return f"{row.figure.low:.{row.digits}f} – {row.figure.high:.{row.digits}f}"


def verdict(row: Row) -> bool | None:
    """Whether the target is met by the median as it is printed; None where there is none."""
    return row.target.met(round(row.figure.median, row.digits)) if row.target else None


def target_text(row: Row) -> str:
    """The target, and whether it is met."""
    if row.target is None:
        return ""
    return f"{bound(row.target, row.unit)}: {'met' if verdict(row) else 'missed'}"


def bound(target: Target, unit: str) -> str:
    """The target in words."""
    return f"{'≤' if target.at_most else '≥'} {target.bound:g} {unit}".strip()


PAGE = """\
# Benchmarks

What a Task costs beside a raw Kubernetes Job of the very same pod. This page is written by the command that measures:

```console
$ {command}
```

{when}, on {machine}. Load average before: {load:.1f}.

| | median of {rounds} rounds | lowest – highest | target |
|---|---:|---:|---|
{rows}

## How it is measured

- The workload is busybox's `true`: the figures are what the machinery costs, and nothing else.
- The pod of the raw Job is the one that the operator made for a Task: same image, resources, security context and
  volumes.
- Each of the {rounds} rounds takes {alone} Tasks and {alone} Jobs alone, in turn (Task, Job, Task, Job …), then a burst
  of {burst} Tasks and one of {burst} Jobs; every other round begins with the Job. A sample begins when the pods of the
  one before are gone.
- Time runs from just before the create call until a watch shows the end: condition `Finished` of a Task, `Complete` of
  a Job. A burst is submitted by 8 threads; its throughput is its size by the time from the first create to the last
  end.
- A ratio is taken within each round, of that round's medians. The table has the median, the lowest and the highest of
  the rounds.
- The operator's writes (creates, patches and deletes, Events included), CPU and memory are its own metrics
  (`celeriac_api_calls_total`, `process_cpu_seconds_total`, `process_resident_memory_bytes`), scraped before the Tasks
  are created and after their Jobs are complete. Its idle work meanwhile and the scrapes themselves are in them, the
  deletion of a burst is not. A Task that waits long for its pod to start says so, in a write more: after 3 s alone, and
  later the more others start at once.

## Why a Task can be quicker than the Job it runs in

The operator reads the outcome from the state of the pod's container, which the kubelet reports as soon as the process
has ended. The Job controller waits for the pod's phase, batches its own status writes, and says `Complete` about two
seconds later.

## What is not claimed

- Nothing about other machines, clusters of more nodes, or networks: absolute times belong to the machine above. Only
  the ratios travel, and those only so far.
- Nothing about bursts larger than {burst}: on a small machine the limit is the CPU that pods take to start, for Tasks
  and Jobs alike.
- `Finished` of a Task does not say that its Job is `Complete` yet; that follows, as it does without Celeriac.
- No image is pulled and no volume attached: the image is on the node.
- The cluster of `make cluster-up` flatters both sides alike: kube-controller-manager and kube-scheduler may call the
  API 200 times a second (the defaults are 20 and 50), and the network is the machine's own.
"""
