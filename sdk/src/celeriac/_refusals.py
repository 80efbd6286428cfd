"""From an answer of the API server that refuses a call to a typed error that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celeriac import errors
from celeriac._wire import Call, Reply

QUOTA = "count/tasks.celeriac.dev"


def error_of_reply(call: Call, reply: Reply) -> errors.CeleriacError:
    """The error that the answer stands for; its status is 400 or more."""
    make = _BY_STATUS.get(reply.status, _other)
    return make(call, reply)


def _message(reply: Reply) -> str:
    """The API server's own words."""
    text = str(reply.json().get("message") or reply.body[:300].decode(errors="replace") or f"HTTP {reply.status}")
    return text.strip().rstrip(".")


def _details(reply: Reply) -> Mapping[str, Any]:
    details = reply.json().get("details")
    return details if isinstance(details, dict) else {}


def _unauthorized(_call: Call, _reply: Reply) -> errors.CeleriacError:
    return errors.Forbidden(
        "The cluster does not accept the credentials (401): log in again, or check the user in the kubeconfig."
    )


def _forbidden(call: Call, reply: Reply) -> errors.CeleriacError:
    message = _message(reply)
    if "exceeded quota" in message and QUOTA in message:
        return errors.QueueFull(
            f"The namespace's quota of tasks is used up: {message}. "
            "Submit again when tasks have finished and gone, or have the quota raised."
        )
    if "is being terminated" in message:
        return errors.RequestRejected(f"{message}. Use another namespace.", reply.status)
    return errors.Forbidden(f"{message}. 'celeriac doctor' shows what you may do; an administrator can grant the rest.")


def _not_found(call: Call, reply: Reply) -> errors.CeleriacError:
    details = _details(reply)
    kind, name = details.get("kind"), details.get("name")
    if name and kind == "tasks":
        return errors.TaskNotFound(
            f"There is no task {name} in {_where(call)}: 'celeriac list' shows which there are. "
            "A finished task is deleted after its ttlSecondsAfterFinished."
        )
    if name and kind == "taskqueues":
        return errors.UnknownQueue(
            f"There is no TaskQueue {name} in {_where(call)}: 'celeriac queues' shows which there are. A queue that "
            "nobody declares cannot be paused: apply a TaskQueue of that name first, then try again."
        )
    if name and kind == "crontasks":
        return errors.CronTaskNotFound(
            f"There is no CronTask {name} in {_where(call)}: 'celeriac cron list' shows which there are."
        )
    if name and kind == "namespaces":
        return errors.RequestRejected(
            f"There is no namespace {name}: create it (kubectl create namespace {name}) or name another.", 404
        )
    if not name and "/apis/celeriac.dev/" in call.path:
        return errors.NotInstalled(
            "Celeriac is not installed in this cluster: it does not know tasks.celeriac.dev. "
            "Have its Helm chart installed, or choose another cluster with --context."
        )
    return errors.RequestRejected(f"{_message(reply)} ({call.path}).", 404)


def _where(call: Call) -> str:
    parts = call.path.split("/")
    return f"namespace {parts[parts.index('namespaces') + 1]}" if "namespaces" in parts else "the cluster"


def _conflict(call: Call, reply: Reply) -> errors.CeleriacError:
    if reply.json().get("reason") == "AlreadyExists":
        return errors.AlreadyExists(f"{_message(reply)}.")
    return errors.RequestRejected(f"{_message(reply)}. Try again.", reply.status)


def _invalid(call: Call, reply: Reply) -> errors.CeleriacError:
    causes = _details(reply).get("causes") or []
    fields = [(str(c.get("field", "")), str(c.get("message", ""))) for c in causes if isinstance(c, dict)]
    text = "; ".join(f"{field}: {message}" if field else message for field, message in fields) or _message(reply)
    if "/taskqueues/" in call.path:
        return errors.RequestRejected(f"The API server refuses the queue: {text}. Correct it and try again.", 422)
    return errors.InvalidTask(f"The API server refuses the task: {text}. Correct it and try again.", fields)


def _bad_request(_call: Call, reply: Reply) -> errors.CeleriacError:
    message = _message(reply)
    if "strict decoding error" in message:
        return errors.InvalidTask(
            f"The cluster does not know a field of the task: {message}. Its Celeriac is too old for this SDK."
        )
    return errors.RequestRejected(f"{message}.", reply.status)


def _too_large(_call: Call, reply: Reply) -> errors.CeleriacError:
    return errors.InvalidTask(f"The task is too large: {_message(reply)}. Put large data into a store.")


def _other(_call: Call, reply: Reply) -> errors.CeleriacError:
    message = _message(reply)
    if reply.status == 429 or reply.status >= 500:
        return errors.ConnectionFailed(
            f"The API server cannot serve now (HTTP {reply.status}): {message}. Try again in a while."
        )
    return errors.RequestRejected(f"{message} (HTTP {reply.status}).", reply.status)


_BY_STATUS = {
    400: _bad_request,
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    413: _too_large,
    422: _invalid,
}
