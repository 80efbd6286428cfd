"""From a finished Task to its value or its error: the one place that words what became of a task."""

from __future__ import annotations

from typing import Any

from celeriac import errors
from celeriac._task import Task, cancel_reason
from celeriac.wire.dead import NAME_REUSED


def value_of(task: Task) -> Any:
    """What the finished task returned, None where it returned nothing; raises what ended it otherwise."""
    if not task.succeeded:
        raise error_of(task)
    result = task.status.result
    if result is None:
        return _nothing_of(task)
    if result.ref is not None:
        raise errors.ResultInvalid(
            f"{_called(task)} has its result in NATS' object store ({result.ref.bucket}/{result.ref.key}): set "
            "CELERIAC_NATS_URL, so that it can be fetched.",
            task,
        )
    return result.value


def _nothing_of(task: Task) -> None:
    """None, of a process that was seen to end and left no result. Raises ResultInvalid: nobody saw what it left."""
    last = task.status.attempts[-1] if task.status.attempts else None
    if last is not None and last.exit_code is None:
        raise errors.ResultInvalid(
            f"{_called(task)} succeeded, but what it returned, if anything, is lost: "
            f"{_why(task, 'its pod was gone before its result was read')}. "
            f"'celeriac retry {task.name} -n {task.namespace}' runs it again.",
            task,
        )


def error_of(task: Task) -> errors.CeleriacError:
    """The error that a task which did not succeed stands for."""
    make = _BY_OUTCOME.get(task.outcome or "", _failed if task.uid else _dead)
    return make(task)


def _called(task: Task) -> str:
    return f"Task {task.namespace}/{task.name}"


def _why(task: Task, otherwise: str) -> str:
    """The task's own sentence about its end."""
    return (task.status.message or otherwise).rstrip(".")


def _hint(task: Task) -> str:
    return f"'celeriac why {task.name} -n {task.namespace}' tells more."


def _failed(task: Task) -> errors.CeleriacError:
    return errors.TaskFailed(_failure_text(task), task)


def _failure_text(task: Task) -> str:
    last = task.status.attempts[-1] if task.status.attempts else None
    code = f", exit code {last.exit_code}" if last and last.exit_code is not None else ""
    said, _, output = _why(task, "no message").partition("\n")
    text = f"{_called(task)} failed ({task.outcome}{code}): {said.rstrip('.')}. {_hint(task)}"
    rest = [output] if output else []
    if last and last.message and last.message.strip() not in f"{said}\n{output}":
        rest.append(f"The last attempt ended with:\n{last.message}")
    return "\n\n".join([text, *rest])


def _result_invalid(task: Task) -> errors.CeleriacError:
    return errors.ResultInvalid(_failure_text(task), task)


def _cancelled(task: Task) -> errors.CeleriacError:
    reason = task.spec.cancel.reason if task.spec.cancel else cancel_reason(task.status.message or "")
    return errors.TaskCancelled(
        f"{_called(task)} was cancelled: {reason or 'no reason was given'}. "
        f"'celeriac retry {task.name} -n {task.namespace}' runs it again.",
        task,
    )


def _expired(task: Task) -> errors.CeleriacError:
    why = _why(task, "it did not start within its queueSeconds")
    return errors.TaskExpired(
        f"{_called(task)} expired: {why}. Give it a longer queueSeconds, or its queue more room. {_hint(task)}", task
    )


def _unknown_definition(task: Task) -> errors.CeleriacError:
    why = _why(task, "its TaskDefinition is not there")
    again = f"run 'celeriac retry {task.name} -n {task.namespace}'" if task.uid else "submit again"
    return errors.UnknownDefinition(f"{_called(task)} cannot run: {why}. Apply the definition, and {again}.")


def _name_reused(task: Task) -> errors.CeleriacError:
    return errors.AlreadyExists(
        f"{_called(task)} was not submitted: another task has its name, with other content. Use another name or key, "
        f"or see the other with 'celeriac get {task.name} -n {task.namespace}'."
    )


def _invalid_task(task: Task) -> errors.CeleriacError:
    why = _why(task, "the API server refuses it")
    return errors.InvalidTask(f"{_called(task)} is not valid: {why}. Correct it and submit again.")


def _dead(task: Task) -> errors.CeleriacError:
    """A message that became no Task."""
    why = _why(task, "no message")
    return errors.TaskFailed(
        f"{_called(task)} became no Task ({task.outcome}): {why}. Its message is among the dead letters "
        f"('celeriac dead list -n {task.namespace}'): correct it and submit again.",
        task,
    )


def _invalid_params(task: Task) -> errors.CeleriacError:
    why = _why(task, "the definition's paramsSchema refuses them")
    return errors.InvalidParams(f"{_called(task)} was refused for its params: {why}. Correct them and submit again.")


def _inline_denied(task: Task) -> errors.CeleriacError:
    return errors.InlineContainerDenied(
        f"{_called(task)} brings its own container, which queue {task.queue} does not take. Submit by definition, "
        f"or have an administrator set spec.inlineContainers of TaskQueue {task.queue} to Allow."
    )


_BY_OUTCOME = {
    "Cancelled": _cancelled,
    "Expired": _expired,
    "DefinitionNotFound": _unknown_definition,
    "DefinitionGone": _unknown_definition,
    NAME_REUSED: _name_reused,
    "InvalidTask": _invalid_task,
    "MalformedMessage": _invalid_task,
    "TooOld": _expired,
    "InvalidParams": _invalid_params,
    "InlineContainerDenied": _inline_denied,
    "ResultInvalid": _result_invalid,
}
