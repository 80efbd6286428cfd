"""Messages under faults: NATS and the operator are killed at every step between a publish and a finished Task.

The audit: every acknowledged message is exactly one Task or exactly one dead letter, and every attempt starts once.
NATS and the operator run as processes of this machine, so that they can be killed at a chosen moment; the API server,
the node and the pods are the cluster's.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.support.assassin import STEPS, Assassin, Kill
from e2e.support.kube import QUEUES, TASKS, Kube, Obj
from e2e.support.load import audited, load
from e2e.support.manifests import definition, queue, task_of
from e2e.support.namespaces import Namespace
from e2e.support.poison import POISON, REASONS, TOO_LARGE
from e2e.support.predicates import Predicate, finished, gone, phase, status
from e2e.support.stage import Stage, on_stage
from nats.js.errors import BadRequestError

from celeriac.wire import names

TASKS_PER_KILL = 3
ROUNDS = 2


@pytest.fixture
def stage(kube: Kube, unwatched: Namespace, tmp_path: Path) -> Iterator[Stage]:
    """The stage of a test of its own."""
    with on_stage(kube, unwatched, tmp_path) as ready:
        yield ready


# ---- killed at each step


@pytest.mark.parametrize("who", ["nats-server", "operator"])
def test_killed_at_each_step_every_message_is_one_task_that_starts_once(who: str, stage: Stage) -> None:
    assassin = Assassin(stage)
    tasks = load("m", len(STEPS) * ROUNDS * TASKS_PER_KILL)
    waiting = list(tasks)
    kills = [Kill(step, who) for _ in range(ROUNDS) for step in STEPS]
    for kill in kills:
        assassin.will(kill)
        stage.mailbox.submit(*(tasks[waiting.pop(0)][0] for _ in range(TASKS_PER_KILL)))
        stage.mailbox.wait_until(f"killed {kill.at}", lambda kill=kill: kill.done)  # type: ignore[misc]
    stage.wait_finished(*tasks)
    stage.mailbox.wait_empty()

    assert stage.mailbox.problems() == []
    assert stage.book.problems({name: phase for name, (_, phase) in tasks.items()}) == []
    assert stage.book.made_again() == []


# ---- duplicates


def test_five_times_the_same_over_a_restart_is_one_task_each(stage: Stage) -> None:
    """The server's own memory of ids does not survive a restart, nor the message once it is acknowledged."""
    tasks = [audited(f"d-{number}", 0, 0) for number in range(6)]
    for _ in range(5):
        stage.mailbox.submit(*tasks)
        stage.mailbox.wait_empty()
        stage.restart_nats()
    names_ = [each["metadata"]["name"] for each in tasks]
    stage.wait_finished(*names_)
    stage.mailbox.wait_empty()

    assert stage.mailbox.problems() == []
    assert stage.book.problems(dict.fromkeys(names_, "Succeeded")) == []
    assert stage.book.made_again() == []
    assert stage.mailbox.letters() == []


def test_the_same_again_after_its_task_is_gone_runs_nothing(stage: Stage) -> None:
    """The record is what outlives the Task."""
    sent = _with(audited("once", 0, 0), ttlSecondsAfterFinished=1)
    stage.mailbox.submit(sent)
    stage.namespace.kube.wait(TASKS, stage.namespace.name, "once", finished())
    stage.namespace.wait("once", gone())
    stage.restart_nats()
    stage.mailbox.submit(sent)
    stage.mailbox.wait_empty()
    again = stage.namespace.kube.get(TASKS, stage.namespace.name, "once")
    if again is not None:
        stage.namespace.wait("once", gone())

    assert stage.book.starts("once") == 1
    assert stage.mailbox.letters() == []


def test_another_task_of_the_same_name_is_reported_and_changes_nothing(stage: Stage) -> None:
    stage.mailbox.submit(audited("taken", 0, 0))
    stage.wait_finished("taken")
    stage.mailbox.submit(audited("taken", 1, 0))
    stage.mailbox.wait_until("buried", lambda: len(stage.mailbox.letters()) == 1)
    (letter,) = stage.mailbox.letters()

    assert (letter.name, letter.reason) == ("taken", "NameReused")
    assert stage.book.starts("taken") == 1


# ---- poison


def test_poison_is_buried_with_a_reason_and_hurts_nobody(stage: Stage) -> None:
    pid = stage.operator.pid
    stage.mailbox.submit(audited("before", 0, 0))
    for data in POISON.values():
        stage.mailbox.post(data)
    with pytest.raises(BadRequestError, match="message size exceeds maximum allowed"):
        stage.mailbox.post(TOO_LARGE)
    stage.mailbox.post(POISON["no spec"], {"Nats-Expected-Stream": names.stream_of(stage.namespace.name, "default")})
    stage.mailbox.submit(audited("after", 0, 0))

    assert stage.wait_finished("before", "after") == ["Succeeded"] * 2
    stage.mailbox.wait_empty()
    letters = stage.mailbox.letters()
    tasks = {each["metadata"]["name"] for each in stage.namespace.kube.list(TASKS, stage.namespace.name)}
    assert {"before", "after"} == tasks
    assert {data: 1 for data in POISON.values()} | {POISON["no spec"]: 2} == {
        letter.data: sum(other.data == letter.data for other in letters) for letter in letters
    }
    assert [letter for letter in letters if not letter.reason or not letter.message] == []
    assert {letter.name: letter.reason for letter in letters if letter.name in REASONS} == REASONS
    assert pid == stage.operator.pid, "the operator was restarted"
    assert stage.operator.metrics().total("celeriac_reconcile_errors_total", kind="bug") == 0


