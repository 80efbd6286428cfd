"""From refusals of the API server to typed errors."""

from __future__ import annotations

import pytest
from tests.unit.sdk.fake_api import TASKS, status

from celeriac import errors
from celeriac._refusals import error_of_reply
from celeriac._wire import Call, Reply

QUOTA = 'tasks "a" is forbidden: exceeded quota: q, requested: count/tasks.celeriac.dev=1, used: 5, limited: 5'
OTHER_QUOTA = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: 5, limited: 5'


@pytest.mark.parametrize(
    ("reply", "expected", "advice"),
    [
        pytest.param(status(401, "Unauthorized"), errors.Forbidden, "log in again", id="expired credentials"),
        pytest.param(status(403, "Forbidden", QUOTA), errors.QueueFull, "Submit again", id="a used-up quota of tasks"),
        pytest.param(status(403, "Forbidden", OTHER_QUOTA), errors.Forbidden, "doctor", id="another quota"),
        pytest.param(status(403, "Forbidden", "cannot create"), errors.Forbidden, "doctor", id="a missing right"),
        pytest.param(
            status(403, "Forbidden", "namespace team is being terminated"),
            errors.RequestRejected,
            "another namespace",
            id="a namespace on its way out",
        ),
        pytest.param(
            status(404, "NotFound", kind="tasks", name="a"), errors.TaskNotFound, "celeriac list", id="no such task"
        ),
        pytest.param(
            status(404, "NotFound", kind="namespaces", name="team"),
            errors.RequestRejected,
            "kubectl create namespace team",
            id="no such namespace",
        ),
        pytest.param(Reply(404, b"404 page not found\n"), errors.NotInstalled, "Helm chart", id="no such API group"),
        pytest.param(
            status(404, "NotFound", "the server could not find the requested resource"),
            errors.NotInstalled,
            "Helm chart",
            id="no such resource",
        ),
        pytest.param(status(409, "AlreadyExists", "exists"), errors.AlreadyExists, "exists", id="a used name"),
        pytest.param(status(409, "Conflict"), errors.RequestRejected, "Try again", id="a conflict"),
        pytest.param(
            status(400, "BadRequest", 'strict decoding error: unknown field "spec.x"'),
            errors.InvalidTask,
            "too old",
            id="a field that the cluster does not know",
        ),
        pytest.param(status(400, "BadRequest", "no"), errors.RequestRejected, "no", id="another bad request"),
        pytest.param(
            status(413, "RequestEntityTooLarge"), errors.InvalidTask, "store", id="a request that is too large"
        ),
        pytest.param(status(503, "ServiceUnavailable"), errors.ConnectionFailed, "in a while", id="an outage"),
        pytest.param(Reply(502, b"<html>bad gateway"), errors.ConnectionFailed, "bad gateway", id="a proxy's page"),
        pytest.param(status(418, "Teapot"), errors.RequestRejected, "418", id="anything else"),
    ],
)
def test_error_of_reply(reply: Reply, expected: type[errors.CeleriacError], advice: str) -> None:
    error = error_of_reply(Call("POST", TASKS), reply)

    assert expected is type(error)
    assert advice in str(error)


def test_an_invalid_task_names_every_field_that_is_wrong() -> None:
    causes = [{"field": "spec.priority", "message": "too high"}, {"field": "spec.queueName", "message": "too long"}]

    error = error_of_reply(Call("POST", TASKS), status(422, "Invalid", "whole", causes=causes))

    assert isinstance(error, errors.InvalidTask)
    assert error.fields == (("spec.priority", "too high"), ("spec.queueName", "too long"))
    assert "spec.priority: too high; spec.queueName: too long" in str(error)
