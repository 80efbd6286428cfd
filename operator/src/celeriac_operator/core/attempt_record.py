"""An attempt's record in NATS: who decided its outcome, which is then decided for good. Pure.

Whoever creates the key first decides: the runner the moment its function ends by itself, which is before its process
has, and the operator before it closes an attempt on its own.
"""

from __future__ import annotations

import json

from celeriac.api.v1alpha1 import Attempt, Result
from celeriac.wire.names import PAYLOADS_BUCKET, result_object
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.outcome import Ended, Outcome, Running
from celeriac_operator.core.text import both_ends

LONGEST_MESSAGE = 3072
"""Of a record's message, in bytes: what a status keeps of an attempt's."""


def counts(record: AttemptRecord, task_uid: str, attempt: Attempt) -> bool:
    """Whether the record is one of this attempt: a runner's only if it ran in the pod that the attempt is bound to.

    An attempt that is bound to none yet is bound by it: what is recorded first counts.
    """
    if (record.task_uid, record.attempt) != (task_uid, attempt.number):
        return False
    if record.author is Author.OPERATOR:
        return True
    return record.pod_uid is not None and attempt.pod_uid in (None, record.pod_uid)


def decided(record: AttemptRecord, found: Outcome) -> Ended:
    """What the attempt's record makes of what is seen of the attempt."""
    start = found.start if isinstance(found, Running | Ended) else None
    result = record.result
    return Ended(
        failure=record.failure,
        message=both_ends(record.message, LONGEST_MESSAGE),
        exit_code=found.exit_code if isinstance(found, Ended) and record.exit_code is None else record.exit_code,
        start=start or record.start_time,
        finish=record.finish_time,
        output=_text(result) if record.failure is None else None,
        ref=result.ref if result is not None and record.failure is None else None,
        warning=found.warning if isinstance(found, Ended) and record.failure is None else "",
        lingers=not isinstance(found, Ended) and record.author is Author.RUNNER,
        usage=record.usage,
    )


def _text(result: Result | None) -> str:
    """The result as the process would have written it, so that it is checked in one way."""
    if result is None or result.ref is not None:
        return ""
    return json.dumps(result.value, separators=(",", ":"), ensure_ascii=False)


def ref_problem(result: Result, namespace: str, task_uid: str, attempt: int) -> str | None:
    """What is wrong with a result that is kept elsewhere, as a sentence: it may name this attempt's object only."""
    ref, key = result.ref, result_object(namespace, task_uid, attempt)
    if ref is None or (ref.bucket, ref.key) == (PAYLOADS_BUCKET, key):
        return None
    return f"The result refers to an object that is not this attempt's: it has to be {key} in {PAYLOADS_BUCKET}"


def verdict(task_uid: str, attempt: Attempt, result: Result | None) -> AttemptRecord | None:
    """The operator's record of an attempt that it closes."""
    if attempt.finish_time is None:
        return None
    return AttemptRecord(
        author=Author.OPERATOR,
        task_uid=task_uid,
        attempt=attempt.number,
        pod_uid=attempt.pod_uid,
        failure=attempt.failure,
        exit_code=attempt.exit_code,
        message=attempt.message or "",
        result=result,
        start_time=attempt.start_time,
        finish_time=attempt.finish_time,
    )
