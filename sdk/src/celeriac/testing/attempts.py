"""One attempt in memory: what the runner does in a pod, but for signals and NATS."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from celeriac.app.context import Context
from celeriac.app.signature import ResultMismatch
from celeriac.errors import InvalidParams
from celeriac.run.outcome import Failed, Stopped, Succeeded, invalid_params, invalid_result, of_exception
from celeriac.testing.clock import VirtualClock
from celeriac.testing.work import Work
from celeriac.wire.storable import unstorable


def run_attempt(work: Work, clock: VirtualClock) -> Succeeded | Failed:
    """Run the function with what came out of the JSON, and make JSON of what it returns."""
    try:
        return _attempt(work, clock)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as in the runner
        outcome = of_exception(error, retry=work.function.may_retry(error), stopped=False)
        return Failed("Cancelled", 143, outcome.message) if isinstance(outcome, Stopped) else outcome


def _attempt(work: Work, clock: VirtualClock) -> Succeeded | Failed:
    task = work.function
    try:
        args, kwargs = task.signature.arguments(work.params)
    except InvalidParams as error:
        return invalid_params(str(error))
    context = (_context(work, clock),) if task.signature.takes_context else ()
    returned = _call(task.is_async, task.function, (*context, *args), kwargs)
    try:
        value = task.signature.dump_result(returned)
    except ResultMismatch as error:
        return invalid_result(str(error))
    problem = unstorable(value)
    return Succeeded(value) if problem is None else invalid_result(f"result: {problem}")


def _context(work: Work, clock: VirtualClock) -> Context:
    seconds = work.policy.run_seconds
    return Context(
        task=work.name,
        namespace=work.manifest["metadata"]["namespace"],
        attempt=(work.manifest["status"].get("attemptCount") or 0) + 1,
        uid=work.manifest["metadata"]["uid"],
        deadline=None if seconds is None else clock.now() + timedelta(seconds=seconds),
        clock=clock.now,
        report=lambda fraction, text: work.progress.append((fraction, text)),
    )


def _call(is_async: bool, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return run_coroutine(function(*args, **kwargs)) if is_async else function(*args, **kwargs)


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end, in a thread of its own where this one has a running event loop, as in an asynchronous test."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    ended: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(asyncio.run(coroutine))
        except BaseException as error:  # it belongs to the caller
            errors.append(error)

    thread = threading.Thread(target=run, name="celeriac-testing")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return ended[0]
