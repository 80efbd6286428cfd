"""What all API models share: frozen, camelCase on the wire, lenient about fields that a later version added."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

GROUP = "celeriac.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Json = Any
"""Any JSON value."""

JsonObject = Annotated[
    dict[str, Json], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
"""A free-form JSON object: kept as it is, not pruned."""

JsonValue = Annotated[Json, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "nullable": True})]
"""Any JSON value, null too: kept as it is."""

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
"""The name of a Task, TaskQueue or TaskDefinition: a DNS label."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of any other Kubernetes object."""

Quantity = Annotated[
    str | int,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 0,
            # As apimachinery's resource.Quantity, which may be negative, too
            "pattern": r"^\+?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",  # noqa: E501
            "maxLength": 32,
        }
    ),
]
"""A Kubernetes quantity that is not negative, such as ``100m`` or ``64Mi``."""


class ApiModel(BaseModel):
    """The base of every part of a resource."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """This model as the JSON that the API server stores: camelCase, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json(self) -> bytes:
        """The same as text."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class Condition(ApiModel):
    """One aspect of the object's state, as metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Type of the condition in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why the condition last changed, one CamelCase word."""
    message: Annotated[str, Field(max_length=4096)] = ""
    """Why the condition last changed, a sentence for people."""
    last_transition_time: AwareDatetime
    """When the status of the condition last changed."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that the condition was set from."""
