"""Everything that is found, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from celeriac.audit import of_crons, of_messages, of_tasks
from celeriac.audit.evidence import Evidence
from celeriac.audit.finding import Finding, Weight

RULES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    of_messages.streams_put_back,
    of_messages.messages_that_wait,
    of_messages.letters_and_tasks,
    of_messages.records_without_letters,
    of_messages.wishes_for_nothing,
    of_tasks.tasks_that_are_gone,
    of_tasks.records_and_tasks,
    of_tasks.records_beyond_their_time,
    of_tasks.tasks_without_record,
    of_tasks.results_that_are_missing,
    of_tasks.params_that_are_missing,
    of_tasks.attempts_that_ran,
    of_tasks.attempts_without_job,
    of_tasks.jobs_without_task,
    of_crons.slots_that_ran,
    of_crons.slots_that_are_due,
)
WEIGHTS = list(Weight)


def compare(evidence: Evidence) -> tuple[Finding, ...]:
    """What differs."""
    found = [finding for rule in RULES for finding in rule(evidence)]
    found += [Finding(Weight.UNREAD, "", "", what, _ASK_AGAIN) for what in evidence.unread]
    found += [_WITHOUT_BUS] if evidence.bus is None else []
    return tuple(sorted(found, key=lambda each: (WEIGHTS.index(each.weight), each.namespace, each.name)))


_ASK_AGAIN = "nothing is known of it: see to what is in the way, and ask again"
_WITHOUT_BUS = Finding(
    Weight.NOTE,
    "",
    "",
    "NATS was not asked: of messages, records, large results, dead letters and history nothing is known",
    "where the operator works with NATS, set CELERIAC_NATS_URL and the operator's credentials",
)


def confirmed(found: Sequence[Finding], again: Sequence[Finding]) -> tuple[Finding, ...]:
    """What was there at a second look, too: the first may have fallen into the middle of a change."""
    seen = {(each.weight, each.namespace, each.name) for each in found}
    return tuple(each for each in again if (each.weight, each.namespace, each.name) in seen)


def something_is_lost(found: Sequence[Finding]) -> bool:
    """Whether anything is gone for good."""
    return any(each.weight is Weight.LOST for each in found)
