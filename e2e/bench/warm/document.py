"""docs/benchmarks-isolation.md. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e.bench.document import markdown
from e2e.bench.figures import Row
from e2e.bench.machine import Machine
from e2e.bench.warm.celery_peer import version
from e2e.bench.warm.measure import EVERY, SETTLE_SECONDS, Plan


@dataclass(frozen=True)
class Run:
    """What is told of a run beside its figures."""

    command: str
    when: datetime
    machine: Machine
    load: float
    plan: Plan
    misses: int
    peer: str
    """Why there is no peer; empty: there is one."""


def document(run: Run, rows: Sequence[Row]) -> str:
    """The page."""
    return PAGE.format(
        command=run.command,
        when=f"{run.when:%Y-%m-%d %H:%M} UTC",
        machine=run.machine,
        load=run.load,
        rounds=run.plan.rounds,
        turns=run.plan.turns,
        bursts=run.plan.bursts,
        pods=run.plan.pods,
        misses=run.misses,
        every=EVERY,
        settle=SETTLE_SECONDS,
        celery=run.peer or CELERY.format(version=version(), pods=run.plan.pods),
        rows=markdown(rows),
        profile=PROFILE,
    )


CELERY = """\
{version}, Redis of the system's package with its default settings, both as plain processes of the
  machine, not in containers. Two workers with {pods} processes each: one whose processes stay, and one with
  `--max-tasks-per-child 1`, where each task has a fresh process. Its Redis writes nothing to disk before it answers."""

PROFILE = ""

PAGE = """\
# Benchmarks: pods that wait

What a function costs in a pod that was started ahead (`isolation: Warm`), beside a raw Kubernetes Job of the same
image, and beside Celery. This page is written by the command that measures:

```console
$ {command}
```

{when}, on {machine}. Load average before: {load:.1f}. No pod waited for {misses} of the calls.

| | median of {rounds} rounds | lowest – highest | target |
|---|---:|---:|---|
{rows}

## How it is measured

- An operator and a NATS server of their own, installed with the chart for one namespace; other operators are stopped
  meanwhile. The server syncs every write, and its files are on the node's disk. Tasks go through NATS.
- The function is `fnmatch.translate` everywhere: what is measured is the machinery, nothing else.
- Each of the {rounds} rounds takes {turns} turns, and then {bursts} bursts of each. A turn is a call in a pod that
  waited, then one of each Celery worker; every {every}rd turn also a raw Job, and a call in a pod of its own. {settle:g} s
  pass after each that starts a pod, so that the one that was taken is replaced. {pods} pods wait.
- A call's time runs from just before it until its result is there; a raw Job's from just before the create call until a
  watch shows `Complete`. A burst is sent one after the other by one client; its rate is its size by the time until
  the last result.
- Celery: {celery}
- A ratio is taken within each round. The table has the median, the lowest and the highest of the rounds; p99 is of all
  calls.

## What is not claimed

- Nothing about other machines or networks: only the ratios travel, and those only so far.
- Not that Celery and this do the same: a Task is an object with a policy, states and a record that are synced to disk,
  in a pod of its own with limits; Celery's call is a message to a process.
- Nothing about more tasks than pods wait: the others start cold.

{profile}"""
