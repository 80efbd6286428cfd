"""What only the operator knows, asked of it through the API server's proxy where the caller may use that.

It is a help for people: whatever is in the way is told as a sentence, and is never an error.
"""

from __future__ import annotations

from urllib.parse import quote

from celeriac import errors
from celeriac._api import Api
from celeriac._explain import Answer
from celeriac._wire import Call, Unreachable

SERVICES = "/api/v1/services"
OPERATOR = "app.kubernetes.io/name=celeriac"
PORT = "http"
TRIES = 12
"""A Service gives any replica, and only one works on the namespace; the others answer 503."""


async def ask_why(api: Api, namespace: str, name: str) -> Answer:
    """What the operator says to why a Task waits: reason, message, position."""
    path = f"api/v1/namespaces/{quote(namespace, safe='')}/tasks/{quote(name, safe='')}/why"
    try:
        services, _ = await api.items(SERVICES, (("labelSelector", OPERATOR),))
    except errors.Forbidden:
        return Answer(silence="you may not list Services, so the operator was not asked")
    except errors.CeleriacError as error:
        return Answer(silence=f"the operator was not asked: {error}")
    silence = "the operator was not asked: its Service was not found"
    for service in services:
        meta = service["metadata"]
        proxy = f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}:{PORT}/proxy/{path}"
        answer = await _ask(api, proxy)
        if answer.said is not None:
            return answer
        silence = answer.silence
    return Answer(silence=silence)


async def _ask(api: Api, path: str) -> Answer:
    silence = ""
    for _ in range(TRIES):
        try:
            reply = await api.transport.request(Call("GET", path))
        except Unreachable as error:
            return Answer(silence=f"the operator could not be asked: {error}")
        if reply.status == 200:
            return Answer(reply.json())
        if reply.status in (401, 403):
            return Answer(silence="you may not use the proxy of Services, so the operator was not asked")
        silence = f"the operator did not answer (HTTP {reply.status})"
        if reply.status != 503:
            break
    return Answer(silence=silence)
