"""docs/benchmarks-workers.md, and the same for the terminal. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from e2e.bench import page
from e2e.bench.document import markdown
from e2e.bench.figures import Row, Target, figure

TARGETS = {1: 120.0, 2: 60.0}
"""Tasks a second, by replicas of the operator."""
FLOOR = 375.0
"""Tasks a second that a create and a status patch were thought to allow where these targets were set."""


@dataclass(frozen=True)
class Sample:
    """What was measured."""

    replicas: int
    submitted: float
    """Seconds until all were submitted."""
    done: float
    """Seconds until the last result was there, from the first submission."""
    pods: Sequence[int]
    """Tasks of each pod."""
    odd: int
    """Tasks that took more than one attempt, or ran in a pod of their own."""
    spent: Mapping[str, float]
    """Seconds of processor time, by who took them."""
    floor: float = math.nan
    """Seconds that each of these Tasks takes where it is only created, and its status written once."""

    @property
    def tasks(self) -> int:
        return sum(self.pods)


@dataclass(frozen=True)
class Run(page.Run):
    """And with what."""

    slots: int


def report(found: Sample) -> list[str]:
    """The figures, a line each."""
    spent = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in _of_a_task(found).items())
    return [
        f"Worker, {found.replicas} replica(s), {found.tasks:,} tasks, submit to the last get(): {found.done:.1f} s, "
        f"{found.tasks / found.done:.0f} tasks/s",
        f"submitted in {found.submitted:.1f} s; {len(found.pods)} pods ran {', '.join(map(str, found.pods))} of them; "
        f"{found.odd} took another attempt or a pod of their own",
        f"processor time, ms a task: {spent}",
        f"created, and its status written once, with nobody who acts on them: {1 / found.floor:.0f} tasks/s",
    ]


def document(run: Run, found: Sequence[Sample]) -> str:
    """The page."""
    groups = [[each for each in found if each.replicas == replicas] for replicas in _unique(found)]
    return PAGE.format(
        **run.words,
        slots=run.slots,
        tasks=found[0].tasks,
        runs=len(groups[0]),
        rows=markdown([*map(_row, groups), _floor(found), *map(_share, groups)]),
        heading=" | ".join(_replicas(group) for group in groups),
        line="---:|" * len(groups),
        spent="\n".join(_spent(groups, run.machine.cores)),
    )


def _unique(found: Sequence[Sample]) -> list[int]:
    return list(dict.fromkeys(sample.replicas for sample in found))


def _row(group: Sequence[Sample]) -> Row:
    bound = TARGETS.get(group[0].replicas)
    rate = figure([sample.tasks / sample.done for sample in group])
    target = None if bound is None else Target(bound, at_most=False)
    return Row(f"Worker, operator with {_replicas(group)}", rate, "/s", 1, target)


def _floor(found: Sequence[Sample]) -> Row:
    rates = figure([1 / sample.floor for sample in found])
    return Row("Such Tasks only created, and their status written once", rates, "/s", 1)


def _share(group: Sequence[Sample]) -> Row:
    """Each run by what was measured right after it."""
    share = figure([sample.tasks / sample.done * sample.floor for sample in group])
    bound = TARGETS.get(group[0].replicas)
    target = None if bound is None else Target(round(bound / FLOOR, 2), at_most=False)
    return Row(f"Worker, {_replicas(group)} / that", share, target=target)


def _replicas(group: Sequence[Sample]) -> str:
    return "one replica" if group[0].replicas == 1 else f"{group[0].replicas} replicas"


def _of_a_task(sample: Sample) -> dict[str, float]:
    return {name: seconds / sample.tasks * 1000 for name, seconds in sample.spent.items()}


def _spent(groups: Sequence[Sequence[Sample]], cores: int) -> list[str]:
    each = [[_of_a_task(sample) for sample in group] for group in groups]
    lines = [_medians(name, [[one[name] for one in ones] for ones in each]) for name in each[0][0]]
    sums = " | ".join(f"**{median(sum(one.values()) for one in ones):.1f}**" for ones in each)
    shares = " | ".join(f"{median(sum(one.spent.values()) / one.done / cores for one in ones):.0%}" for ones in groups)
    return [*lines, f"| **all of these** | {sums} |", f"| their share of the cores | {shares} |"]


def _medians(name: str, values: Sequence[Sequence[float]]) -> str:
    return f"| {name} | {' | '.join(f'{median(ones):.1f}' for ones in values)} |"


PAGE = """\
# Benchmarks: workers

How many tasks a second a worker takes (`isolation: Worker`), one Task object each. This page is written by the command
that measures:

```console
$ {command}
```

{when}, on {machine}. Load average before: {load:.1f}.

| | {tasks:,} tasks, median | lowest – highest | target |
|---|---:|---:|---|
{rows}

Processor time of a task in ms, by who took it:

| | {heading} |
|---|{line}
{spent}

## How it is measured

- An operator and a NATS server of their own, installed with the chart for one namespace; other operators are stopped
  meanwhile. NATS syncs every write, and its files are on the node's disk.
- The function is `fnmatch.translate`, in one pod with {slots} slots that stays. All tasks are submitted at once, by
  `submit_many`; the time runs from before that until the last `get()` returns.
