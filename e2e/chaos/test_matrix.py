"""Rows of the fault matrix that need no node: whatever fails on the way, nothing is lost, and nothing starts twice.

`CELERIAC_CHAOS_SEED` repeats a run, as far as time lets it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.chaos import faults, nats_faults, process_faults, server_faults
from e2e.chaos.outcomes import Outcome
from e2e.chaos.rows import Row, run

ROWS = {
    "the operator is killed at random": Row(1, faults.Killed),
    "the operator is killed at random, pods wait": Row(1, faults.Killed, mode="Warm"),
    "the operator is killed at random, tasks in workers": Row(1, faults.Killed, mode="Worker"),
    "the operator is killed at its writes": Row(2, faults.KilledAtWrites),
    "the operator is killed at each step of a message": Row(2, nats_faults.OperatorKilledAtSteps, nats=True),
    "the leader sleeps until another leads": Row(3, process_faults.Zombie),
    "the operator runs out of memory": Row(4, process_faults.OutOfMemory),
    "kube-apiserver is killed": Row(5, server_faults.ApiServerKilled, plane=True),
    "the API server is away for 10 s": Row(5, faults.Away),
    "the API server is away for a minute": Row(5, faults.AwayLong),
    "kube-apiserver is killed as it stores a pod": Row(5, server_faults.KilledAtPods, plane=True),
    "429, 500 and 503": Row(6, faults.Errors),
    "connections are reset": Row(6, faults.Resets),
    "answers are lost after the commit": Row(7, faults.RepliesLost),
    "the API server's answers are lost, pods wait": Row(7, faults.RepliesLost, mode="Warm"),
    "the API server's answers are lost, tasks in workers": Row(7, faults.RepliesLost, mode="Worker"),
    "events are swallowed, and watches end with 410": Row(8, faults.Swallowed),
    "events are swallowed, pods wait": Row(8, faults.Swallowed, mode="Warm"),
    "events are swallowed, tasks in workers": Row(8, faults.Swallowed, mode="Worker"),
    "watches fall silent": Row(9, faults.Frozen),
    "a watch of kopf's ends with another error": Row(10, faults.Broken),
    "watches tell of errors, and of nothing that is an event": Row(10, faults.Garbled),
    "the watch of pods is late": Row(11, faults.Late),
    "etcd is killed": Row(12, server_faults.EtcdKilled, plane=True),
    "etcd's disk is slow": Row(12, server_faults.DiskSlow, plane=True),
    "etcd is full": Row(14, server_faults.EtcdFull, plane=True),
    "nats-server is killed at random": Row(15, nats_faults.NatsKilled, nats=True),
    "nats-server is killed at each step of a message": Row(15, nats_faults.KilledAtSteps, nats=True),
    "answers of NATS are lost after the commit": Row(15, nats_faults.AnswersLost, nats=True),
    "nats-server is killed at random, pods wait": Row(15, nats_faults.NatsKilled, mode="Warm"),
    "nats-server is killed at random, tasks in workers": Row(15, nats_faults.NatsKilled, mode="Worker"),
    "answers of NATS are lost, pods wait": Row(15, nats_faults.AnswersLost, mode="Warm"),
    "answers of NATS are lost, tasks in workers": Row(15, nats_faults.AnswersLost, mode="Worker"),
    "NATS loses power": Row(16, nats_faults.NatsPowerCut, nats=True, disk=True),
    "NATS is down for 20 s, publishers go on": Row(17, nats_faults.NatsDown, nats=True),
    "NATS stops answering": Row(17, nats_faults.NatsStopped, nats=True),
    "NATS closes the connection for good": Row(17, nats_faults.ClosedForGood, nats=True),
    "NATS stops answering, pods wait": Row(17, nats_faults.NatsStopped, mode="Warm"),
    "NATS stops answering, tasks in workers": Row(17, nats_faults.NatsStopped, mode="Worker"),
    "a queue of NATS is full": Row(18, nats_faults.NatsFull, nats=True),
    "messages come five times": Row(19, nats_faults.Duplicates, nats=True),
    "messages that are none": Row(20, nats_faults.PoisonMessages, nats=True),
    "objects of another shape are stored": Row(21, faults.Poison),
    "a node never comes back": Row(22, server_faults.NodeGone, plane=True),
    "the processes of tasks are killed": Row(23, process_faults.TasksKilled, nats=True),
    "the processes of tasks are killed, pods wait": Row(23, process_faults.TasksKilled, mode="Warm"),
    "pods and Jobs are deleted by somebody": Row(24, faults.Deletions),
    "pods and Jobs are deleted, pods wait": Row(24, faults.Deletions, mode="Warm"),
    "pods and Jobs are deleted, tasks in workers": Row(24, faults.Deletions, mode="Worker"),
    "everything ends at once": Row(25, server_faults.PowerCut, plane=True),
    "the power goes": Row(25, server_faults.PowerCut, plane=True, disk=True),
    "the operator is cut off from NATS": Row(27, nats_faults.NatsCut, nats=True),
    "the API server's answers do not come": Row(27, faults.Deaf),
    "NATS' answers do not come": Row(27, nats_faults.NatsDeaf, nats=True),
    "the operator is cut off from NATS, pods wait": Row(27, nats_faults.NatsCut, mode="Warm"),
    "the operator is cut off from NATS, tasks in workers": Row(27, nats_faults.NatsCut, mode="Worker"),
    "the operator's credentials are refused": Row(28, faults.Unauthorized),
    "NATS' disk is full": Row(29, nats_faults.DiskFull, nats=True, disk=True),
    "the disk of a node is full": Row(29, server_faults.NodeDiskFull, plane=True),
    "the API server is slow": Row(33, faults.Slow),
    "NATS is slow": Row(33, nats_faults.NatsSlow, nats=True),
}
SHORT = ("the operator is killed at its writes", "answers are lost after the commit", "nats-server is killed at random")
"""What `make test` runs too."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.short] if name in SHORT else [], id=name) for name in ROWS]
)
def test_nothing_is_lost_and_nothing_starts_twice(name: str, tmp_path: Path, tell: Callable[[Outcome], None]) -> None:
    run(name, ROWS[name], tmp_path, tell)
