"""The runner: find the function, read its params, run it, record what came of it."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from celeriac.app.exit_code import ExitCode
from celeriac.app.interruptions import CancelRequested
from celeriac.run import container_log
from celeriac.run.environment import Environment, read_environment
from celeriac.run.interrupts import LINGER_SECONDS, Interrupts
from celeriac.run.outcome import (
    Failed,
    Outcome,
    Stopped,
    Succeeded,
    invalid_params,
    invalid_result,
    of_exception,
    own_traceback,
)

if TYPE_CHECKING:
    from celeriac.app.context import Context
    from celeriac.app.function import TaskFunction
    from celeriac.run.bus import Bus
    from celeriac.run.parent import Parent
    from celeriac.run.port import Port

USAGE = "usage: python -m celeriac.run MODULE:APP TASK, or CELERIAC_FUNCTION=MODULE:FUNCTION python -m celeriac.run"
WAITS = "CELERIAC_STANDBY"
"""Variable that the operator sets in pods that wait for a task to be assigned."""
PARAMS_SECONDS = 30.0
"""How long large params may take, which are nowhere else."""
REASON_SECONDS = 1.0
"""How long an answer may take to why SIGTERM came; the function waits meanwhile."""
SOFT_MARGIN_SECONDS = 5.0
"""SoftDeadlineExceeded comes so long before the deadline, or a tenth of the time that is left, if that is less."""


def main(arguments: Sequence[str], env: Mapping[str, str]) -> None:
    """Run the attempt, and leave with its exit code."""
    location = _location(arguments, env)
    if location is None:
        print(USAGE, file=sys.stderr)  # noqa: T201 -- there is nothing else to say it with
        sys.exit(ExitCode.USAGE)
    waits = bool(env.get(WAITS))
    if waits and env.get("CELERIAC_SLOTS"):
        _work(location, env)
    bus = _bus(env) if waits or env.get("CELERIAC_TASK_UID") else None
    environment = _assigned(location, env, bus) if waits else read_environment(env)
    interrupts = Interrupts(lambda: _why_stopped(environment, bus))
    interrupts.install()
    _run_to_its_end(location, environment, bus, interrupts)


def _run_to_its_end(
    location: tuple[str, str | None], environment: Environment, bus: Port | None, interrupts: Interrupts
) -> None:
    outcome = _outcome(location, environment, bus, interrupts)
    container_log.flush()
    code = _reported(outcome, environment, bus)
    if bus is None or not bus.ends_us:
        _leave_in_time(code)
    _leave(code, interrupts.close)


def _location(arguments: Sequence[str], env: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Where the function is: an App and a task's name, or a function by itself."""
    if len(arguments) == 2:
        return arguments[0], arguments[1]
    function = env.get("CELERIAC_FUNCTION")
    return (function, None) if function and not arguments else None


def _bus(env: Mapping[str, str]) -> Bus | None:
    """NATS, where there is one; connecting has begun."""
    if not env.get("CELERIAC_NATS_URL"):
        return None
    from celeriac._nats_options import NatsOptions  # noqa: PLC0415 -- not needed without NATS
    from celeriac.run.bus import Bus  # noqa: PLC0415 -- as above

    options = NatsOptions.from_env(env)
    return Bus(options) if options.enabled else None


def _work(location: tuple[str, str | None], env: Mapping[str, str]) -> NoReturn:
    """Take many tasks, and leave."""
    from celeriac._nats_options import NatsOptions  # noqa: PLC0415 -- as above
    from celeriac.app import context  # noqa: F401, PLC0415 -- before the processes are forked that need it
    from celeriac.run import forked, forker, progress, standby, worker  # noqa: F401, PLC0415 -- of workers only

    def run(environment: Environment, parent: Parent) -> None:
        interrupts = Interrupts(parent.why)
        interrupts.install()
        forked.listen()
        _run_to_its_end(location, environment, parent, interrupts)

    standby.leave_on_sigterm()
    options, pod = NatsOptions.from_env(env), env.get("CELERIAC_POD_UID")
    _import(location)
    container_log.write_bytes(b"\n")  # the module may have printed half a line, and a task's lines begin with its tag
    if not options.enabled or not pod:
        _refuse_to_wait()
    size = worker.size_of(env)
    gc.collect()
    gc.freeze()  # what was imported is no garbage, and a look at it would copy it in each process
    worker.work(worker.Worker(env.get("CELERIAC_NAMESPACE") or "", pod, size, forker.start(run)), options)


