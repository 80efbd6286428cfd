"""A function that is a task: calling it runs it here, ``delay`` and its kin submit it."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack

from celeriac import errors
from celeriac.app.context import Context
from celeriac.app.options import CallOptions, TaskSettings, checked_call
from celeriac.app.routes import queue_of
from celeriac.app.signature import Signature
from celeriac.app.submitting import Waiting

if TYPE_CHECKING:
    from celeriac._client import TaskHandle
    from celeriac._request import TaskRequest
    from celeriac.app.application import App

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class TaskFunction(Generic[P, C, R]):
    """A function that is a task; ``@app.task`` makes it.

    P are its parameters without the Context, R is what the task returns, C what calling it here gives: R, or of an
    async function a coroutine of it.
    """

    def __init__(
        self, app: App, function: Callable[..., C], settings: TaskSettings, name: str, definition: str
    ) -> None:
        functools.update_wrapper(self, function)
        self.app = app
        self.function = function
        self.settings = settings
        self.name = name
        """Name of the task, which routes go by."""
        self.definition = definition
        """Name of its TaskDefinition."""
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = Signature(name, function)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> C:
        """Run the function here and now, as any function: nothing is submitted or validated."""
        context = (Context(),) if self.signature.takes_context else ()
        return self.function(*context, *args, **kwargs)

    def may_retry(self, error: BaseException) -> bool:
        """Whether its policy lets it run again after this exception, as long as attempts are left."""
        retry = self.settings.get("retry")
        return retry is None or retry.allows(error)

    def delay(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Submit the task. Raises InvalidParams before anything is sent, and what ``Client.submit`` raises."""
        return TaskCall[P, R](self).delay(*args, **kwargs)

    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """The same as ``delay``, for a program that runs on asyncio."""
        return await TaskCall[P, R](self).adelay(*args, **kwargs)

    def options(self, **options: Unpack[CallOptions]) -> TaskCall[P, R]:
        """The task with options of this call, such as ``options(countdown=60, key="a").delay(1)``."""
        return TaskCall(self, options)

    def request(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskRequest:
        """The request that ``delay`` would submit, for ``Client.submit_many``. Raises InvalidParams."""
        return TaskCall[P, R](self).request(*args, **kwargs)

    def apply_async(  # noqa: PLR0913 -- the arguments are Celery's
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | timedelta | None = None,
        eta: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
        task_id: str | None = None,
        time_limit: int | None = None,
    ) -> TaskHandle[R]:
        """Submit the task as Celery's apply_async does. ``options`` is the typed way.

        countdown: seconds, or a timedelta. eta, expires: times with a time zone. expires: also so long from now; the
        task expires if it has not started by then. task_id: name of the Task, a DNS label. time_limit: seconds that
        one attempt may run.
        """
        options = CallOptions(
            countdown=countdown,
            start_time=eta,
            queue_seconds=_queue_seconds(expires, countdown, eta),
            queue=queue,
            priority=priority,
            name=task_id,
            run_seconds=time_limit,
        )
        if isinstance(args, str | bytes) or not isinstance(args, Iterable | None):
            kind = type(args).__name__
            raise errors.InvalidParams(f"{self.name}: args is of type {kind}: give a tuple or a list, such as (1,).")
        if not isinstance(kwargs, Mapping | None):
            raise errors.InvalidParams(f"{self.name}: kwargs is of type {type(kwargs).__name__}: give a dict.")
        return TaskCall[Any, R](self, options).delay(*(args or ()), **(kwargs or {}))


class TaskCall(Generic[P, R]):
    """A task and the options of a call."""

    def __init__(self, task: TaskFunction[P, Any, R], options: CallOptions | None = None) -> None:
        self._task = task
        self._options = checked_call(options or {})

    def __repr__(self) -> str:
        return f"<call of task {self._task.name}>"

    def options(self, **options: Unpack[CallOptions]) -> TaskCall[P, R]:
        """More options; they go before those that are there."""
        return TaskCall(self._task, {**self._options, **options})

    def delay(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Submit the task. Raises InvalidParams before anything is sent, and what ``Client.submit`` raises."""
        return self._task.app.submitter.submit(self.request(*args, **kwargs), self._parse, self._waiting)

    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """The same as ``delay``, for a program that runs on asyncio."""
        return await self._task.app.submitter.asubmit(self.request(*args, **kwargs), self._parse, self._waiting)

    def request(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskRequest:
        """The request that ``delay`` would submit. Raises InvalidParams, InvalidTask."""
        from celeriac._request import TaskRequest, check_retry  # noqa: PLC0415 -- the runner needs none
        from celeriac.app.retry import of_call  # noqa: PLC0415 -- as above

        task, options = self._task, self._options
        params = task.signature.bind(args, kwargs)
        retry = options.get("retry")
        check_retry(retry)
        chosen = CallOptions(
            retry=of_call(retry),
            queue=options.get("queue") or task.settings.get("queue") or queue_of(task.app.routes, task.name, params),
            namespace=options.get("namespace") or task.app.namespace,
        )
        request: dict[str, Any] = {**options, **chosen, "definition": task.definition, "params": params}
        return TaskRequest(**{name: value for name, value in request.items() if name not in ("block", "timeout")})

    @property
    def _waiting(self) -> Waiting:
        return Waiting(self._options.get("block", False), self._options.get("timeout"))

    @property
    def _parse(self) -> Callable[[Any], R]:
        return self._task.signature.load_result


def _queue_seconds(
    expires: float | timedelta | datetime | None, countdown: float | timedelta | None, eta: datetime | None
) -> int | None:
    """Celery's expires as queueSeconds, which count from the start time where there is one."""
    from celeriac._request import as_timedelta, check_time  # noqa: PLC0415 -- the runner needs none

    if eta is not None:
        check_time("eta", eta)
    if expires is None:
        return None
    now = datetime.now(UTC)
    start = eta or now + as_timedelta("countdown", countdown or 0)
    end = check_time("expires", expires) if isinstance(expires, date) else now + as_timedelta("expires", expires)
    seconds = math.ceil((end - max(start, now)).total_seconds())
    if seconds < 1:
        raise errors.InvalidTask("The task would expire before it may start: give a later expires.")
    return seconds
