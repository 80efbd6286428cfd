"""Asking the operator through the API server's proxy: whatever is in the way is a sentence, never an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.sdk.fake_api import FakeApi, status

from celeriac._api import Api
from celeriac._explain import Answer
from celeriac._operator import TRIES, ask_why
from celeriac._wire import Call, Reply, Unreachable

SERVICE = {"metadata": {"name": "celeriac-metrics", "namespace": "sys"}}
PROXY = "/api/v1/namespaces/sys/services/celeriac-metrics:http/proxy/api/v1/namespaces/team/tasks/n/why"
SAID = {"position": 3, "reason": "QueueFull", "message": "Waiting"}


def services(*items: Any) -> Reply:
    return Reply(200, json.dumps({"metadata": {}, "items": list(items)}).encode())


def said() -> Reply:
    return Reply(200, json.dumps(SAID).encode())


def broken(_: Call) -> Reply:
    raise Unreachable("reset by peer")


ELSEWHERE = status(503, "ServiceUnavailable", "another replica works on namespace team")
ANSWERS: dict[str, tuple[list[Reply | Callable[[Call], Reply]], Answer]] = {
    "the operator answers": ([services(SERVICE), said()], Answer(SAID)),
    "another replica answers at last": ([services(SERVICE), ELSEWHERE, ELSEWHERE, said()], Answer(SAID)),
    "no replica works on the namespace": (
        [services(SERVICE), *[ELSEWHERE] * TRIES],
        Answer(None, "the operator did not answer (HTTP 503)"),
    ),
    "Services may not be listed": (
        [status(403, "Forbidden", "no")],
        Answer(None, "you may not list Services, so the operator was not asked"),
    ),
    "the proxy may not be used": (
        [services(SERVICE), status(403, "Forbidden", "no")],
        Answer(None, "you may not use the proxy of Services, so the operator was not asked"),
    ),
    "there is no Service": ([services()], Answer(None, "the operator was not asked: its Service was not found")),
    "the operator does not know the task": (
        [services(SERVICE), status(404, "NotFound")],
        Answer(None, "the operator did not answer (HTTP 404)"),
    ),
    "the connection breaks": (
        [services(SERVICE), broken],
        Answer(None, "the operator could not be asked: reset by peer"),
    ),
    "the second release answers": ([services(SERVICE, SERVICE), status(404, "NotFound"), said()], Answer(SAID)),
}


@pytest.mark.parametrize(("replies", "expected"), ANSWERS.values(), ids=list(ANSWERS))
async def test_asking(fake: FakeApi, replies: list[Any], expected: Answer) -> None:
    fake.faults = list(replies)

    assert expected == await ask_why(Api(fake), "team", "n")
    assert not fake.faults, "nothing more was to be asked"


async def test_the_way_to_the_operator(fake: FakeApi) -> None:
    fake.faults = [services(SERVICE), said()]
    await ask_why(Api(fake), "team", "n")

    assert ["/api/v1/services", PROXY] == [call.path for call in fake.calls]
    assert ("labelSelector", "app.kubernetes.io/name=celeriac") in fake.calls[0].query