def _import(location: tuple[str, str | None]) -> None:
    """Have everything there that a task will need."""
    task = _find(*location)
    with suppress(Exception):  # what is wrong with its types is told to the task
        task.signature.prepare()
    container_log.flush()


def _refuse_to_wait() -> NoReturn:
    why = "the operator sets the second; the first comes from the namespace's Secret for the runner (docs/nats.md)"
    print(f"{WAITS} needs CELERIAC_NATS_URL and CELERIAC_POD_UID: {why}", file=sys.stderr)  # noqa: T201 -- as above
    sys.exit(ExitCode.USAGE)


def _assigned(location: tuple[str, str | None], env: Mapping[str, str], bus: Bus | None) -> Environment:
    """Wait for a task, with everything imported that it will need, and become its attempt."""
    from celeriac.run import standby  # noqa: PLC0415 -- of pods that wait only
    from celeriac.run.reporting import report  # noqa: PLC0415 -- as above

    standby.leave_on_sigterm()
    _import(location)
    pod = env.get("CELERIAC_POD_UID")
    if bus is None or not pod:
        _refuse_to_wait()

    def too_late(environment: Environment) -> None:
        report(standby.TOO_LATE, environment, bus)
        os._exit(ExitCode.STOPPED)

    return standby.prepare(bus.stand_by(env.get("CELERIAC_NAMESPACE") or "", pod), too_late)


def _outcome(
    location: tuple[str, str | None], environment: Environment, bus: Port | None, interrupts: Interrupts
) -> Outcome:
    """What came of the function, from finding it to checking what it returned."""
    from celeriac.app.loading import NotThere  # noqa: PLC0415 -- after the connection has begun

    try:
        task = _find(*location)
        params = _params(environment, bus)
    except NotThere as error:
        return Failed("AppError", ExitCode.RAISED_FINALLY, str(error))
    except BaseException as error:  # importing runs the user's code, which may raise anything
        _print(error)
        return of_exception(error, retry=True, stopped=interrupts.stopped, limited=environment.limited)
    return _run(task, params, environment, bus, interrupts)


@cache
def _find(location: str, name: str | None) -> TaskFunction[..., Any, Any]:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 -- as `python -m` has it; a Path would not do here
    from celeriac.app.loading import load_function, load_task  # noqa: PLC0415 -- as above

    return load_function(location) if name is None else load_task(location, name)


def _params(environment: Environment, bus: Port | None) -> str | bytes:
    """The params' JSON, from where they are."""
    reference = environment.params_ref
    if reference is None:
        return environment.params
    if bus is None:
        raise RuntimeError("The params are in the object store, and CELERIAC_NATS_URL is not set: give it to the pods.")
    import hashlib  # noqa: PLC0415 -- seldom needed

    data = bus.get_payload(reference.key, PARAMS_SECONDS)
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if found != reference.digest:
        raise RuntimeError(f"The params in the object store ({reference.key}) are not those that were submitted.")
    return data


def _run(
    task: TaskFunction[..., Any, Any],
    params: str | bytes,
    environment: Environment,
    bus: Port | None,
    interrupts: Interrupts,
) -> Outcome:
    try:
        return _attempt(task, params, environment, bus, interrupts)
    except BaseException as error:  # the function, or a validator of its types; SystemExit is an end to record as well
        _print(error)
        retry = task.may_retry(error)
        return of_exception(error, retry=retry, stopped=interrupts.stopped, limited=environment.limited)


