"""What a TaskDefinition's status says."""

from __future__ import annotations

from typing import Any

from tests.support.builders import make_revision
from tests.support.clock import at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import TaskDefinitionStatus
from celeriac_operator.core.definition import DefinitionFacts, definition_status
from celeriac_operator.core.warm.decide import unavailable
from celeriac_operator.core.warm.facts import Pool


def facts(status: TaskDefinitionStatus | None = None, **spec: Any) -> DefinitionFacts:
    """A TaskDefinition."""
    return DefinitionFacts("media", "resize", "100", 1, status or TaskDefinitionStatus(), make_revision(**spec))


def test_a_definition_is_accepted() -> None:
    status = definition_status(facts(), at(1))

    assert [(c.type, c.status, c.reason) for c in status.conditions] == [("Accepted", "True", "Accepted")]


def test_a_broken_schema_names_its_field() -> None:
    (condition,) = definition_status(facts(params_schema={"properties": {"a": {"type": 1}}}), at(1)).conditions

    assert (condition.status, condition.reason) == ("False", "InvalidSchema")
    assert condition.message.startswith("spec.paramsSchema.properties.a.type: 1 is no type")


def test_isolation_that_needs_nats_is_said() -> None:
    pool = Pool(facts(isolation="Warm"), "", bus="Off")
    conditions = definition_status(
        pool.definition, at(1), unavailable(pool.definition, pool.bus, pool.trouble)
    ).conditions

    assert [(c.type, c.reason) for c in conditions] == [("Accepted", "Accepted"), ("WarmUnavailable", "NoNATS")]


def test_the_same_definition_has_the_same_status_later() -> None:
    first = definition_status(facts(), at(1))

    assert definition_status(facts(first), at(99)) == first


def test_no_schema_makes_a_status_that_the_api_server_refuses() -> None:
    schema = {"properties": {"k" * 50_000: {"type": "v" * 50_000}}}
    status = definition_status(facts(params_schema=schema, result_schema=schema), at(1))

    assert problems(status.to_wire(), "TaskDefinition") == []
