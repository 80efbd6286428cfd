"""docs/benchmarks-functions.md. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.bench import page
from e2e.bench.document import markdown
from e2e.bench.figures import Row
from e2e.bench.functions.measure import Plan


@dataclass(frozen=True)
class Run(page.Run):
    """And how much was measured."""

    plan: Plan


def document(run: Run, rows: Sequence[Row]) -> str:
    """The page."""
    return PAGE.format(
        **run.words,
        rounds=run.plan.rounds,
        alone=run.plan.alone,
        messages=run.plan.messages,
        rows=markdown(rows),
    )


PAGE = """\
# Benchmarks: Python functions through NATS

What a call of a function costs beside a raw Kubernetes Job of the very same pod, and how fast messages become Tasks.
This page is written by the command that measures:

```console
$ {command}
```

{when}, on {machine}. Load average before: {load:.1f}.

| | median of {rounds} rounds | lowest – highest | target |
|---|---:|---:|---|
{rows}

How many messages a second `submit_many` gets acknowledged, against what nats-py alone publishes, needs no cluster and
is measured by `make bench-messages` (to reach: at least 0.5), which prints its figures.

## How it is measured

- An operator and a NATS server of their own, installed with the chart for one namespace; other operators are stopped
  meanwhile. The server syncs every write, and its files are on the node's disk.
- The function is `fnmatch.translate`: what is measured is the machinery and the start of Python, nothing else.
- The pod of the raw Job is the one that the operator made for a call: same image, runner, NATS credentials, resources
  and security context. Only its task's name and uid are others, so that its runner has a record of its own to make.
- Each of the {rounds} rounds takes {alone} calls and {alone} Jobs alone, in turn; every other begins with the Job. A
  sample begins when the pods of the one before are gone. Time runs from just before the call until `get()` has
  returned the result, and from just before the create call until a watch shows the Job `Complete`.
- Intake: {messages} messages wait in a queue that is held; time runs from its going on until a watch has shown the last
  Task. They are suspended, so that there are no pods, and `maxConcurrency` is {messages}, so that the window is no
  limit.
- Created by clients: the same {messages} Tasks by 8 threads at the API server, until a watch has shown the last. In
  both the operator looks at each Task and writes its status meanwhile.
- A ratio is taken within each round. The table has the median, the lowest and the highest of the rounds.

## What is not claimed

- Nothing about other machines or networks: only the ratios travel, and those only so far.
- Nothing about a function that runs for long: what is saved is a matter of seconds in all, however long it runs.
- `get()` returns when the outcome is recorded, which is before the pod has ended and the Job is `Complete`.
"""
