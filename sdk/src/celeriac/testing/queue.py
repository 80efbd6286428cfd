"""The queue in memory."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from celeriac import errors
from celeriac._arguments import seconds as checked_seconds
from celeriac._names import RETRY_OF, retry_name, retry_number
from celeriac._request import TaskRequest, build_task
from celeriac._task import Task
from celeriac.api.v1alpha1 import Cancel, TaskSpec
from celeriac.app.application import App
from celeriac.app.submitting import Submitter, Waiting
from celeriac.testing.attempts import run_attempt
from celeriac.testing.clock import EPOCH, VirtualClock
from celeriac.testing.handle import TestHandle
from celeriac.testing.policy import policy_of
from celeriac.testing.work import Work
from celeriac.wire.names import REQUEST_DIGEST

R = TypeVar("R")

MOST_ATTEMPTS = 100_000
"""A run that goes on for longer goes on for ever: a task that submits itself, for instance."""


class TestQueue:
    """Takes what an App's tasks submit and runs it in this process, when the test says so.

    Params and results go through JSON, as they do on a cluster; failed attempts are tried again by the task's policy;
    delays, backoff and expiry go by a clock that jumps to the next thing to do. One attempt runs at a time and takes
    no virtual time, unless the function calls ``queue.advance``.
    """

    __test__ = False  # pytest takes it for tests otherwise

    def __init__(self, app: App, *, namespace: str = "test", now: datetime = EPOCH, most: int | None = None) -> None:
        """A queue for the App's tasks, from ``with`` on.

        namespace: where its tasks seem to be.
        now: when the clock starts, with a time zone.
        most: tasks that may wait at once in one queue; more are refused with QueueFull. None: any number.
        """
        self._app = app
        self._namespace = namespace
        self._clock = VirtualClock(now)
        self._most = most
        self._works: dict[str, Work] = {}
        self._before: Submitter | None = None
        self._running: set[str] = set()

    def __enter__(self) -> Self:
        self._before, self._app.submitter = self._app.submitter, self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._before is not None, "the queue was not entered"  # noqa: S101 -- a fault of the test
        self._app.submitter = self._before

    @property
    def now(self) -> datetime:
        """The time of the virtual clock."""
        return self._clock.now()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks that were submitted, in order, as they are now."""
        return tuple(work.task for work in self._works.values())

    def advance(self, seconds: float) -> None:
        """Let virtual time pass without running anything: in a function, as long as it would take."""
        self._clock.advance(seconds)

    def run(self, seconds: float | None = None) -> int:
        """Run what is due, and jump from one thing to the next, until nothing is left. Returns the number of attempts.

        seconds: only what is due within this time, which has passed then. None: everything, however late.
        Raises RuntimeError: the tasks never come to an end.
        """
        end = None if seconds is None else self.now + timedelta(seconds=seconds)
        count = 0
        while self._step(end):
            count += 1
            if count > MOST_ATTEMPTS:
                raise RuntimeError(f"{MOST_ATTEMPTS} attempts, and there are still more: does a task submit itself?")
        if end is not None:
            self._clock.move_to(end)
        return count

    def run_until_finished(self, work: Work, timeout: float | None) -> None:
        """Run the queue until this task has ended, or so many virtual seconds have passed; ``get`` does."""
        given = checked_seconds("timeout", timeout)
        end = None if given is None else self.now + timedelta(seconds=given)
        while not work.finished and self._step(end):
            pass
        if not work.finished and end is not None:
            self._clock.move_to(end)
        if not work.finished and end is None:
            raise errors.TimeoutError(
                f"Task {work.name} cannot finish: nothing is due, so it is suspended, or its own function waits for it."
            )

    def submit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TestHandle[R]:
        """Take a request, as a cluster would; the App's tasks call it. To wait for room is to run the queue."""
        manifest = build_task(request, self._namespace, self.now)
        existing = self._works.get(manifest["metadata"]["name"])
        if existing is not None:
            return TestHandle(self, self._same(existing, manifest), parse)
        self._make_room(manifest["spec"].get("queueName", "default"), waiting)
        return TestHandle(self, self._add(manifest), parse)

    async def asubmit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TestHandle[R]:
        """The same, for ``adelay``."""
        return self.submit(request, parse, waiting)

    def close(self) -> None:
        """There is nothing to close."""

    def cancel(self, work: Work, reason: str) -> None:
        """End a task that has not finished; one that runs now ends when its function does."""
        if not work.finished:
            try:
                work.manifest["spec"]["cancel"] = Cancel(reason=reason).to_wire()
            except ValidationError as error:
                raise errors.InvalidTask(f"spec.cancel.reason: {error.errors()[0]['msg']}") from None
            if work.name not in self._running:
                work.finish("Cancelled", f"Cancelled: {reason}" if reason else "Cancelled", self.now)

    def resubmit(self, work: Work, parse: Callable[[Any], R]) -> TestHandle[R]:
        """A finished task once more, as a new task. Raises TaskNotFinished."""
        if not work.finished:
            raise errors.TaskNotFinished(f"Task {work.name} has not finished: run the queue, or cancel it first.")
        manifest = copy.deepcopy(work.manifest)
        spec = {key: value for key, value in manifest["spec"].items() if key not in {"cancel", "startTime"}}
        notes = manifest["metadata"]["annotations"]
        retry_of = notes.get(RETRY_OF)
        numbers = itertools.count(retry_number(work.name, retry_of) + 1)
        names = (retry_name(work.name, retry_of, number) for number in numbers)
        name = next(each for each in names if each not in self._works)
        metadata = {**manifest["metadata"], "name": name, "annotations": {**notes, RETRY_OF: work.name}}
        return TestHandle(self, self._add({"metadata": metadata, "spec": spec}), parse)

    def _step(self, end: datetime | None) -> bool:
        """Run the one attempt that is next; False where none is, or none until then."""
        waiting = [work for work in self._works.values() if not work.finished and work.name not in self._running]
        ready = [work for work in waiting if not work.manifest["spec"].get("suspend")]
        if not ready:
            return False
        due = min(work.due for work in ready)
        moment = max(due, self.now)
        if end is not None and moment > end:
            return False
        self._clock.move_to(moment)
        work = min((each for each in ready if each.due <= self.now), key=lambda each: (-each.priority, each.rank))
        self._attempt(work)
        return True

    def _attempt(self, work: Work) -> None:
        if work.expires is not None and self.now >= work.expires:
            work.finish(
                "Expired",
                f"Expired: no container started within queueSeconds ({work.policy.queue_seconds} s)",
                self.now,
            )
            return
        start = self.now
        self._running.add(work.name)
        try:
            outcome = run_attempt(work, self._clock)
        finally:
            self._running.remove(work.name)
        work.record(outcome, start, self.now)
        if "cancel" in work.manifest["spec"] and not work.finished:
            work.finish("Cancelled", f"Cancelled: {work.manifest['spec']['cancel']['reason']}", self.now)

    def _add(self, manifest: dict[str, Any]) -> Work:
        task = self._task_of(manifest["spec"]["definitionName"])
        policy = policy_of(TaskSpec.model_validate(manifest["spec"]), task)
        work = Work(task, manifest, policy, self.now, len(self._works) + 1)
        self._works[work.name] = work
        return work

    def _task_of(self, definition: str) -> Any:
        for task in self._app.tasks.values():
            if task.definition == definition:
                return task
        raise errors.UnknownDefinition(f"{self._app} has no task of the TaskDefinition {definition}.")

    @staticmethod
    def _same(existing: Work, manifest: dict[str, Any]) -> Work:
        digests = [each["metadata"]["annotations"][REQUEST_DIGEST] for each in (existing.manifest, manifest)]
        if digests[0] != digests[1]:
            raise errors.AlreadyExists(
                f"Task {existing.name} exists already, with other content. Use another name or key."
            )
        return existing

    def _make_room(self, queue: str, waiting: Waiting) -> None:
        end = None if waiting.timeout is None else self.now + timedelta(seconds=waiting.timeout)
        while self._full(queue):
            if not waiting.block or not self._step(end):
                raise errors.QueueFull(
                    f"Queue {queue} is full: {self._most} tasks wait. Run the queue, or submit later."
                )

    def _full(self, queue: str) -> bool:
        waiting = (work for work in self._works.values() if not work.finished)
        count = sum(work.manifest["spec"].get("queueName", "default") == queue for work in waiting)
        return self._most is not None and count >= self._most
