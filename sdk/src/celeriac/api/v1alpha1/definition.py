"""The TaskDefinition: how a kind of task runs. Its author is an administrator, who grants what no Task can ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from celeriac.api.v1alpha1.container import DefinitionContainer
from celeriac.api.v1alpha1.model import ApiModel, Condition, JsonObject, Name, ObjectName, Quantity
from celeriac.api.v1alpha1.policy import Defaults, Seconds

Label = Annotated[str, Field(max_length=317)]
UnixId = Annotated[int, Field(ge=0, le=2_147_483_647)]


class KeyToPath(ApiModel):
    """A key of a Secret or ConfigMap as a file."""

    key: Annotated[str, Field(max_length=253)]
    """The key."""
    path: Annotated[str, Field(max_length=1024)]
    """Relative path of the file."""


Items = Annotated[tuple[KeyToPath, ...], Field(max_length=64)]


class ConfigMapVolume(ApiModel):
    """A ConfigMap as files."""

    name: ObjectName
    """Name of the ConfigMap."""
    items: Items | None = None
    """Only these keys."""
    optional: bool | None = None
    """True: the ConfigMap may be missing."""


class SecretVolume(ApiModel):
    """A Secret as files."""

    secret_name: ObjectName
    """Name of the Secret."""
    items: Items | None = None
    """Only these keys."""
    optional: bool | None = None
    """True: the Secret may be missing."""


class EmptyDirVolume(ApiModel):
    """An empty folder that goes with the pod."""

    medium: Literal["", "Memory"] | None = None
    """Memory: held in RAM."""
    size_limit: Quantity | None = None
    """The most that it may hold."""


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim."""

    claim_name: ObjectName
    """Name of the claim."""
    read_only: bool | None = None
    """True: mounted read-only."""


class Volume(ApiModel):
    """A volume: exactly one of the sources. Host paths cannot be expressed."""

    name: Name
    """Name that volumeMounts refer to."""
    config_map: ConfigMapVolume | None = None
    """A ConfigMap."""
    secret: SecretVolume | None = None
    """A Secret."""
    empty_dir: EmptyDirVolume | None = None
    """An empty folder."""
    persistent_volume_claim: ClaimVolume | None = None
    """A PersistentVolumeClaim."""


class VolumeMount(ApiModel):
    """Where a volume is mounted."""

    name: Name
    """Name of the volume."""
    mount_path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/")]
    """Absolute path in the container."""
    sub_path: Annotated[str, Field(max_length=1024)] | None = None
    """Path in the volume."""
    read_only: bool | None = None
    """True: mounted read-only."""


class Toleration(ApiModel):
    """A taint that the pod puts up with."""

    key: Label | None = None
    """The taint's key; empty means all."""
    operator: Literal["Exists", "Equal"] | None = None
    """Exists or Equal."""
    value: Label | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; empty means all."""
    toleration_seconds: int | None = None
    """How long a NoExecute taint is put up with."""


class SecurityContext(ApiModel):
    """Who the process is. Privileges, capabilities and host namespaces cannot be expressed."""

    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Uid of the process. Default 65532."""
    run_as_group: UnixId | None = None
    """Gid of the process. Default 65532."""
    fs_group: UnixId | None = None
    """Group that owns mounted volumes. Default 65532."""
    supplemental_groups: Annotated[tuple[UnixId, ...], Field(max_length=32)] | None = None
    """Further groups of the process."""
    read_only_root_filesystem: bool | None = None
    """False: the container may write to its root file system. Default true."""


class PodOptions(ApiModel):
    """What the definition's pods may have beyond the defaults: an allow-list without privileges."""

    service_account_name: ObjectName | None = None
    """The service account; its token is mounted only where one is named."""
    node_selector: Annotated[dict[Label, Label], Field(max_length=32)] | None = None
    """Labels that the node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] | None = None
    """Taints that the pod puts up with."""
    affinity: JsonObject | None = None
    """Affinity, as in a pod."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pod."""
    runtime_class_name: ObjectName | None = None
    """RuntimeClass of the pod, for instance a sandbox."""
    volumes: Annotated[tuple[Volume, ...], Field(max_length=32)] | None = None
    """Volumes."""
    volume_mounts: Annotated[tuple[VolumeMount, ...], Field(max_length=32)] | None = None
    """Where the volumes are mounted."""
    image_pull_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=16)] | None = None
    """Names of Secrets for the image's registry."""
    security_context: SecurityContext | None = None
    """Who the process is."""


class WarmOptions(ApiModel):
    """How many pods wait ready, for isolation Warm."""

    min_ready: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Pods that wait at the least. Default 1."""
    max_ready: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Pods that wait at the most. Default 10, or minReady if that is more."""
    idle_seconds: Seconds | None = None
    """After this time without tasks no pod waits, whatever minReady says. Default: some always do."""


class WorkerOptions(ApiModel):
    """The pods that take several tasks, for isolation Worker."""

    min_pods: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Pods at the least. Default 1."""
    max_pods: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Pods at the most. Default 10, or minPods if that is more."""
    tasks_per_pod: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Tasks that a pod takes before it is replaced. Default 1000."""
    slots_per_pod: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Tasks that a pod runs at once, each in a process of its own. Default 4."""


class TaskDefinitionSpec(ApiModel):
    """How a kind of task runs."""

    container: DefinitionContainer
    """The container that runs."""
    pod: PodOptions | None = None
    """What its pods may have beyond the defaults."""
    params_schema: JsonObject | None = None
    """JSON Schema (2020-12) that a Task's params must satisfy."""
    result_schema: JsonObject | None = None
    """JSON Schema (2020-12) that a result must satisfy."""
    defaults: Defaults | None = None
    """What a Task that does not say otherwise gets."""
    isolation: Literal["Pod", "Warm", "Worker"] | None = None
    """Pod (default): a new pod for every attempt. Warm: a pod that waits, for one task. Worker: a pod that takes many
    tasks, a process for each. Without NATS all run as Pod."""
    warm: WarmOptions | None = None
    """For isolation Warm."""
    worker: WorkerOptions | None = None
    """For isolation Worker."""
    version: Annotated[str, Field(max_length=128)] | None = None
    """The author's name for this version, for people."""


class WarmStatus(ApiModel):
    """The pods of isolation Warm or Worker; written at most every 5 s."""

    ready: int = 0
    """Pods that wait for a task; of workers, those with a free slot."""
    claimed: int = 0
    """Pods that run one, or several."""
    hit_rate: Annotated[int, Field(ge=0, le=100)] | None = None
    """Percent of the last attempts that found a pod, since the operator's start. Workers have none."""


class TaskDefinitionStatus(ApiModel):
    """What the operator made of it."""

    observed_generation: int | None = None
    """The metadata.generation that the status was computed from."""
    revision: Annotated[str, Field(max_length=253)] | None = None
    """The ControllerRevision that new Tasks run from, once there was one."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, WarmUnavailable."""
    warm: WarmStatus | None = None
    """The pods of isolation Warm or Worker."""
