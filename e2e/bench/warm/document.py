"""docs/benchmarks-isolation.md. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.bench import page
from e2e.bench.document import markdown
from e2e.bench.figures import Row
from e2e.bench.warm.celery_peer import version
from e2e.bench.warm.measure import CALLS, EVERY, SETTLE_SECONDS, Plan


@dataclass(frozen=True)
class Run(page.Run):
    """And how much was measured."""

    plan: Plan
    misses: int
    peer: str
    """Why there is no peer; empty: there is one."""


def document(run: Run, rows: Sequence[Row]) -> str:
    """The page."""
    return PAGE.format(
        **run.words,
        rounds=run.plan.rounds,
        turns=run.plan.turns,
        bursts=run.plan.bursts,
        pods=run.plan.pods,
        misses=run.misses,
        calls=CALLS,
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

PROFILE = """\
## Where the time goes

A trace with timestamps in client, operator and pod (2026-11-26, before the steps below): etcd, API server,
nats-server and operator as plain processes of the same machine, the pods too, with no kubelet and no second operator.
So it is less than the table says. Ten calls, each step's median and highest in ms; steps overlap, so that the sum is
more than the whole.

| step | median | highest |
|---|---:|---:|
| client: message stored (synced), and fetched by the operator | 2.5 | 3.2 |
| API server: the Task is created | 4.7 | 7.9 |
| operator: Task parsed and taken up | 0.7 | 1.1 |
| NATS: is there a record of that name? | 0.8 | 2.3 |
| operator: decides | 0.7 | 1.2 |
| API server: the status that names the pod | 5.4 | 7.0 |
| operator: answer parsed, assignment sent | 0.3 | 0.6 |
| the pod hears of it | 1.3 | 1.7 |
| NATS: the claim (synced) | 0.9 | 1.8 |
| pod: from the claim to the function's first line | 1.4 | 2.5 |
| pod: from its last line to the record | 0.6 | 2.5 |
| NATS: the attempt's record (synced), until the operator takes it up | 1.5 | 3.3 |
| operator: decides | 0.7 | 1.3 |
| NATS: the task's record (synced), until `get()` returns | 3.5 | 6.4 |
| **all, submit to `get()`** | **26.9** | **34.2** |

Four tenths are the two writes to the API server; most of the rest is four synced writes of NATS, then Python. On a
busy machine, how the status is sent (JSON Patch, merge patch or PUT; all of the answer or its metadata only) made no
difference that the scatter would show, and neither did strict validation of the Task.

What was taken out, and why; none of the steps was measured alone. Before the first three Warm took 39 ms on a quiet
machine (Celery 4.3 ms), and 46.9 ms with them in a slow hour (Celery 6.4 ms). The table at the top is with all steps
unless its run is older than 2026-11-26 11:00.

- The status of the TaskQueue was written while the task ran, and again at its end: two patches of 5 ms each beside the
  task's own. It waits a fifth of a second now, and a task that is over by then is none.
- The types of a plain function were looked at once ahead, and once more after the claim: 1 ms of the 1.4.
- The assignment lay in the client's buffer while the operator went on with the Task: 0.4 ms of the 1.3.

The steps since then:

- The status that names the pod is held for a second, by which a quick task has ended: of two API writes that were
  waited for one is left. The other was 5.4 ms of the 26.9. `core/warm/holding.py` says why no attempt starts twice by
  it.
- What a watch tells of a write of ours is not looked at before its answer, and news of a record that we write are
  none: a Task was looked at three times for these.
- The types of `**kwargs`, which a function without them has, too, were looked at after the claim.

