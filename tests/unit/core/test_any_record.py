"""The same schedules with NATS: runners, zombies and cancel requests write records, and the operator its verdicts.

A recorded outcome never changes, and equals the status: ``get()`` and ``kubectl`` never disagree.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tests.support import invariants
from tests.support.clock import wire
from tests.support.cluster import NAMESPACE
from tests.support.objects import Raw
from tests.support.profiles import examples
from tests.unit.core.test_any_order import DEFINITION, TASK, AnyOrder, specs

from celeriac.api.v1alpha1 import Attempt
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.attempt_record import counts

RUNNER = ["python", "-m", "celeriac.run", "media:app", "resize"]
MINE, OTHERS = "sha256:mine", "sha256:others"
KEY = f"{NAMESPACE}.{TASK}"

left_behind = st.sampled_from(
    [
        None,
        None,
        None,
        None,
        {"kind": "Finished", "taskUid": "earlier", "submission": MINE, "outcome": "Succeeded", "result": {"value": 7}},
        {"kind": "Finished", "taskUid": "earlier", "submission": OTHERS, "outcome": "OOMKilled"},
        {"kind": "Dead", "submission": MINE, "outcome": "DefinitionGone"},
        {"kind": "Dead", "submission": OTHERS, "outcome": "NameReused"},
        {"kind": "CancelRequested", "outcome": "Cancelled", "message": "no longer needed"},
    ]
)
results = st.sampled_from([{"value": 7}, {"value": None}, {"value": "text"}, {"value": [1] * 3000}, None])


class AnyRecord(AnyOrder):
    """One Task's life with records."""

    promises = (
        *AnyOrder.promises,
        invariants.what_is_recorded_stays,
        invariants.the_status_says_what_the_record_says,
    )
    definition: ClassVar[Raw] = {**DEFINITION, "container": {"image": "media:1.4", "command": RUNNER}}

    @initialize(
        spec=specs,
        named=st.booleans(),
        first=st.booleans(),
        slow=st.booleans(),
        by_message=st.sampled_from([True, True, True, False]),
        runner=st.sampled_from([True, True, False]),
        record=left_behind,
        up=st.sampled_from([True, True, False]),
    )
    def submit(  # noqa: PLR0917  Hypothesis passes them by name
        self, spec: Raw, named: bool, first: bool, slow: bool, by_message: bool, runner: bool, record: Raw, up: bool
    ) -> None:
        self.cluster.bucket.enabled = True
        self.has_runner, self.by_message = runner or named, by_message
        self.left = record if by_message else None
        self.attempt_results: dict[str, Raw] = {}
        if self.left is not None:
            times = {"finishTime": wire(self.clock.now), "expireTime": wire(self.clock.now + timedelta(days=7))}
            self.write(KEY, {**self.left, **times})
        self.cluster.bucket.turn(up)
        annotations = {"celeriac.dev/submission": MINE} if by_message else {}
        container: Raw = {"image": "busybox:1.36", **({"command": RUNNER} if runner else {})}
        self.create_task(spec, container, annotations, named=named, first=first, slow=slow)
        self.uid = self.cluster.objects["tasks", TASK]["metadata"]["uid"]

    def write(self, key: str, record: Any) -> bool:
        """What anybody but the operator does: create."""
        return self.cluster.bucket.put(key, json.dumps(record).encode())

    # --- NATS and those who write to it ---

    @rule(up=st.booleans())
    def nats_comes_and_goes(self, up: bool) -> None:
        self.cluster.bucket.turn(up)

    @precondition(lambda self: self.clock.now.second % 3 == 1)
    @rule(full=st.booleans())
    def nats_is_full(self, full: bool) -> None:
        self.cluster.bucket.full = full

    @rule(news=st.none() | st.integers(1, 2))
    def records_are_heard(self, news: int | None) -> None:
        self.process.hear_records(news)

    def running(self) -> list[Raw]:
        return [pod for pod in self.pods() if pod["status"]["phase"] == "Running"]

    def record_by(self, pod: Raw, attempt: int, code: int, result: Raw | None) -> bool:
        ended: Raw = {"failure": "AppError", "message": "ValueError: no"} if code else {"result": result}
        record = {
            "author": "Runner",
            "taskUid": self.uid,
            "attempt": attempt,
            "podUID": pod["metadata"]["uid"],
            "exitCode": code,
            "finishTime": wire(self.clock.now),
            **ended,
        }
        return self.write(f"{NAMESPACE}.{self.uid}.{attempt}", {k: v for k, v in record.items() if v is not None})

    @precondition(lambda self: self.has_runner and self.running())
    @rule(
        pick=st.integers(0, 3),
        code=st.sampled_from([0, 0, 1, 100]),
        result=results,
        exits=st.booleans(),
        heard=st.booleans(),
    )
    def runner_ends(self, pick: int, code: int, result: Raw | None, exits: bool, heard: bool) -> None:
        """It records its outcome, whoever hears of it, and its process ends, or stays for a while."""
        pod = self.running()[pick % len(self.running())]
        number = int(pod["metadata"]["labels"]["celeriac.dev/attempt"])
        if self.cluster.bucket.up:
            self.record_by(pod, number, code, result)
        if heard:
            self.process.hear_records()
            self.process.work_off()
        if exits:
            output = "ValueError: no" if code else json.dumps(result["value"]) if result else ""
            self.cluster.kubelet(pod, "exits", code, output[:4096])

    @precondition(lambda self: self.has_runner and self.cluster.bucket.up and self.pods())
    @rule(pick=st.integers(0, 3), attempt=st.sampled_from([1, 1, 2, 3]), code=st.sampled_from([0, 0, 1]))
    def zombie_records(self, pick: int, attempt: int, code: int) -> None:
        """Any pod that ever was, for any attempt: also one that nobody waits for any more."""
        pod = {"metadata": {"uid": "never-seen"}} if pick == 0 else self.pods()[pick % len(self.pods())]
        self.record_by(pod, attempt, code, {"value": 13})

    @precondition(lambda self: self.cluster.bucket.up and self.clock.now.second % 4 == 1)
    @rule(key=st.sampled_from(["task", "attempt"]))
    def garbage_is_written(self, key: str) -> None:
        self.write(KEY if key == "task" else f"{NAMESPACE}.{self.uid}.2", {"kind": "Nonsense"})

    @precondition(lambda self: self.cluster.bucket.up and self.clock.now.second % 3 == 2)
    @rule(sure=st.sampled_from([False, True]))
    def client_cancels(self, sure: bool) -> None:
        if sure:
            times = {"finishTime": wire(self.clock.now), "expireTime": wire(self.clock.now + timedelta(days=7))}
            self.write(KEY, {"kind": "CancelRequested", "outcome": "Cancelled", "message": "enough", **times})

    # --- what holds ---

    @invariant()
    def a_closed_attempt_is_what_its_record_says(self) -> None:
        """Without a message the status alone counts, as it may have been written while NATS was away."""
        if not getattr(self, "by_message", False) or not self.has_runner:
            return
        for wire_attempt in self.status.get("attempts", ()):
            attempt = Attempt.model_validate(wire_attempt)
            raw = self.cluster.bucket.read(f"{NAMESPACE}.{self.uid}.{attempt.number}")
            if attempt.finish_time is None or raw is None or "author" not in raw:
                continue
            record = AttemptRecord.model_validate(raw)
            if not counts(record, self.uid, attempt):
                continue
            if record.author is Author.OPERATOR:
                assert record.failure == attempt.failure
            elif record.failure is None:
                assert attempt.failure in (None, "ResultInvalid"), f"a recorded success became {attempt.failure}"
            else:
                assert attempt.failure is not None, "a recorded failure became a success"

    @invariant()
    def another_pods_record_decides_nothing(self) -> None:
        """The results of zombies are all 13; a pod that an attempt is bound to is none."""
        attempts = self.status.get("attempts", ())
        if not attempts or self.status.get("result") != {"value": 13}:
            return
        raw = self.cluster.bucket.read(f"{NAMESPACE}.{self.uid}.{attempts[-1]['number']}") or {}
        assert raw.get("podUID") == attempts[-1].get("podUID"), "a zombie's result was taken"

    @invariant()
    def a_name_that_has_run_runs_no_more(self) -> None:
        left = getattr(self, "left", None)
        stood = left is not None and (left["kind"] == "Finished" or left.get("submission") == MINE)
        if stood:
            assert not self.cluster.created_jobs, "a task whose outcome was recorded was started again"


TestAnyRecord = AnyRecord.TestCase
TestAnyRecord.settings = examples(100)
