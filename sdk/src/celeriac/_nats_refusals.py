"""From what NATS says to a message that it does not take to a typed error that says what to do. Pure."""

from __future__ import annotations

from celeriac import errors

STORE_FAILED = 10077
"""The stream could not keep the message: it is full, or its disk is in trouble; the text tells the two apart."""
NO_RESOURCES = frozenset({10002, 10023, 10028, 10047})
"""The account or the server has no room left: limits of the account, memory, storage."""
TOO_LARGE = 10054


def is_full(code: int, err_code: int, description: str) -> bool:
    """Was it for want of room, which passes, rather than for an outage?"""
    return err_code in NO_RESOURCES or (code == 503 and err_code == STORE_FAILED and "maximum" in description)


def is_outage(code: int, err_code: int, description: str) -> bool:
    """Can the server not serve now, though the message is well?"""
    return code >= 500 and not is_full(code, err_code, description)


def error_of(namespace: str, queue: str, code: int, err_code: int, description: str) -> errors.CeleriacError:
    """The error for a stream's refusal that is no outage."""
    if is_full(code, err_code, description):
        return errors.QueueFull(
            f"Queue {queue} of namespace {namespace} is full ({description}): nothing was submitted. Submit again when "
            "tasks have been taken from it, wait for room with block=True, or have the TaskQueue's backlog raised."
        )
    if err_code == TOO_LARGE:
        return errors.InvalidTask(
            f"The task is too large for queue {queue} of namespace {namespace} ({description}). Put large data into a "
            "store and pass where it is."
        )
    return errors.RequestRejected(
        f"NATS refuses the task for queue {queue} of namespace {namespace}: {description} ({err_code}).", code
    )


def unknown_queue(namespace: str, queue: str) -> errors.UnknownQueue:
    """The error for a queue that has no stream."""
    return errors.UnknownQueue(
        f"Queue {queue} of namespace {namespace} takes no messages: apply a TaskQueue of that name, or name another "
        "queue ('celeriac queues' shows which there are). One that was just made has its stream in a moment; where no "
        "queue has one, the operator does not work with this NATS."
    )