In one pair of runs in that rig, in turn, 13 calls each, while other work of the machine was stopped as far as that
was possible (load average 12 falling to 4): p50 48.9 ms before and 35.8 after, highest 73.6 and 52.4; bursts of 4 at
18, 25 and 13 a second before, 36, 39 and 16 after. So a quarter less, on a machine that was slower than in the trace
above. A trace of 12 calls after, beside other work (load average 9), each step's median in ms: message stored and
fetched 3.5, the Task created 9.2, taken up 0.9, is there a record 0.9, until the pod is told 1.1, it hears 0.6, claim
2.5, to the function's first line 1.0, to the record 0.1, until the operator hears of it 2.2, decides 1.1, the task's
record 7.9, until `get()` returns 2.6; all 36.0, the quickest 28.6. What is left is one write to the API server, four
synced ones of NATS, and the Python between them.

- Whether there is a record of the name is asked while the Task is made. In that rig, in turn with the state before,
  while other work was stopped: from the message to the word to the pod 11.1 ms before and 9.5 after, in all 21.5 and
  20.6 (medians of 20 calls each that nothing had gone before). A second call at once took 26.7 and 25.5: the first
  one's status is written meanwhile.

Of four runs of this benchmark on 2026-11-26 with all of this, p50 was 19.8 ms (19.2 - 20.2) without Celery's workers
on the machine, 21.0 and 21.2 beside them, though they are idle, and 22.3 beside them and other work. Since then both
are measured in one run. Two of them on 2026-11-27: 22.3 ms without and 23.6 beside, and 22.8 and 25.5.

- A decision goes through the pods that can take a task, not through all whose logs are kept: it took 4.7 microseconds
  for each Task that is kept, in the first look and in that of the pool. In the rig, in turn with the state before, 60
  calls each: 23.3 ms before and 21.9 after, bursts 49 and 53 a second.

- Bursts gave 55.2 a second at 05:26 on 2026-11-27, and 36.8 and 42.7 at 08:34 and 08:41, when a raw Job took a tenth
  longer. It was not the program: eight bursts with the state of the morning gave 49.5 then, and eight with the later
  one 48.1.

- Each user of NATS is in an account of its own since 11:00 on 2026-11-27, for the sake of security: one publish after
  another took 0.45 ms before and 0.7 - 0.9 after, and a call has three or four. p50 was 24.2 ms at 08:41 and 26.1 at
  11:41, Celery's call 5.3 and 5.4.

So the machine's hours differ by more than any step that is left. Parts of a call that nothing had gone before, 15 calls
(2026-11-27), medians in ms: the client until it has sent 0.8, the Task created 5.6 (a mere read of a Lease took 3.4 in
one look), from that until the pod is told 1.7, until the operator has the attempt's record 4.0 (of two that were looked
at the pod had 2.2 and 3.7 of these), decides 0.7, from the task's record to `get()` 2.2, of which the server takes 0.9
to store it.
"""

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
- Each of the {rounds} rounds takes {turns} turns, and then {bursts} burst(s) of each. A turn is {calls} calls in pods
  that waited, in turn, one more beside Celery's workers, then one call of each of these; every {every}rd turn also a
  raw Job, and a call in a pod of its own. {settle:g} s pass after each that takes or starts a pod, so that it is
  replaced. {pods} pods wait.
- Whenever something else is measured, but for that one call, Celery's processes and Redis are stopped (SIGSTOP): they
  are there to be compared with, and are not where nobody compares.
- A call's time runs from just before it until its result is there; a raw Job's from just before the create call until a
  watch shows `Complete`. A burst is sent one after the other by one client; its rate is its size by the time until
  the last result.
- Celery: {celery}
- The targets in milliseconds and tasks a second come from another machine, on which a call of Celery prefork took
  4.3 ms and a raw Job 2.5 s. By Celery's call 20 ms are a ratio of 4.65, and by a raw Job 0.008; 50 tasks a second are
  0.215 tasks in the time of Celery's call.
- A ratio is taken within each round. The table has the median, the lowest and the highest of the rounds; p99 is of all
  calls.

## What is not claimed

- Nothing about other machines or networks: only the ratios travel, and those only so far.
- Not that Celery and this do the same: a Task is an object with a policy, states and a record that are synced to disk,
  in a pod of its own with limits; Celery's call is a message to a process.
- Nothing about more tasks than pods wait: the others start cold.

{profile}"""
