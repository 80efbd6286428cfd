"""The audit: what processes really did, written by themselves where no operator can touch it, against what Tasks say.

Each container appends a line to a file on the node at its start and at its end. A recorder watches the Tasks
meanwhile, since a status that changed after its end would not show afterwards.
"""

import secrets
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.cluster import kubectl
from e2e.cluster.images.basic import BUSYBOX
from e2e.support.kube import JOBS, PODS, TASKS, VOLUMES, Kube
from e2e.support.manifests import definition
from e2e.support.namespaces import Namespace, fresh_namespace
from e2e.support.predicates import Predicate, attempts, condition, status

Obj = dict[str, Any]

DEFINITION = "audited"
_LINE = 'line() { echo "$CELERIAC_TASK $CELERIAC_ATTEMPT $HOSTNAME $1" >> /audit/log; }'
SCRIPT = f"""{_LINE}; line start
sleep "$(params.seconds)"
code=0; [ "$CELERIAC_ATTEMPT" -gt "$(params.failures)" ] || code=1
line end-$code; exit $code"""
"""Runs for params.seconds; its first params.failures attempts fail."""


@dataclass(frozen=True)
class Line:
    """One line of the audit file."""

    task: str
    attempt: int
    pod: str
    what: str


class Recorder:
    """Every state of every Task of a namespace, as a watch tells them; in a thread of its own."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace.name
        self._kube = Kube(namespace.kube.kubeconfig)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.uids: dict[str, set[str]] = {}
        """Each Task's uids, by name: more than one, and it was made again."""
        self.terminal: dict[str, Obj] = {}
        self.changes: list[str] = []
        """Terminal states that changed, which must never be."""

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def stop(self) -> None:
        """End, and close the connection."""
        self._stopped.set()
        self._thread.join(timeout=30)
        self._kube.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for task in self._kube.list(TASKS, self._namespace):
                    self._saw(task)
                for _, task in self._kube.watch(TASKS, self._namespace, "", seconds=5):
                    self._saw(task)
            except Exception:  # the API server is away: tests do that to it
                self._stopped.wait(0.3)

    def _saw(self, task: Obj) -> None:
        uid, now = task["metadata"]["uid"], status(task)
        self.uids.setdefault(task["metadata"]["name"], set()).add(uid)
        first = self.terminal.get(uid)
        if first is not None and now != first:
            self.changes.append(f"{task['metadata']['name']}: {first} became {now}")
        if first is None and condition(task, "Finished") == "True":
            self.terminal[uid] = now


class Audit:
    """The file, and the checks on it."""

    def __init__(self, namespace: Namespace, auditor: Namespace, path: str, recorder: Recorder) -> None:
        self._namespace, self._auditor, self._path, self._recorder = namespace, auditor, path, recorder

    def lines(self) -> list[Line]:
        """What the processes wrote."""
        words = ("exec", "auditor", f"--namespace={self._auditor.name}", "--", "cat", f"{self._path}/log")
        argv = [str(kubectl.find()), f"--kubeconfig={self._auditor.kube.kubeconfig}", *words]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        parts = (line.split() for line in text.splitlines())
        return [Line(task, int(attempt), pod, what) for task, attempt, pod, what in parts]

    def starts(self, task: str) -> int:
        """How many processes of a task have started."""
        return sum(line.task == task and line.what == "start" for line in self.lines())

    def made_again(self) -> list[str]:
        """Tasks that were made more than once under their name; none, where nobody deletes any."""
        return [f"{name}: made {len(uids)} times" for name, uids in self._recorder.uids.items() if len(uids) > 1]

    def problems(self, expected: dict[str, str]) -> list[str]:
        """What is wrong, once all is quiet; nothing, if all is well.

        Args:
            expected: the phase in which each accepted Task must have ended.
        """
        tasks = {each["metadata"]["name"]: each for each in self._namespace.kube.list(TASKS, self._namespace.name)}
        lines = self.lines()
        return [
            *(f"{name}: it is gone" for name in expected if name not in tasks),
            *(f"{name}: {found}" for name, found in _wrong_ends(tasks, expected)),
            *(f"{start}: started {times} times" for start, times in _started_twice(lines)),
            *_against_status(tasks, lines),
            *_jobs(tasks, self._namespace.kube.list(JOBS, self._namespace.name)),
            *(f"a terminal state has changed: {change}" for change in self._recorder.changes),
        ]