def _attempt(
    task: TaskFunction[..., Any, Any],
    params: str | bytes,
    environment: Environment,
    bus: Port | None,
    interrupts: Interrupts,
) -> Outcome:
    """Read the params, call the function, write what it returned. Raises what the user's code raises."""
    from celeriac.app.signature import BadSignature, ResultMismatch  # noqa: PLC0415 -- as above
    from celeriac.errors import InvalidParams  # noqa: PLC0415 -- as above

    try:
        args, kwargs = task.signature.arguments(params)
    except (InvalidParams, BadSignature) as error:
        return invalid_params(str(error))
    context = (_context(environment, bus),) if task.signature.takes_context else ()
    returned = _call(task, (*context, *args), kwargs, environment, interrupts)
    try:
        return Succeeded(task.signature.dump_result(returned))
    except (ResultMismatch, BadSignature) as error:
        return invalid_result(str(error))


def _call(
    task: TaskFunction[..., Any, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    environment: Environment,
    interrupts: Interrupts,
) -> Any:
    soft = soft_seconds(task.settings.get("soft_run_seconds"), environment.deadline, datetime.now(UTC))
    run = interrupts.run_async if task.is_async else interrupts.run
    return run(lambda: task.function(*args, **kwargs), soft)


def soft_seconds(declared: float | None, deadline: datetime | None, now: datetime) -> float | None:
    """Seconds until SoftDeadlineExceeded: as the function says, or shortly before its deadline; None: never.

    A deadline that has passed already counts from the pod's creation (CELERIAC_DEADLINE cannot know of the start), and
    the one that holds is later: then only SIGTERM tells.
    """
    left = None if deadline is None else (deadline - now).total_seconds()
    by_deadline = None if left is None or left <= 0 else left - min(SOFT_MARGIN_SECONDS, left / 10)
    return min((each for each in (declared, by_deadline) if each is not None), default=None)


def _context(environment: Environment, bus: Port | None) -> Context:
    from celeriac.app.context import Context  # noqa: PLC0415 -- as above

    given: dict[str, Any] = {} if bus is None else {"report": _progress(environment, bus)}
    return Context(
        task=environment.task,
        namespace=environment.namespace,
        attempt=environment.attempt,
        uid=environment.uid,
        deadline=environment.deadline,
        **given,
    )


def _progress(environment: Environment, bus: Port) -> Callable[[float, str], None]:
    from celeriac.run.progress import Progress  # noqa: PLC0415 -- of tasks that ask for a Context only

    return Progress(environment, bus.publish, time.monotonic)


def _why_stopped(environment: Environment, bus: Port | None) -> CancelRequested:
    """What the operator recorded as the reason, if it did and can be asked."""
    from celeriac.run.verdict import stopped_by  # noqa: PLC0415 -- of attempts that are stopped only

    return stopped_by(environment, bus, REASON_SECONDS)


def _print(error: BaseException) -> None:
    """The traceback to the container's log; what was printed comes first."""
    container_log.flush()
    container_log.write(own_traceback(error))


def _reported(outcome: Outcome, environment: Environment, bus: Port | None) -> int:
    from celeriac.run.reporting import report, say  # noqa: PLC0415 -- as above

    if isinstance(outcome, Failed) and outcome.exit_code != ExitCode.RAISED and "\n" not in outcome.message:
        say(outcome.message)
    if isinstance(outcome, Stopped):
        say("stopped by SIGTERM; the operator says why")
    return report(outcome, environment, bus)


def _leave_in_time(code: int) -> None:
    """The outcome is told, and the slot is wanted: the end of the process may not take too long."""
    last = threading.Timer(LINGER_SECONDS, os._exit, (code,))
    last.daemon = True
    last.start()


def _leave(code: int, close: Callable[[], None]) -> None:
    """End the process as Python does."""
    close()
    container_log.flush_at_last()
    sys.exit(code)
