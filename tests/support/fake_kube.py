"""The operator's connection to the simulated cluster; the invariants of every write are checked where it arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.support.cluster import NAMESPACE, Cluster, clone, over, state_of
from tests.support.crash import with_fault
from tests.support.crd import problems
from tests.support.invariants import Wrote, finished, of_write
from tests.support.objects import Raw

from celeriac.wire.names import attempt_key, claim_key
from celeriac_operator.core import names
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, Resource

KINDS = {"tasks": "Task", "taskdefinitions": "TaskDefinition", "taskqueues": "TaskQueue", "crontasks": "CronTask"}


class FakeKube:
    """The operator's connection to the cluster: as ``KubeApi``, with the faults that the cluster was told."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.gets: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()

    async def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        self.gets[resource.plural] += 1
        return clone(self.cluster.get(resource.plural, name))

    async def list(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Raw]:
        async for page in self.pages(resource, namespace, labels=labels, fields=fields):
            for raw in page["items"]:
                yield raw

    async def pages(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Raw]:
        self.lists[resource.plural] += 1
        meta, found = {"resourceVersion": str(self.cluster.version)}, list(self._selected(resource, labels, fields))
        yield {"metadata": meta, "items": found}

    def _selected(self, resource: Resource, labels: str, fields: str) -> Iterator[Raw]:
        wanted = dict(part.split("=", 1) for part in fields.split(",") if part)
        selected = dict(part.split("=", 1) for part in labels.split(",") if part)
        for raw in self.cluster.all(resource.plural):
            if "involvedObject.uid" in wanted and raw["involvedObject"]["uid"] != wanted["involvedObject.uid"]:
                continue
            if all(raw["metadata"].get("labels", {}).get(key) == value for key, value in selected.items()):
                yield clone(raw)

    async def create(self, resource: Resource, namespace: str, manifest: Raw, *, strict: bool = False) -> Raw:
        if resource is api.EVENTS:
            return {}
        name, plural = manifest["metadata"]["name"], resource.plural

        def do() -> Raw:
            if self.cluster.get(plural, name) is not None:
                raise ApiError(409, "AlreadyExists", f'{plural} "{name}" already exists')
            if strict and (refused := problems(manifest["spec"], KINDS[plural], "spec")):
                raise ApiError(422, "Invalid", f"{KINDS[plural]} is invalid: {'; '.join(refused)}")
            if plural == "jobs" and self.cluster.quota_on_jobs:
                raise ApiError(403, "Forbidden", "exceeded quota: count/jobs.batch")
            if (
                plural == "jobs"
                and manifest["metadata"]["labels"].get(names.TASK_LABEL) in self.cluster.too_large_for_quota
            ):
                raise ApiError(403, "Forbidden", "exceeded quota: q, requested: cpu=4, used: cpu=0, limited: cpu=2")
            raw = self.cluster.add(plural, {**clone(manifest), "status": {}})
            if plural == "jobs":
                self.cluster.created_jobs[name] += 1
                self.cluster.job_is_made(raw)
            return raw

        return self._write(f"create {plural}", do)

    async def write_status(self, resource: Resource, namespace: str, name: str, version: str, status: Raw) -> Raw:
        def do() -> Raw:
            raw = self.cluster.get(resource.plural, name)
            if raw is None:
                raise ApiError(404, "NotFound", name)
            refused = problems(status, KINDS[resource.plural]) if self.cluster.validates else []
            assert not refused, f"the API server would refuse this status: {refused}"
            if raw["metadata"]["resourceVersion"] != version:
                raise ApiError(409, "Conflict", "the object has been modified")
            if resource is api.TASKS:
                self._check(raw, status)
            return self.cluster.put(resource.plural, {**raw, "status": clone(status)})

        return self._write(f"status {resource.plural}", do)

    async def merge(self, resource: Resource, namespace: str, name: str, uid: str, patch: Raw) -> Raw:
        def do() -> Raw:
            raw = self.cluster.get(resource.plural, name)
            if raw is None or raw["metadata"]["uid"] != uid:
                raise ApiError(404 if raw is None else 409, "NotFound", name)
            self.cluster.edit(resource.plural, name, **patch["spec"])
            return self.cluster.objects[resource.plural, name]

        return self._write(f"merge {resource.plural}", do)

    def _taken_back(self, uid: str, old: Raw) -> bool:
        """Whether the last attempt is one that its pod will never run: it has not begun."""
        last = (old.get("attempts") or [{}])[-1]
        claim = self.cluster.bucket.read(claim_key(NAMESPACE, uid, last.get("number", 0)))
        return claim is not None and claim["author"] == "Operator" and claim["podUID"] == last.get("podUID")

    def _check(self, raw: Raw, status: Raw) -> None:
        """The invariants of every status write."""
        uid = raw["metadata"]["uid"]
        old = raw.get("status") or {}
        wrong = of_write(old, status, taken_back=self._taken_back(uid, old))
        assert not wrong, wrong
        self.cluster.facts.append(Wrote(uid, clone(status), given_up=self.cluster.given_up()))
        if finished(status):
            self.cluster.ended[uid] = clone(status)
        if status["attempts"]:
            self._check_the_end(uid, status, status["attempts"][-1])

    def _check_the_end(self, uid: str, status: Raw, attempt: Raw) -> None:
        """Nothing is given up that the API server still knows, however late the watches are."""
        if "finishTime" not in attempt:
            return
        pod = next((pod for pod in self.cluster.all("pods") if pod["metadata"]["uid"] == attempt.get("podUID")), None)
        if pod is None:
            job = self.cluster.get("jobs", attempt["jobName"])
            pods = self.cluster.owned("pods", job["metadata"]["uid"]) if job is not None else []
            pod = pods[0] if pods and "podUID" not in attempt else None
        if pod is None:
            return
        output = state_of(pod).get("terminated", {}).get("message")
        decided = attempt_key(NAMESPACE, uid, attempt["number"]) in self.cluster.bucket.entries
        if status["phase"] == "Succeeded" and output and not decided:
            assert "result" in status, "a result was lost"
        if attempt.get("failure") in ("PodDeleted", "JobLost"):
            assert over(pod) or "deletionTimestamp" in pod["metadata"], "an attempt was given up that runs on"

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        def do() -> Raw:
            raw = self.cluster.get(resource.plural, name)
            if raw is not None and raw["metadata"]["uid"] == uid:
                if resource is api.PODS:
                    self.cluster.delete_pod(name, grace_seconds)
                elif propagation == "Foreground":
                    self.cluster.delete_in_foreground(name)
                else:
                    self.cluster.remove(resource.plural, name)
            return {}

        self._write(f"delete {resource.plural}", do)

    def _write(self, what: str, do: Any) -> Raw:
        return clone(with_fault(self.cluster, what, do, ApiError(500, "InternalError", "etcd is busy")))
