"""The TaskDefinition of a function: what an administrator applies so that its tasks can run. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from celeriac.api.v1alpha1 import API_VERSION, Deadlines, Defaults, TaskDefinitionSpec
from celeriac.api.v1alpha1.container import DefinitionContainer, DefinitionEnvVar, EnvVarSource
from celeriac.app.application import App
from celeriac.app.function import TaskFunction
from celeriac.app.retry import with_final_rule
from celeriac.app.routes import declared_queue
from celeriac.app.schema import params_schema, result_schema
from celeriac.app.signature import BadSignature

APP_LABEL = "celeriac.dev/app"
"""Label of a TaskDefinition: the App that it belongs to."""
TASK_ANNOTATION = "celeriac.dev/task"
"""Annotation of a TaskDefinition: the name of the task in its App."""

_TAG = re.compile(r"[^/]:(?P<tag>[\w.-]{1,128})(@[\w:.+-]+)?$")


def definitions_of(
    app: App, location: str, *, namespace: str | None = None, image: str | None = None, version: str | None = None
) -> list[dict[str, Any]]:
    """The TaskDefinitions of an App's tasks, by name.

    Args:
        location: ``module:app``, where the runner finds the App.
        namespace: of the definitions; None: kubectl is to say.
        image: for tasks that name none; with version it goes before what the App says.
        version: the author's name for this version. None: the App's, else the image's tag.
    Raises BadSignature: a function cannot be a task as it is, or a task has no image.
    """
    tasks = sorted(app.load().values(), key=lambda task: task.definition)
    return [_definition(task, location, namespace, image, version) for task in tasks]


def _definition(
    task: TaskFunction[..., Any, Any], location: str, namespace: str | None, image: str | None, version: str | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": task.definition,
        "labels": {APP_LABEL: task.app.name},
        "annotations": {TASK_ANNOTATION: task.name},
    }
    if namespace is not None:
        metadata["namespace"] = namespace
    spec = _spec(task, location, image, version)
    return {"apiVersion": API_VERSION, "kind": "TaskDefinition", "metadata": metadata, "spec": spec.to_wire()}


def _spec(
    task: TaskFunction[..., Any, Any], location: str, image: str | None, version: str | None
) -> TaskDefinitionSpec:
    settings = task.settings
    chosen = image or settings.get("image")
    if not chosen:
        raise BadSignature(
            f"Task {task.name} has no image: give App or @app.task image=, or --image on the command line."
        )
    return TaskDefinitionSpec(
        container=DefinitionContainer(
            image=chosen,
            command=("python", "-m", "celeriac.run", location, task.name),
            env=_env(settings.get("env")),
            resources=settings.get("resources"),
            image_pull_policy=settings.get("image_pull_policy"),
            working_dir=settings.get("working_dir"),
        ),
        pod=settings.get("pod"),
        params_schema=params_schema(task.signature),
        result_schema=result_schema(task.signature),
        defaults=_defaults(task),
        isolation=settings.get("isolation"),
        warm=settings.get("warm"),
        worker=settings.get("worker"),
        version=version or task.app.version or _tag(chosen),
    )


def _env(env: Mapping[str, str | EnvVarSource] | None) -> tuple[DefinitionEnvVar, ...] | None:
    if not env:
        return None
    return tuple(
        DefinitionEnvVar(name=name, value=value)
        if isinstance(value, str)
        else DefinitionEnvVar(name=name, value_from=value)
        for name, value in env.items()
    )


def _defaults(task: TaskFunction[..., Any, Any]) -> Defaults:
    settings = task.settings
    seconds = {name: settings.get(name) for name in Deadlines.model_fields}
    given = {name: value for name, value in seconds.items() if value is not None}
    return Defaults(
        queue_name=settings.get("queue") or declared_queue(task.app.routes, task.name),
        priority=settings.get("priority"),
        deadlines=Deadlines.model_validate(given) if given else None,
        retry=with_final_rule(settings.get("retry")),
        ttl_seconds_after_finished=settings.get("ttl_seconds_after_finished"),
    )


def _tag(image: str) -> str | None:
    found = _TAG.search(image)
    return found["tag"] if found else None
