"""What tasks cost if nothing is done with them: each is created, and its status is written once.

A process of its own, with the operator's connection to the API server: as many calls at once as the operator has.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from e2e.support.kube import Obj

from celeriac_operator.kube import api
from celeriac_operator.kube.api import CONNECTIONS, KubeApi


def seconds(kubeconfig: Path, namespace: str, tasks: Sequence[Obj]) -> float:
    """From before the first is created until the last has the status that it had.

    Args:
        namespace: one that no operator works on.
        tasks: finished ones, as the API server has them.
    """
    argv = [sys.executable, "-m", "e2e.bench.worker_floor", namespace]
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    done = subprocess.run(argv, input=json.dumps(tasks), env=environ, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


async def _write_all(namespace: str, tasks: Sequence[Obj]) -> float:
    kube, left = await KubeApi.connect(), iter(tasks)

    async def write() -> None:
        for task in left:
            await _write(kube, namespace, task)

    try:
        await kube.get(api.TASKS, namespace, "there-is-none")  # connected, and warm
        began = time.monotonic()
        await asyncio.gather(*(write() for _ in range(CONNECTIONS)))
        return time.monotonic() - began
    finally:
        await kube.close()


async def _write(kube: KubeApi, namespace: str, task: Obj) -> None:
    name = task["metadata"]["name"]
    meta = {"name": name, "annotations": task["metadata"].get("annotations", {})}
    manifest = {"apiVersion": task["apiVersion"], "kind": task["kind"], "metadata": meta, "spec": task["spec"]}
    made = await kube.create(api.TASKS, namespace, manifest, strict=True)
    await kube.write_status(api.TASKS, namespace, name, made["metadata"]["resourceVersion"], task["status"])


if __name__ == "__main__":
    print(uvloop.run(_write_all(sys.argv[1], json.load(sys.stdin))))
