"""Kubernetes Events, for ``kubectl describe``: retries, warnings and failures only. Losing one loses nothing else."""

from __future__ import annotations

import hashlib
from datetime import datetime

from celeriac.api.v1alpha1 import API_VERSION
from celeriac_operator.core.cron.facts import CronFacts
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.names import FIELD_MANAGER
from celeriac_operator.core.plan import Event
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.metrics import EVENTS_DROPPED


async def post(kube: KubeApi, task: TaskFacts | CronFacts, event: Event, now: datetime) -> None:
    """Post an Event about the object, once: the same one again has the same name."""
    seed = f"{task.uid}/{event.reason}/{event.message}"
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"{task.key.name[:200]}.{hashlib.sha256(seed.encode()).hexdigest()[:16]}"
    involved = {
        "apiVersion": API_VERSION,
        "kind": "CronTask" if isinstance(task, CronFacts) else "Task",
        "namespace": task.key.namespace,
        "name": task.key.name,
        "uid": task.uid,
    }
    manifest = {
        "metadata": {"name": name, "namespace": task.key.namespace},
        "involvedObject": involved,
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
    try:
        await kube.create(api.EVENTS, task.key.namespace, manifest)
    except (ApiError, OSError, TimeoutError):
        EVENTS_DROPPED.inc()
