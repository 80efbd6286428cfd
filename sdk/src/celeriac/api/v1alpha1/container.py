"""What a Task or a TaskDefinition may say of its container: a curated subset, never a raw PodSpec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from celeriac.api.v1alpha1.model import ApiModel, ObjectName, Quantity

Text = Annotated[str, Field(max_length=32768)]
EnvName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^=\s]+$")]
ResourceList = Annotated[dict[Annotated[str, Field(max_length=253)], Quantity], Field(max_length=16)]


class EnvVar(ApiModel):
    """An environment variable with a plain value."""

    name: EnvName
    """Name of the variable. Names that begin with CELERIAC_ are the operator's, but for CELERIAC_FUNCTION."""
    value: Text = ""
    """Its value. $(params.NAME) is substituted."""


class KeySelector(ApiModel):
    """A key of a Secret or ConfigMap in the same namespace."""

    name: ObjectName
    """Name of the Secret or ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """The key whose value is taken."""
    optional: bool | None = None
    """True: the variable is left out where the object or key is missing."""


class EnvVarSource(ApiModel):
    """Where the value of a variable comes from: exactly one of the two."""

    secret_key_ref: KeySelector | None = None
    """A key of a Secret."""
    config_map_key_ref: KeySelector | None = None
    """A key of a ConfigMap."""


class DefinitionEnvVar(ApiModel):
    """An environment variable of a TaskDefinition, which may also come from a Secret or ConfigMap."""

    name: EnvName
    """Name of the variable. Names that begin with CELERIAC_ are the operator's, but for CELERIAC_FUNCTION."""
    value: Text | None = None
    """A plain value. $(params.NAME) is substituted."""
    value_from: EnvVarSource | None = None
    """A Secret's or ConfigMap's key, instead of a plain value."""


class Resources(ApiModel):
    """Compute resources of the container."""

    requests: ResourceList | None = None
    """What the scheduler sets aside. Where it is left out, the limits, else the operator's defaults."""
    limits: ResourceList | None = None
    """What the container may use at most. Where it is left out, the operator's defaults."""


class ContainerBase(ApiModel):
    """What both kinds of container have."""

    image: Annotated[str, Field(min_length=1, max_length=1024)]
    """Image reference."""
    command: Annotated[tuple[Text, ...], Field(max_length=64)] | None = None
    """Entry point, instead of the image's. $(params.NAME) is substituted."""
    args: Annotated[tuple[Text, ...], Field(max_length=256)] | None = None
    """Arguments of the entry point. $(params.NAME) is substituted."""
    resources: Resources | None = None
    """Requests and limits."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled. Kubernetes' default where it is left out."""
    working_dir: Annotated[str, Field(max_length=1024)] | None = None
    """Absolute path of the working directory, instead of the image's."""


class Container(ContainerBase):
    """The container of a Task."""

    env: Annotated[tuple[EnvVar, ...], Field(max_length=128)] | None = None
    """Plain environment variables. Secrets are a TaskDefinition's to grant."""


class DefinitionContainer(ContainerBase):
    """The container of a TaskDefinition."""

    env: Annotated[tuple[DefinitionEnvVar, ...], Field(max_length=128)] | None = None
    """Environment variables, also from Secrets and ConfigMaps."""
