"""How the runner in a pod reaches NATS; a container without runner gets none of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import EFFECTIVE, make_container, make_revision, make_task, pin
from tests.support.clock import at
from tests.unit.manifests.test_job import violations_of_restricted

from celeriac.api.v1alpha1 import Resources
from celeriac_operator.core.facts import Accepted
from celeriac_operator.core.plan import CreateJob
from celeriac_operator.manifests.job import build_job
from celeriac_operator.manifests.runner import RunnerAccess

RUNNER = ["python", "-m", "celeriac.run", "media:app", "resize"]
DEFINED = make_revision(container={"image": "media:1.4", "command": RUNNER})
URL = {"name": "CELERIAC_NATS_URL", "value": "nats://nats:4222"}
FILE = {"name": "CELERIAC_NATS_CREDS", "value": "/var/run/celeriac/nats/creds"}
PASSWORD = {"name": "CELERIAC_NATS_PASSWORD_FILE", "value": "/var/run/celeriac/nats/CELERIAC_NATS_PASSWORD"}
SECRET = {"secretRef": {"name": "media-nats", "optional": True}}
ALL = RunnerAccess("nats://nats:4222", "media-nats")
CREDS = RunnerAccess("nats://nats:4222", "media-nats", creds=True)


def pod(access: RunnerAccess, revision: Any = None, **spec: Any) -> dict[str, Any]:
    accepted = Accepted(EFFECTIVE, pin(revision) if revision else None)
    fields = {**spec, **({"definition_name": "resize"} if revision else {})}
    job = build_job(make_task(**fields), CreateJob(1, accepted, revision), Resources(), at(5), access)
    return job["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def nats_of(found: dict[str, Any]) -> tuple[list[Any], list[Any], list[str]]:
    (container,) = found["containers"]
    env = [each for each in container["env"] if each["name"].startswith("CELERIAC_NATS_")]
    return env, container.get("envFrom", []), [volume["name"] for volume in found["volumes"]][1:]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            pod(ALL, DEFINED),
            ([URL, PASSWORD], [SECRET], ["celeriac-nats"]),
            id="a definition's runner gets URL and credentials, the password as a file, too",
        ),
        pytest.param(
            pod(CREDS, DEFINED), ([URL, FILE], [], ["celeriac-nats"]), id="a .creds file is mounted, and no variable"
        ),
        pytest.param(
            pod(ALL, container=make_container(command=RUNNER)),
            ([URL], [], []),
            id="a Task's own container gets no secret, whatever it runs",
        ),
        pytest.param(pod(ALL, make_revision()), ([], [], []), id="a container without runner gets nothing"),
        pytest.param(pod(RunnerAccess(), DEFINED), ([], [], []), id="without NATS nobody gets anything"),
        pytest.param(
            pod(RunnerAccess(secret="media-nats"), DEFINED),
            ([PASSWORD], [SECRET], ["celeriac-nats"]),
            id="the Secret may say the URL itself",
        ),
    ],
)
def test_what_a_pod_gets(found: dict[str, Any], expected: tuple[list[Any], list[Any], list[str]]) -> None:
    assert expected == nats_of(found)
    assert violations_of_restricted(found) == []


@pytest.mark.parametrize("access", [CREDS, ALL], ids=["creds", "password"])
def test_a_file_of_credentials_may_be_missing_and_cannot_be_written(access: RunnerAccess) -> None:
    found = pod(access, DEFINED)
    (volume,) = (volume for volume in found["volumes"] if volume["name"] == "celeriac-nats")
    (mount,) = (mount for mount in found["containers"][0]["volumeMounts"] if mount["name"] == "celeriac-nats")
    assert (volume["secret"]["optional"], mount["readOnly"]) == (True, True)
