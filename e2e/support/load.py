"""Audited Tasks of all sorts, each with the end that it must have."""

import os

from e2e.support.audit import definition_for, script
from e2e.support.kube import Obj
from e2e.support.manifests import backoff, task_of

SEED = int(os.environ.get("CELERIAC_E2E_SEED", "20261123"))


def audited(name: str, seconds: int, failures: int, pause: int = 0, mode: str = "Pod") -> Obj:
    """A Task that runs so long, after so many failures, with so many seconds between two attempts."""
    params: Obj = {"seconds": str(seconds), "failures": str(failures)}
    if mode != "Pod":
        run = f"subprocess.check_call({['sh', '-c', script(seconds, failures)]!r})"
        params = {"stmt": run, "setup": "import subprocess", "number": 1}
    retry = {"maxAttempts": 3, "backoff": backoff(pause)}
    return task_of(definition_for(mode), name, params=params, retry=retry)


def load(prefix: str, count: int, mode: str = "Pod") -> dict[str, tuple[Obj, str]]:
    """Tasks of all sorts, each with the phase in which it must end."""
    sorts = ((0, 0, "Succeeded"), (1, 1, "Succeeded"), (2, 0, "Succeeded"), (0, 5, "Failed"), (0, 2, "Succeeded"))
    found = {}
    for number in range(count):
        seconds, failures, phase = sorts[number % len(sorts)]
        name = f"{prefix}-{number}"
        found[name] = (audited(name, seconds, failures, mode=mode), phase)
    return found
