"""Version v1alpha1 of the API."""

from celeriac.api.v1alpha1.container import Container, DefinitionContainer, EnvVar, Resources
from celeriac.api.v1alpha1.definition import PodOptions, TaskDefinitionSpec, TaskDefinitionStatus
from celeriac.api.v1alpha1.failure import DISRUPTIONS, NOT_RETRIED, TERMINAL_PHASES, Failure, Phase
from celeriac.api.v1alpha1.model import API_VERSION, GROUP, VERSION, ApiModel, Condition, Json
from celeriac.api.v1alpha1.policy import Backoff, Deadlines, Defaults, ExitCodes, Retry, RetryRule
from celeriac.api.v1alpha1.task import (
    MAX_ATTEMPTS_KEPT,
    MAX_PARAMS_BYTES,
    MAX_RESULT_BYTES,
    Attempt,
    Cancel,
    DefinitionRevision,
    Effective,
    EffectiveBackoff,
    EffectiveRetry,
    Result,
    ResultRef,
    TaskSpec,
    TaskStatus,
)

__all__ = [
    "API_VERSION",
    "DISRUPTIONS",
    "GROUP",
    "MAX_ATTEMPTS_KEPT",
    "MAX_PARAMS_BYTES",
    "MAX_RESULT_BYTES",
    "NOT_RETRIED",
    "TERMINAL_PHASES",
    "VERSION",
    "ApiModel",
    "Attempt",
    "Backoff",
    "Cancel",
    "Condition",
    "Container",
    "Deadlines",
    "Defaults",
    "DefinitionContainer",
    "DefinitionRevision",
    "Effective",
    "EffectiveBackoff",
    "EffectiveRetry",
    "EnvVar",
    "ExitCodes",
    "Failure",
    "Json",
    "Phase",
    "PodOptions",
    "Resources",
    "Result",
    "ResultRef",
    "Retry",
    "RetryRule",
    "TaskDefinitionSpec",
    "TaskDefinitionStatus",
    "TaskSpec",
    "TaskStatus",
]
