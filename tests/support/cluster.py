"""A Kubernetes small enough for Hypothesis: API server, Job controller, kubelet, users, and time that tests move.

It holds raw objects, as the real one does, so that the operator's own parse, cache, observe, decide and apply can run
against it. Everything the operator hears comes late: a test says when a watch delivers. What happens is noted as facts
for ``invariants.py``.
"""

from __future__ import annotations

import json
import marshal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from tests.support.bucket import FakeBucket
from tests.support.clock import Clock, wire
from tests.support.crash import Fault
from tests.support.invariants import (
    Deleted,
    Ended,
    Fact,
    JobMade,
    JobTaken,
    Made,
    Started,
)
from tests.support.objects import Raw

from celeriac.wire.names import SUBMISSION
from celeriac_operator.core import names

NAMESPACE = "media"
PLURALS = {
    "crons": "crontasks",
    "queues": "taskqueues",
    "definitions": "taskdefinitions",
    "jobs": "jobs",
    "pods": "pods",
    "tasks": "tasks",
}
"""The kinds of the operator's cache, in the order in which it lists them."""
OWNERS = ("tasks", "taskdefinitions")
"""What Jobs belong to, and go with."""
NEWS_OF_A_LOST_NODE = {
    "that it is taken for gone": (1, "NodeLost"),
    "that it is deleted": (2, "NodeLost"),
    "all of it at once": (3, "PodDeleted"),
}
"""How much the watch of pods has told of a pod that is gone by `Cluster.lose`, and what its end is then."""


def clone(raw: Raw) -> Raw:
    """A copy of JSON that shares nothing with it, in a tenth of the time that ``copy.deepcopy`` takes."""
    return cast(Raw, marshal.loads(marshal.dumps(raw)))