@contextmanager
def audit(namespace: Namespace) -> Iterator[Audit]:
    """A TaskDefinition `audited` in the namespace, whose processes write an audit file."""
    with fresh_namespace(namespace.kube, prefix="e2e-audit") as auditor:
        path = f"/var/tmp/celeriac-audit-{secrets.token_hex(4)}"
        node = _start_auditor(auditor, path)
        namespace.apply(_volume(namespace.name, path, node), _claim(namespace.name))
        mounted = {
            "volumes": [{"name": "audit", "persistentVolumeClaim": {"claimName": "audit"}}],
            "volumeMounts": [{"name": "audit", "mountPath": "/audit"}],
        }
        namespace.apply(definition(DEFINITION, SCRIPT, pod=mounted))
        recorder = Recorder(namespace)
        recorder.start()
        try:
            yield Audit(namespace, auditor, path, recorder)
        finally:
            recorder.stop()
            namespace.kube.delete(VOLUMES, None, _volume_name(namespace.name))
            _clean_up(auditor, path)


def _wrong_ends(tasks: dict[str, Obj], expected: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, phase in expected.items():
        found = status(tasks.get(name))
        if name in tasks and found.get("phase") != phase:
            yield name, f"{found.get('phase')} instead of {phase}: {found.get('message')}"


def _started_twice(lines: list[Line]) -> Iterator[tuple[str, int]]:
    starts = Counter(f"{line.task} attempt {line.attempt}" for line in lines if line.what == "start")
    yield from ((start, times) for start, times in starts.items() if times > 1)


def _against_status(tasks: dict[str, Obj], lines: list[Line]) -> Iterator[str]:
    """Each end that a process wrote is the end that its Task tells, and the other way round."""
    ends = {(line.task, line.attempt): (line.pod, line.what) for line in lines if line.what.startswith("end")}
    for name, task in tasks.items():
        if task["spec"].get("definitionName") != DEFINITION:
            continue
        for attempt in attempts(task):
            told = (attempt.get("podName"), f"end-{attempt.get('exitCode')}")
            written = ends.pop((name, attempt["number"]), None)
            if told != written:
                yield f"{name} attempt {attempt['number']}: its Task tells {told}, its process {written}"
        succeeded = sum(line.task == name and line.what == "end-0" for line in lines)
        if succeeded != (status(task).get("phase") == "Succeeded"):
            yield f"{name}: {succeeded} processes ended well, and its phase is {status(task).get('phase')}"
    yield from (f"{task} attempt {number}: it ran, and its Task does not know" for task, number in ends)


def _jobs(tasks: dict[str, Obj], jobs: list[Obj]) -> Iterator[str]:
    uids = {task["metadata"]["uid"]: name for name, task in tasks.items()}
    counts: Counter[str] = Counter()
    for job in jobs:
        owner = next((each["uid"] for each in job["metadata"].get("ownerReferences", ())), "")
        if owner not in uids:
            yield f"Job {job['metadata']['name']} has no Task"
        else:
            counts[uids[owner]] += 1
    for name, task in tasks.items():
        if counts[name] != status(task).get("attemptCount", 0):
            yield f"{name}: {counts[name]} Jobs and {status(task).get('attemptCount')} attempts"


def _start_auditor(auditor: Namespace, path: str) -> str:
    """A pod of the admin's that makes the file and can read it; the node that it is on."""
    script = f"mkdir -m 777 {path} && touch {path}/log && chmod 666 {path}/log && sleep 86400"
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
