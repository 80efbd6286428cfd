"""The audit: what processes really did, written by themselves where no operator can touch it, against what Tasks say.

Each container appends a line to a file on the node at its start and at its end. These are the facts about processes; a
witness has those about objects, as a status that changed after its end would not show afterwards. The one invariant
checker judges them.
"""

import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from e2e.cluster import kubectl
from e2e.cluster.images.basic import BUSYBOX
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.isolation import DEADLINES, function
from e2e.support.kube import JOBS, PODS, TASKS, VOLUMES, Kube
from e2e.support.manifests import definition
from e2e.support.namespaces import Namespace, fresh_namespace
from e2e.support.predicates import Predicate, attempts, gone, status
from e2e.support.witness import Listener
from tests.support.invariants import Ended, Fact, JobTaken, Made, Started, unsettled, violations

Obj = dict[str, Any]

DEFINITION = "audited"
_SETTLE_SECONDS = 20.0
_LINE = 'line() { echo "$CELERIAC_TASK $CELERIAC_TASK_UID $CELERIAC_ATTEMPT $HOSTNAME $1" >> /audit/log; }'
_SCRIPT = """
{line}; line start
(while sleep 1; do line goes-on; done) >/dev/null 2>&1 &
sleep "{seconds}"; kill $!
code=0; [ "$CELERIAC_ATTEMPT" -gt "{failures}" ] || code=1
line end-$code; exit $code"""
_AHEAD = {
    "Warm": {"warm": {"minReady": 2, "maxReady": 3}},
    "Worker": {"worker": {"minPods": 1, "maxPods": 1, "slotsPerPod": 2}},
}
"""Isolation modes whose pods are started ahead, and how many."""


_MOUNTED = {
    "volumes": [{"name": "audit", "persistentVolumeClaim": {"claimName": "audit"}}],
    "volumeMounts": [{"name": "audit", "mountPath": "/audit"}],
}


def script(seconds: object, failures: object) -> str:
    """Runs for so long; its first attempts fail."""
    return _SCRIPT.format(line=_LINE, seconds=seconds, failures=failures)


def definition_for(mode: str) -> str:
    """The name of the TaskDefinition for that isolation mode."""
    return DEFINITION if mode == "Pod" else f"{DEFINITION}-{mode.lower()}"


def started_ahead(mode: str, image: str) -> Obj:
    """A TaskDefinition of that isolation mode: its function runs what its params say, and raises where that fails."""
    return function(definition_for(mode), "timeit:timeit", image, isolation=mode, pod=_MOUNTED, **_AHEAD[mode])


@dataclass(frozen=True)
class Line:
    """One line of the audit file."""

    task: str
    uid: str
    attempt: int
    pod: str
    what: str

    @property
    def process(self) -> tuple[str, int, str]:
        """Which one wrote it."""
        return self.uid, self.attempt, self.pod


