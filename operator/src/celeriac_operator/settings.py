"""The operator's settings, from environment variables ``CELERIAC_…``."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from celeriac._nats_options import NatsOptions
from celeriac.api.v1alpha1 import Defaults, Resources, TaskQueueSpec
from celeriac_operator.bus.room import MIB, Bounds
from celeriac_operator.core.election import Timing
from celeriac_operator.manifests.runner import RunnerAccess


class Settings(BaseSettings):
    """All knobs; each is a value of the Helm chart too."""

    model_config = SettingsConfigDict(env_prefix="CELERIAC_", frozen=True, use_attribute_docstrings=True)

    namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces to watch, separated by commas; empty: the whole cluster."""
    pod_name: str = "celeriac-operator"
    """Name of the pod, for logs and as the first half of the identity in Leases."""
    pod_uid: Annotated[str, Field(default_factory=lambda: uuid.uuid4().hex, min_length=1)]
    """Uid of the pod, the other half: a restarted container goes on with its Leases, and another pod of that name does
    not. Two processes must never have both in common."""
    operator_namespace: str = "default"
    """Namespace of the Leases; in a pod its own."""
    lease_name: str = "celeriac"
    """The Leases are called so, with the number of the shard after it."""
    lease_seconds: Annotated[int, Field(ge=1)] = 12
    """A Lease that was not renewed for so long is another replica's to take."""
    renew_deadline_seconds: Annotated[float, Field(gt=0)] = 8.0
    """A replica whose last renewal is so old writes nothing and exits."""
    lease_retry_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often Leases are looked at and renewed."""
    shards: Annotated[int, Field(ge=1, le=64)] = 1
    """Over how many Leases the namespaces are spread; with more than one, several replicas work at once."""
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

    nats_url: str = ""
    """Servers of NATS, separated by commas; empty: no messages, and results go with their Tasks."""
    nats_creds: str | None = None
    """Path of a .creds file."""
    nats_nkey: str | None = None
    """Path of an nkey seed."""
    nats_user: str | None = None
    """User name."""
    nats_password: SecretStr | None = None
    """The user's password."""
    nats_ca: str | None = None
    """Path of the certificates that are trusted, instead of the system's."""
    nats_cert: str | None = None
    """Path of the client's certificate."""
    nats_key: str | None = None
    """Path of the certificate's key."""
    nats_inbox_prefix: str | None = None
    """First token of the subjects on which answers come; empty: ``_INBOX``."""
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Copies of each stream and bucket that the operator makes, on as many servers of a NATS cluster."""

    nats_dead_bytes: Annotated[int, Field(ge=MIB)] = Bounds().dead_bytes
    """Bytes that dead letters may take; messages that would be more stay in their queues."""
    nats_delayed_bytes: Annotated[int, Field(ge=MIB)] = Bounds().delayed_bytes
    """Bytes that messages with a far startTime may take; those that would be more stay in their queues."""
    nats_namespace_percent: Annotated[int, Field(ge=1, le=100)] = Bounds().share_percent
    """Percent of these two that one namespace may take."""

    runner_nats_url: str = ""
    """Servers of NATS as the pods of tasks reach them, separated by commas; empty: pods get none from here."""
    runner_nats_secret: str = ""
    """Secret in each task's namespace with the pods' credentials; it may be missing. Its keys are CELERIAC_NATS_USER,
    CELERIAC_NATS_PASSWORD and so on, as the SDK reads them; or creds, see below. Empty: none."""
    runner_nats_creds: bool = False
    """That Secret has a .creds file, under the key creds."""
    record_retention_days: Annotated[float, Field(gt=0, le=3650)] = 7.0
    """How long NATS keeps the record and the result of a task that has finished."""

    @property
    def record_retention(self) -> timedelta:
        """How long the record of a finished task is kept."""
        return timedelta(days=self.record_retention_days)

    @property
    def nats_bounds(self) -> Bounds:
        """How much there may be of what all namespaces share in NATS."""
        return Bounds(self.nats_dead_bytes, self.nats_delayed_bytes, self.nats_namespace_percent)

    @property
    def runner_access(self) -> RunnerAccess:
        """How the pods' runner reaches NATS."""
        return RunnerAccess(self.runner_nats_url, self.runner_nats_secret, self.runner_nats_creds)

    @property
    def nats(self) -> NatsOptions:
        """How NATS is reached; an empty setting is as good as none."""
        password = self.nats_password.get_secret_value() if self.nats_password is not None else None
        return NatsOptions(
            url=self.nats_url,
            creds=self.nats_creds or None,
            nkey=self.nats_nkey or None,
            user=self.nats_user or None,
            password=password or None,
            ca=self.nats_ca or None,
            cert=self.nats_cert or None,
            key=self.nats_key or None,
            inbox_prefix=self.nats_inbox_prefix or None,
        )

    @property
    def identity(self) -> str:
        """Who this process is, in Leases."""
        return f"{self.pod_name}_{self.pod_uid}"

    @property
    def timing(self) -> Timing:
        """The Leases' times."""
        return Timing(self.lease_seconds, self.renew_deadline_seconds, self.lease_retry_seconds)

    @model_validator(mode="after")
    def _lease_outlives_its_holder(self) -> Self:
        """There must be time to try a renewal again, and time for the last write before another takes over."""
        if not 2 * self.lease_retry_seconds <= self.renew_deadline_seconds < self.lease_seconds:
            raise ValueError(
                "CELERIAC_RENEW_DEADLINE_SECONDS must be less than CELERIAC_LEASE_SECONDS, and at least twice "
                "CELERIAC_LEASE_RETRY_SECONDS"
            )
        return self

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Comma-separated text as a tuple."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
