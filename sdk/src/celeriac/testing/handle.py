# ruff: noqa: ASYNC109 -- it has the methods of the handle that it stands for
"""The handle of a task in memory: waiting for it lets the queue run."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from celeriac import _outcome, errors
from celeriac._client import TaskHandle
from celeriac._explain import Explanation
from celeriac._task import Task
from celeriac._typed import Parse, result_invalid
from celeriac.testing.work import Work

if TYPE_CHECKING:
    from celeriac.testing.queue import TestQueue

R = TypeVar("R")


class TestHandle(TaskHandle[R]):
    """A task of a TestQueue. ``get`` and ``wait`` run the queue until the task has ended or the timeout has passed."""

    __test__ = False  # pytest takes it for tests otherwise

    def __init__(self, queue: TestQueue, work: Work, parse: Parse[R]) -> None:
        self._queue = queue
        self._work = work
        self._typed = parse
        self.name = work.name
        self.namespace = work.manifest["metadata"]["namespace"]
        self.uid = work.manifest["metadata"]["uid"]

    def __await__(self) -> Generator[Any, None, R]:
        return self.aget().__await__()

    def get(self, timeout: float | None = None) -> R:
        value = _outcome.value_of(self.wait(timeout))
        try:
            return self._typed(value)
        except ValueError as error:
            raise result_invalid(str(error), self.status()) from None

    async def aget(self, timeout: float | None = None) -> R:
        return self.get(timeout)

    def status(self) -> Task:
        return self._work.task

    def wait(self, timeout: float | None = None) -> Task:
        self._queue.run_until_finished(self._work, timeout)
        if not self._work.finished:
            raise errors.TimeoutError(
                f"Task {self.namespace}/{self.name} did not finish within {timeout} seconds of the queue's clock; "
                f"it is {self.status().phase}."
            )
        return self.status()

    def cancel(self, reason: str = "") -> Task:
        self._queue.cancel(self._work, reason)
        return self.status()

    def retry(self) -> TaskHandle[R]:
        return self._queue.resubmit(self._work, self._typed)

    def logs(self, follow: bool = False, attempt: int | None = None, tail: int | None = None) -> Iterator[str]:
        raise errors.LogsUnavailable(
            "A TestQueue keeps no logs: what the function prints goes to the test's own output."
        )

    def why(self) -> Explanation:
        raise NotImplementedError("A TestQueue explains nothing: status() has the task's message.")

    @property
    def progress(self) -> tuple[tuple[float, str], ...]:
        """What the function said of its progress, in order."""
        return tuple(self._work.progress)