class Audit:
    """The file, and the checks on it."""

    def __init__(self, namespace: Namespace, auditor: Namespace, path: str, witness: Listener) -> None:
        self._namespace, self._auditor, self._path, self._witness = namespace, auditor, path, witness

    def come_back(self) -> None:
        """The pod that reads the file has gone with its node, or is about to: start another."""
        kube, space = self._auditor.kube, self._auditor.name
        kube.delete(PODS, space, "auditor", grace_seconds=0)
        kube.wait(PODS, space, "auditor", gone())
        _start_auditor(self._auditor, self._path)

    def lines(self) -> list[Line]:
        """What the processes wrote."""
        words = ("exec", "auditor", f"--namespace={self._auditor.name}", "--", "cat", f"{self._path}/log")
        argv = [str(kubectl.find()), f"--kubeconfig={self._auditor.kube.kubeconfig}", *words]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        parts = (line.split() for line in text.splitlines())
        return [Line(task, uid, int(attempt), pod, what) for task, uid, attempt, pod, what in parts]

    def starts(self, task: str) -> int:
        """How many processes of a task have started."""
        return sum(line.task == task and line.what == "start" for line in self.lines())

    def made_again(self) -> list[str]:
        """Tasks that were made more than once under their name; none, where nobody deletes any."""
        made = Counter(fact.name for fact in self._witness.notes().facts if isinstance(fact, Made))
        return [f"{name}: made {times} times" for name, times in made.items() if times > 1]

    def problems(self, expected: dict[str, str]) -> list[str]:
        """What is wrong, once all is quiet; nothing, if all is well.

        Args:
            expected: the phase in which each accepted Task must have ended.
        """
        tasks = {each["metadata"]["name"]: each for each in self._namespace.kube.list(TASKS, self._namespace.name)}
        facts, lines = self._settled()
        lost = _lost(tasks, self._witness.notes().collected)
        facts += [JobTaken(*attempt) for attempt in lost]
        return [
            *(f"{name}: it is gone" for name in expected if name not in tasks),
            *(f"{name}: {found}" for name, found in _wrong_ends(tasks, expected)),
            *violations(facts),
            *unsettled(facts),
            *_against_status(tasks, lines, lost),
            *_jobs(tasks, self._namespace.kube.list(JOBS, self._namespace.name)),
        ]

    def _settled(self) -> tuple[list[Fact], list[Line]]:
        """Once the witness has heard of the ends that were waited for; as they are, where it does not."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while unsettled(self._facts(lines := self.lines())) and time.monotonic() < deadline:
            time.sleep(0.5)
        return self._facts(lines), lines

    def _facts(self, lines: list[Line]) -> list[Fact]:
        """Of objects by the witness, of processes by themselves. What became of messages is another book's: Mailbox."""
        notes = self._witness.notes()
        told = (fact for fact in notes.facts if not isinstance(fact, Started | Ended))
        objects = [replace(fact, digest=None) if isinstance(fact, Made) else fact for fact in told]
        return [*objects, *processes(lines, notes.gone)]


@contextmanager
def audit(namespace: Namespace, *ahead: str, image: str = SDK_IMAGE) -> Iterator[Audit]:
    """A TaskDefinition `audited` in the namespace, whose processes write an audit file.

    Args:
        ahead: isolation modes that have one, too; these need NATS.
        image: of their pods, with an SDK of any age.
    """
    with fresh_namespace(namespace.kube, prefix="e2e-audit") as auditor:
        path = f"/var/tmp/celeriac-audit-{secrets.token_hex(4)}"
        node = _start_auditor(auditor, path)
        namespace.apply(_volume(namespace.name, path, node), _claim(namespace.name))
        run = script("$(params.seconds)", "$(params.failures)")
        namespace.apply(definition(DEFINITION, run, pod=_MOUNTED, defaults={"deadlines": DEADLINES}))
        namespace.apply(*(started_ahead(mode, image) for mode in ahead))
        with Kube(namespace.kube.kubeconfig) as connection:
            witness = Listener(connection, namespace.name)
            witness.start()
            try:
                yield Audit(namespace, auditor, path, witness)
            finally:
                witness.stop()
            namespace.kube.delete(VOLUMES, None, _volume_name(namespace.name))
            _clean_up(auditor, path)