# ---- down, full, held


def test_while_nats_is_down_other_tasks_go_on_and_messages_wait(stage: Stage) -> None:
    stage.mailbox.submit(audited("through", 0, 0))
    stage.wait_finished("through")
    stage.namespace.apply(queue("default", stopPolicy="Hold"))
    _seen(stage.namespace, "default")
    stage.mailbox.submit(*(audited(f"w-{number}", 0, 0) for number in range(5)))
    stage.server.kill()
    stage.namespace.submit(_with(audited("from-kubectl", 0, 0), queueName="own"))

    assert stage.wait_finished("from-kubectl") == ["Succeeded"]
    stage.operator.wait_ready()
    stage.server.start()
    stage.namespace.apply(queue("default", stopPolicy="None"))
    assert stage.wait_finished(*(f"w-{number}" for number in range(5))) == ["Succeeded"] * 5
    stage.mailbox.wait_empty()
    assert [each for each in stage.mailbox.problems() if "from-kubectl" not in each] == []


def test_a_held_queue_keeps_its_backlog_in_nats(stage: Stage) -> None:
    """Only a window of it are objects, however many messages there are."""
    stage.namespace.apply(queue("default", stopPolicy="Hold", maxConcurrency=2))
    _seen(stage.namespace, "default")
    count = 400
    stage.mailbox.submit(*(audited(f"b-{number}", 0, 0) for number in range(count)))
    stage.restart_nats()
    stage.operator.kill_and_start()
    stage.operator.wait_ready()
    stage.mailbox.wait_until(
        "told by the queue's status", lambda: _backlog(stage.namespace, "default") == stage.mailbox.left() > 0
    )
    made = len(stage.namespace.kube.list(TASKS, stage.namespace.name))

    assert made <= 100
    assert count == made + stage.mailbox.left()


def test_a_priority_goes_first_among_what_waits(stage: Stage) -> None:
    stage.namespace.apply(queue("default", maxConcurrency=1))
    _seen(stage.namespace, "default")
    stage.mailbox.submit(audited("first", 15, 0))
    stage.namespace.wait("first", phase("Running"))  # it has the only slot, and the others wait as Tasks
    low = [_with(audited(f"low-{number}", 1, 0), priority=-1) for number in range(3)]
    stage.mailbox.submit(*low, _with(audited("high", 0, 0), priority=9))
    stage.mailbox.wait_empty()
    stage.wait_finished("first", "high", *(each["metadata"]["name"] for each in low))
    tasks = stage.namespace.kube.list(TASKS, stage.namespace.name)
    starts = {each["metadata"]["name"]: status(each)["startTime"] for each in tasks}
    del starts["first"]

    assert min(starts, key=lambda name: (starts[name], name != "high")) == "high"


def test_a_cancel_that_comes_before_intake_runs_nothing(stage: Stage) -> None:
    """The client writes the record, and intake finds it."""
    stage.namespace.apply(queue("default", stopPolicy="Hold", maxConcurrency=1))
    _seen(stage.namespace, "default")
    stage.mailbox.submit(audited("unwanted", 0, 0))
    stage.mailbox.cancel("unwanted", "the test says so")
    stage.namespace.apply(queue("default", stopPolicy="None", maxConcurrency=1))

    assert stage.wait_finished("unwanted") == ["Cancelled"]
    assert stage.book.starts("unwanted") == 0


def test_a_message_for_a_definition_that_comes_later_waits_for_it(stage: Stage) -> None:
    stage.mailbox.submit(task_of("later", "early"))
    stage.namespace.wait("early", phase("Pending"))
    stage.namespace.apply(definition("later"))

    assert stage.wait_finished("early") == ["Succeeded"]
    assert stage.mailbox.problems() == []


def _with(manifest: Obj, **spec: object) -> Obj:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


def _backlog(namespace: Namespace, name: str) -> int | None:
    found = status(namespace.kube.get(QUEUES, namespace.name, name)).get("backlog")
    return None if found is None else int(found)


def _seen(namespace: Namespace, name: str) -> None:
    """Wait until the operator has taken note of a TaskQueue as it is now."""
    current = Predicate(
        "seen by the operator",
        lambda obj: obj is not None and status(obj).get("observedGeneration") == obj["metadata"]["generation"],
    )
    namespace.kube.wait(QUEUES, namespace.name, name, current)
