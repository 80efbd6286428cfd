"""What a TaskDefinition's status says: whether Tasks can be made from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from celeriac.api.v1alpha1 import Condition, TaskDefinitionStatus, WarmStatus
from celeriac_operator.core.conditions import Truth, condition_since
from celeriac_operator.core.facts import Revision
from celeriac_operator.core.names import WARM_UNAVAILABLE
from celeriac_operator.core.schema import broken_schema
from celeriac_operator.core.text import cut


class DefinitionKey(NamedTuple):
    """Namespace and name of a TaskDefinition.

    The kind is part of it: a Task of the same name is another key, and tuples do not tell their classes apart.
    """

    namespace: str
    definition: str
    kind: str = "TaskDefinition"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.definition}"


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    """A TaskDefinition."""

    namespace: str
    name: str
    version: str
    generation: int
    status: TaskDefinitionStatus
    revision: Revision
    uid: str = ""
    created: datetime | None = None

    @property
    def key(self) -> DefinitionKey:
        return DefinitionKey(self.namespace, self.name)


def definition_status(
    facts: DefinitionFacts,
    now: datetime,
    unavailable: tuple[str, str] | None = None,
    warm: WarmStatus | None = None,
) -> TaskDefinitionStatus:
    """The status that the definition should have.

    Args:
        unavailable: why its tasks run as Pod, though it says otherwise: a reason and a sentence.
        warm: its pods that are started ahead.
    """
    problem = schema_problems(facts)
    conditions = [_condition(facts, "Accepted", "False" if problem else "True", _REASONS[bool(problem)], problem, now)]
    if unavailable is not None:
        reason, why = unavailable
        conditions.append(_condition(facts, WARM_UNAVAILABLE, "True", reason, cut(why, 1024), now))
    return TaskDefinitionStatus(
        observed_generation=facts.generation, revision=facts.revision.name, conditions=tuple(conditions), warm=warm
    )


_REASONS = {True: "InvalidSchema", False: "Accepted"}


def schema_problems(facts: DefinitionFacts) -> str:
    """What is wrong with the definition's schemas, or nothing."""
    spec = facts.revision.spec
    schemas = {"spec.paramsSchema": spec.params_schema, "spec.resultSchema": spec.result_schema}
    found = ((field, broken_schema(schema)) for field, schema in schemas.items() if schema is not None)
    return cut("; ".join(f"{field}.{problem}" for field, problem in found if problem), 2000)


def _condition(
    facts: DefinitionFacts, type_: str, status: Truth, reason: str, message: str, now: datetime
) -> Condition:
    known, generation = facts.status.conditions, facts.generation
    return condition_since(known, type_, status, reason, message, generation=generation, now=now)