class Cluster:
    """The API server's store, and those who change it besides the operator."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.objects: dict[tuple[str, str], Raw] = {}
        self.log: dict[str, list[tuple[str, Raw]]] = {kind: [] for kind in PLURALS}
        self.writes: Counter[str] = Counter()
        self.created_jobs: Counter[str] = Counter()
        self.quota_on_pods = self.quota_on_jobs = self.policy_on_pods = False
        self.too_large_for_quota: set[str] = set()
        """Tasks whose Jobs are more than a whole quota."""
        self.validates = True
        """Whether statuses are compared with the CRD's schema, which takes as long as all else of a write together."""
        self.assignments: list[tuple[str, Raw]] = []
        """What pods were told, by their uids, and have not heard yet."""
        self.history: list[tuple[str, str, str]] = []
        """Name, phase and reason of each status that the history was told of."""
        self.faults: list[Fault | None] = []
        self.facts: list[Fact] = []
        """What has happened, for the invariant checker."""
        self.given_up: Callable[[], bool] = lambda: False
        """Whether nobody waits any more for what is done just now."""
        self.late: Callable[[], bool] = lambda: False
        """Whether what is done just now was asked for by an operator that is gone."""
        self.bucket = FakeBucket(self)
        self.ended: dict[str, Raw] = {}
        """Status with which each Task uid finished."""
        self._attempts: dict[str, list[tuple[str, int]]] = {}
        """Uids of the Tasks and numbers of the attempts, by the uid of the Job or pod; a worker has several."""
        self.version, self._serial = 100, 0

    # --- the store ---

    def get(self, plural: str, name: str) -> Raw | None:
        return self.objects.get((plural, name))

    def all(self, plural: str) -> list[Raw]:
        return [raw for (kind, _), raw in sorted(self.objects.items()) if kind == plural]

    def put(self, plural: str, raw: Raw, event: str = "MODIFIED") -> Raw:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.objects[plural, raw["metadata"]["name"]] = raw
        self._tell(plural, event, raw)
        return raw

    def add(self, plural: str, raw: Raw) -> Raw:
        """A new object: named, dated and numbered by the API server."""
        self._serial += 1
        meta = {"namespace": NAMESPACE, "generation": 1, **raw["metadata"], "uid": f"uid-{self._serial:04}"}
        meta["creationTimestamp"] = wire(self.clock.now)
        if plural == "tasks":
            self.facts.append(Made(meta["uid"], meta["name"], (meta.get("annotations") or {}).get(SUBMISSION)))
        return self.put(plural, {**raw, "metadata": meta}, "ADDED")

    def remove(self, plural: str, name: str) -> None:
        raw = self.objects.pop((plural, name), None)
        if raw is None:
            return
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self._tell(plural, "DELETED", raw)
        if plural == "jobs":
            self.facts.extend(JobTaken(*attempt) for attempt in self._attempts.get(raw["metadata"]["uid"], ()))
        if plural == "tasks":
            self.facts.append(Deleted(raw["metadata"]["uid"]))
        if plural in OWNERS:
            for job in self.owned("jobs", raw["metadata"]["uid"]):
                self.remove("jobs", job["metadata"]["name"])

    def _tell(self, plural: str, event: str, raw: Raw) -> None:
        for kind, known in PLURALS.items():
            if known == plural:
                self.log[kind].append((event, clone(raw)))

    def owned(self, plural: str, uid: str) -> list[Raw]:
        return [
            raw
            for raw in self.all(plural)
            if any(owner["uid"] == uid for owner in raw["metadata"].get("ownerReferences", ()))
        ]

    # --- users ---

    def edit(self, plural: str, name: str, **fields: Any) -> None:
        """Change the spec of an object, as ``kubectl apply`` does."""
        raw = self.get(plural, name)
        if raw is None:
            return
        spec = {key: value for key, value in {**raw["spec"], **fields}.items() if value is not None}
        if spec != raw["spec"]:
            meta = {**raw["metadata"], "generation": raw["metadata"]["generation"] + 1}
            self.put(plural, {**raw, "spec": spec, "metadata": meta})

    def delete_pod(self, name: str, grace_seconds: int | None = None) -> None:
        """SIGTERM and the grace period where a process runs; otherwise it goes with the next step of the kubelet."""
        raw = self.get("pods", name)
        if raw is None or "deletionTimestamp" in raw["metadata"]:
            return
        asked = raw["spec"].get("terminationGracePeriodSeconds", 30) if grace_seconds is None else grace_seconds
        grace = asked if not over(raw) else 0
        when = wire(self.clock.now + timedelta(seconds=grace))
        meta = {**raw["metadata"], "deletionTimestamp": when, "deletionGracePeriodSeconds": grace}
        self.put("pods", {**raw, "metadata": meta})

    def lose(self, pod: Raw) -> None:
        """Its node is not there any more: it is taken for gone, then deleted, and its Job has done with it."""
        name = pod["metadata"]["name"]
        self.kubelet(pod, "lost")
        self.delete_pod(name)
        self.run_controllers()
        assert self.get("pods", name) is None

    def delete_job(self, name: str) -> None:
        """In the background: the Job goes at once, its pods when the garbage collector comes by."""
        self.remove("jobs", name)

    def suspend_job(self, name: str, suspend: bool) -> None:
        """As Kueue does; the pods of a Job that is suspended go, and it begins anew."""
        job = self.get("jobs", name)
        if job is None or job["spec"].get("suspend", False) == suspend or _conditions(job):
            return
        status = {} if suspend else job["status"]
        self.put("jobs", {**job, "spec": {**job["spec"], "suspend": suspend}, "status": status})
        for pod in self.owned("pods", job["metadata"]["uid"]) if suspend else ():
            self.delete_pod(pod["metadata"]["name"])

    def delete_in_foreground(self, name: str) -> None:
        """The Job stays until the garbage collector has removed its pods."""
        job = self.get("jobs", name)
        if job is not None:
            self.put("jobs", {**job, "metadata": {**job["metadata"], "deletionTimestamp": wire(self.clock.now)}})

    # --- the Job controller and the garbage collector ---

    def run_controllers(self, *, second_pod: bool = False) -> None:
        """One step of each."""
        owners = {raw["metadata"]["uid"] for plural in OWNERS for raw in self.all(plural)}
        for job in self.all("jobs"):
            if not owners & {owner["uid"] for owner in job["metadata"].get("ownerReferences", ())}:
                self.remove("jobs", job["metadata"]["name"])  # made for what was just gone
        for job in self.all("jobs"):
            if "deletionTimestamp" not in job["metadata"]:
                self._control(job, second_pod)
            elif not self.owned("pods", job["metadata"]["uid"]):
                self.remove("jobs", job["metadata"]["name"])
        kept = (job for job in self.all("jobs") if "deletionTimestamp" not in job["metadata"])
        uids = {job["metadata"]["uid"] for job in kept}
        for pod in self.all("pods"):
            owner = pod["metadata"]["ownerReferences"][0]["uid"]
            if owner not in uids:
                self.delete_pod(pod["metadata"]["name"])
            job = next((job for job in self.all("jobs") if job["metadata"]["uid"] == owner), None)
            counted = job is None or _conditions(job)
            if counted and "deletionTimestamp" in pod["metadata"] and (over(pod) or not pod["spec"].get("nodeName")):
                self.remove("pods", pod["metadata"]["name"])

    def _control(self, job: Raw, second_pod: bool) -> None:
        if _conditions(job) or job["spec"].get("suspend"):
            return
        if "startTime" not in job["status"]:
            job = self.put("jobs", {**job, "status": {**job["status"], "startTime": wire(self.clock.now)}})
        pods = self.owned("pods", job["metadata"]["uid"])
        phases = [pod["status"]["phase"] for pod in pods]
        gone = job["status"].get("pods", 0) > len(pods)
        if "Succeeded" in phases:
            self._condition(job, "Complete", "")
        elif "Failed" in phases or (gone and not second_pod and not pods):
            self._condition(job, "Failed", "Job has reached the specified backoff limit")
        elif not pods or (second_pod and len(pods) < 2):
            self._create_pod(job)

    def _create_pod(self, job: Raw) -> None:
        name = job["metadata"]["name"]
        if self.quota_on_pods or self.policy_on_pods:
            why = "exceeded quota: pods" if self.quota_on_pods else 'violates PodSecurity "restricted:latest"'
            self._event(job, f'Error creating: pods "{name}-" is forbidden: {why}')
            return
        template = job["spec"]["template"]
        made = job["status"].get("pods", 0) + 1
        began = job["status"].get("startTime") or wire(self.clock.now)
        self.put("jobs", {**job, "status": {**job["status"], "pods": made, "startTime": began}})
        owner = {"kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": True}
        meta = {
            "name": f"{name}-{self._serial + 1}",
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner],
        }
        spec = {**template["spec"]}
        pod = self.add("pods", {"metadata": meta, "spec": spec, "status": {"phase": "Pending"}})
        for attempt in self._attempts.get(job["metadata"]["uid"], ()):
            self._attempts[pod["metadata"]["uid"]] = [attempt]
            if made > 1:
                self.facts.append(JobTaken(*attempt))

    def job_is_made(self, job: Raw) -> None:
        """Take note of an attempt that begins; a pod that waits begins with one when it claims it."""
        if names.WARM_LABEL in job["metadata"]["labels"]:
            return
        (owner,) = (each["uid"] for each in job["metadata"]["ownerReferences"])
        attempt = (owner, names.attempt_of(job["metadata"]["name"]))
        self._attempts[job["metadata"]["uid"]] = [attempt]
        accepted = json.loads(job["metadata"]["annotations"][names.ACCEPTED_ANNOTATION])
        queue = accepted["effective"].get("queueName", "")
        self.facts.append(JobMade(*attempt, queue, late=self.late()))

    def pod_claims(self, uid: str, task_uid: str, attempt: int) -> None:
        """Take note of an attempt that begins in a pod that waited."""
        self._attempts.setdefault(uid, []).append((task_uid, attempt))
        self.facts.append(Started(task_uid, attempt, uid))

    def process_ends(self, uid: str, task_uid: str, attempt: int, code: int) -> None:
        """One of a worker's processes has ended, and its pod goes on."""
        self._attempts[uid].remove((task_uid, attempt))
        self.facts.append(Ended(task_uid, attempt, uid, code))

    def _event(self, job: Raw, message: str) -> None:
        name = f"{job['metadata']['name']}.failed"
        involved = {"uid": job["metadata"]["uid"]}
        self.objects["events", name] = {
            "metadata": {"name": name, "namespace": NAMESPACE, "resourceVersion": "1"},
            "involvedObject": involved,
            "reason": "FailedCreate",
            "message": message,
            "lastTimestamp": wire(self.clock.now),
        }

    def _condition(self, job: Raw, type_: str, message: str) -> None:
        condition = {"type": type_, "status": "True", "message": message}
        self.put("jobs", {**job, "status": {**job["status"], "conditions": [condition]}})

    # --- the kubelet ---

    def kubelet(self, pod: Raw, what: str, code: int = 0, message: str = "") -> None:
        """Something happens to a pod on its node: waits, starts, exits, is evicted or lost."""
        name, now = pod["metadata"]["name"], wire(self.clock.now)
        known = self.get("pods", name)
        if known is None or over(known):
            return
        pod = clone(known)
        status = pod["status"]
        started = state_of(pod).get("running", {}).get("startedAt")
        pod["spec"]["nodeName"] = "node-a"
        match what:
            case "waits":
                _set_state(status, {"waiting": {"reason": message or "ContainerCreating", "message": "because"}})
            case "starts" if started is None and "deletionTimestamp" not in pod["metadata"]:
                status["phase"] = "Running"
                _set_state(status, {"running": {"startedAt": now}})
                self._note(Started, pod)
            case "exits" if started is not None:
                self._exit(pod, code, started, message)
            case "evicted":
                status |= {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}
                status["conditions"] = [
                    {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "low"}
                ]
                if started is not None:
                    self._exit(pod, 137, started, "", phase="Failed")
            case "lost":
                status |= {"phase": "Failed", "message": "PodGC: node no longer exists"}
                status["conditions"] = [
                    {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": "no node"}
                ]
                self._note(Ended, pod, 137)
            case "stops" if "deletionTimestamp" in pod["metadata"]:
                if started is None:
                    status["phase"] = "Failed"
                else:
                    self._exit(pod, code, started, message)
            case _:
                return
        self.put("pods", pod)

    def _exit(self, pod: Raw, code: int, started: str, message: str, phase: str = "") -> None:
        status = pod["status"]
        self._note(Ended, pod, code)
        status["phase"] = phase or ("Failed" if code else "Succeeded")
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
        _set_state(status, {"terminated": {**ended, "startedAt": started, "finishedAt": wire(self.clock.now)}})

    def _note(self, fact: type[Started] | type[Ended], pod: Raw, *more: Any) -> None:
        """A pod that waits has no attempt yet."""
        uid = pod["metadata"]["uid"]
        self.facts.extend(fact(*attempt, uid, *more) for attempt in self._attempts.get(uid, ()))


def _conditions(job: Raw) -> list[Raw]:
    return job["status"].get("conditions", [])


def state_of(pod: Raw) -> Raw:
    """The state of its container."""
    return next(iter(pod["status"].get("containerStatuses", ())), {}).get("state", {})


def _set_state(status: Raw, state: Raw) -> None:
    status["containerStatuses"] = [{"name": names.CONTAINER_NAME, "state": state}]


def over(pod: Raw) -> bool:
    """Whether its process has ended, or never will begin."""
    return pod["status"]["phase"] in ("Succeeded", "Failed")
