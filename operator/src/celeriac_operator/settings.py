"""The operator's settings, from environment variables ``CELERIAC_…``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from celeriac.api.v1alpha1 import Defaults, Resources, TaskQueueSpec


class Settings(BaseSettings):
    """All knobs; each is a value of the Helm chart too."""

    model_config = SettingsConfigDict(env_prefix="CELERIAC_", frozen=True, use_attribute_docstrings=True)

    namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces to watch, separated by commas; empty: the whole cluster."""
    pod_name: str = "celeriac-operator"
    """Name of the pod, for logs."""
    http_port: int = 8080
    """Port of /metrics, /healthz and /readyz; 0 takes a free one."""
    log_level: str = "info"
    """debug, info, warning or error."""
    log_format: Literal["json", "console"] = "json"
    """json for machines, console for people."""
    defaults: Defaults = Defaults()
    """What Tasks get that neither say it nor have it from their TaskDefinition, as JSON."""
    queue_defaults: TaskQueueSpec = TaskQueueSpec()
    """The spec of queues that nobody declared, as JSON; by default they limit nothing."""
    default_resources: Resources = Resources(
        requests={"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
        limits={"memory": "512Mi", "ephemeral-storage": "1Gi"},
    )
    """Requests and limits of task containers that give none, as JSON."""
    max_finished_tasks: Annotated[int, Field(ge=0)] = 5000
    """Finished Tasks beyond this are deleted before their TTL, oldest first."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 16
    """Tasks that are reconciled at once."""
    relist_seconds: Annotated[float, Field(gt=0)] = 300.0
    """How often everything is listed and compared with what the watches told."""
    stuck_seconds: Annotated[float, Field(gt=0)] = 120.0
    """/healthz fails when a key has waited or been worked on for so long."""

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Comma-separated text as a tuple."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