- Right after each run as many Tasks with the same specs are created in a namespace that no operator works on, and the
  statuses that they had are written, eight at once as the operator does it, with its connection: what two writes allow
  on this machine where they are all that is done. The worker is idle meanwhile; nothing of NATS, no process.
- Runs of each: {runs}, in turn. The table has the median of them, the lowest and the highest; a ratio is taken within
  each run and what was measured right after it. Processor times are medians.
- Processor time is what the kernel counts for the processes of the machine that go by these names. A process that has
  ended counts with its parent, so a worker's has those of all its tasks. The kernel's own threads, the kubelet, and
  whatever else runs on the machine are not in it.

## What is not claimed

- Nothing about other machines. The rate is bound by processor time here: all of the above run on the same cores. Where
  their share is far from 100%, other work of the machine took part of the rest.
- Not that Celery and this do the same: see docs/benchmarks-isolation.md.

## Where the time goes

A task is two writes to the API server: it is made, and its status is written once, at its end. In between are four
synced writes of NATS (message, claim, the attempt's record, the task's record), one more for each event of its
history, and a process that is forked, runs and ends. 120 tasks a second on two cores would be 16.7 ms of processor
time a task for everything; the table has what each part takes. That target was set where a create and a status patch
were thought to allow 375 a second, so it was a third of these, and with two replicas a sixth: here the two allow 167
where nothing else is done. They alone are most of the 16.7 ms: the API server decodes, validates and encodes each
object several times, and collects garbage for a sixth of its time. With two replicas both parse each event of a Task.

What the two writes cost was looked at with an API server by itself (kube-apiserver 1.34, one create and one write of
the status of such a Task at a time), by what they allocate, which hardly varies, unlike time:

| | KiB | objects |
|---|---:|---:|
| create | 290 | 3,800 |
| the same with the chart's admission policies | 350 | 4,700 |
| status, as it is | 1,101 | 12,600 |
| status, without the CEL rules of the CRD | 910 | 10,400 |
| status, without any schema of the status | 690 | 8,600 |
| status, as it was before it had one owner | 1,471 | 18,300 |

- So it is the status: decoded, coerced, pruned and validated value by value, more than once. A PUT in place of the JSON
  Patch takes 3% less; an answer of metadata alone, and one or two watches more, make no difference that could be seen.
  One CEL rule in place of the eight for fields that stay as they are would save a twelfth, and its message could not
  point at the field.
- All other calls together are less than 0.2 a task (Leases, and the status of the queue and of the TaskDefinition), and
  come with time rather than with tasks.
- A task that takes longer than a second from its pod's naming to its end has one write more. With 8 slots that is each
  task as soon as there are under 8 a second: in the rig below, on a machine that did much else, 1.6 to 2.0 writes of a
  status were counted for a task.
- NATS: 11 messages came in there for a task, of which five are stored and one more for each further write of its
  status; JetStream's API is asked once.
- A forked process that does nothing has 250 page faults; one that runs the function, and tells what came of it, 900:
  Python writes to whatever it looks at, and each costs 2 to 4 microseconds here.

What was taken out, with what it took in a rig of plain processes (etcd, API server, NATS, operator and worker, no
kubelet) beside other work of the same machine, 600 tasks, processor time of all in ms a task before and after:

- The status that names the pod, a second write to the API server: it is held for a second, by which a quick task has
  ended. What the watch tells of a write that is under way is not looked at before its answer, and news of a record that
  the operator writes itself are none: 7.3 looks at a Task became 5.1. The types of `**kwargs` were looked at in each
  forked process anew. All of these together: 81 before, 61 after (one pair of runs, in turn).
- "No worker has a free slot" was written for each task of a backlog that went on at under 50 a second, which was a
  third write: it is said later now.
- Who owns which field of a status, which the API server kept with each Task: 1.6 of its 4.5 KB. A status has one owner
  now. Create and status together took 10.1 ms of the API server before, 7.9 after (lower quartiles of 14 rounds of 50,
  the two CRDs in turn).
- Looks at a Task for what it had waited for before its end: 5.4 looks a Task became 4.4 (counted, one run of 300 each).
- A thread in each forked process that limits its end: the worker does. A process took 7.5 ms before, 6.8 after (medians
  of five rounds of 60, in turn).
- `multiprocessing`, which does as much in each child before it begins as the fork itself, and reading the variables
  twice: 1,070 page faults became 920, and 5.1 to 6.1 ms of the child 4.3 to 4.6 (means of 300 forks, two pairs of runs
  in turn, on a busy machine).

- Forking by the process with the connection: after each fork it shares all that it has anew, and had 790 page faults a
  task. A second process forks now, which has 226. Worker and all its processes took 8.0 ms a task before and 5.9 and
  6.4 after (two runs of 400 tasks each, in turn, with a NATS server alone, beside other work); the worker itself 4.0
  and 0.9, the process that forks 1.1.

The three steps before the last two together, in the same rig with 250 tasks, medians of five runs in turn, on a machine
so busy that a task had 1.6 to 2.0 writes of its status: 50.8 ms before, 46.7 after; of these the API server 17.4 and
14.1, the operator 10.6 and 10.0, forked processes 7.3 and 6.8. In two of the five pairs the run after took more: the
scatter is as large as the gain.

Before the first two of these steps this benchmark gave 16 tasks a second with one replica (400 tasks, load average
before 0.4).
"""