def _wrong_ends(tasks: dict[str, Obj], expected: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, phase in expected.items():
        found = status(tasks.get(name))
        if name in tasks and found.get("phase") != phase:
            yield name, f"{found.get('phase')} instead of {phase}: {found.get('message')}"


def processes(lines: Sequence[Line], gone: Collection[str]) -> Iterator[Fact]:
    """Starts and ends, in order. A process that was killed has written no end: it ended after its last line.

    Args:
        gone: names of pods that have ended.
    """
    last = {line.process: line for line in lines}
    for line in lines:
        if line.what == "start":
            yield Started(*line.process)
        if line.what.startswith("end"):
            yield Ended(*line.process, int(line.what.removeprefix("end-")))
        elif line is last[line.process] and line.pod in gone:
            yield Ended(*line.process, 137)


def _lost(tasks: dict[str, Obj], collected: Collection[str]) -> set[tuple[str, int]]:
    """Attempts whose end was lost with their node: they may have ended well, and run again.

    Args:
        collected: Jobs whose pod Kubernetes took for gone with its node. Who sees it before it goes says NodeLost; who
            looks later, as its own node was that one, can say no more than PodDeleted, and perhaps not of which pod.
    """
    found = ((task["metadata"]["uid"], each) for task in tasks.values() for each in attempts(task))
    return {(uid, each["number"]) for uid, each in found if _is_lost(each, collected)}


def _is_lost(attempt: Obj, collected: Collection[str]) -> bool:
    failure = attempt.get("failure")
    return failure == "NodeLost" or (failure == "PodDeleted" and attempt.get("jobName") in collected)


def _against_status(tasks: dict[str, Obj], lines: Sequence[Line], lost: Collection[tuple[str, int]]) -> Iterator[str]:
    """Each end that a process wrote is the end that its Task tells, and the other way round, unless it was lost."""
    ends = {line.process[:2]: line for line in lines if line.what.startswith("end") and line.process[:2] not in lost}
    for name, task in tasks.items():
        uid, well = task["metadata"]["uid"], status(task).get("phase") == "Succeeded"
        if not task["spec"].get("definitionName", "").startswith(DEFINITION):
            continue
        succeeded = sum(line.uid == uid and line.what == "end-0" for line in ends.values())
        if succeeded != well:
            yield f"{name}: {succeeded} processes ended well, and its phase is {status(task).get('phase')}"
        for attempt in attempts(task):
            written = ends.pop((uid, attempt["number"]), None)
            if (uid, attempt["number"]) not in lost:
                yield from _unlike(name, attempt, written)
    yield from (f"{line.task} attempt {line.attempt}: it ran, and its Task does not know" for line in ends.values())


def _unlike(name: str, attempt: Obj, written: Line | None) -> Iterator[str]:
    """How an attempt differs from what its process wrote; one that was killed wrote no end."""
    told = (attempt.get("podName"), f"end-{attempt.get('exitCode')}")
    says = f"{name} attempt {attempt['number']}: its Task tells {told} and {attempt.get('failure')}, its process"
    if written is None and attempt.get("exitCode") in (0, 1):
        yield f"{says} nothing"
    if written is not None and told != (written.pod, written.what):
        yield f"{says} {written}"


def _jobs(tasks: dict[str, Obj], jobs: list[Obj]) -> Iterator[str]:
    """Each attempt has a Job of its own, unless a pod had waited, and there are no others."""
    owners = {job["metadata"]["name"]: _owner(job) for job in jobs}
    known = {each["jobName"]: task for task in tasks.values() for each in attempts(task)}
    yield from (
        f"Job {name} is of no attempt" for name, (kind, _) in owners.items() if kind == "Task" and name not in known
    )
    for name, task in known.items():
        if "-w-" not in name and owners.get(name) != ("Task", task["metadata"]["uid"]):
            yield f"{task['metadata']['name']}: its Job {name} is owned by {owners.get(name)}"


def _owner(job: Obj) -> tuple[str, str]:
    owner: Obj = next(iter(job["metadata"].get("ownerReferences", ())), {})
    return owner.get("kind", ""), owner.get("uid", "")


def _start_auditor(auditor: Namespace, path: str) -> str:
    """A pod of the admin's that makes the file and can read it; the node that it is on."""
    script = f"mkdir -p -m 777 {path} && touch {path}/log && chmod 666 {path}/log && sleep 86400"
    container = {
        "name": "auditor",
        "image": BUSYBOX,
        "command": ["sh", "-c", script],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "host", "mountPath": "/var/tmp"}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "host", "hostPath": {"path": "/var/tmp"}}],
        "terminationGracePeriodSeconds": 0,
    }
    auditor.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "auditor"}, "spec": spec})
    runs = Predicate("running", lambda pod: status(pod).get("phase") == "Running")
    return str(auditor.kube.wait(PODS, auditor.name, "auditor", runs)["spec"]["nodeName"])


def _clean_up(auditor: Namespace, path: str) -> None:
    words = ("exec", "auditor", f"--namespace={auditor.name}", "--", "rm", "-rf", path)
    argv = [str(kubectl.find()), f"--kubeconfig={auditor.kube.kubeconfig}", *words]
    subprocess.run(argv, capture_output=True, check=False)


def _volume_name(namespace: str) -> str:
    return f"{namespace}-audit"


def _volume(namespace: str, path: str, node: str) -> Obj:
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": _volume_name(namespace)},
        "spec": {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": path},
            "claimRef": {"namespace": namespace, "name": "audit"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [there]}]}},
        },
    }


def _claim(namespace: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "audit"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": _volume_name(namespace),
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
