"""The part of Kubernetes' API that the operator, kopf, the SDK and the command line use, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from aiohttp import web

from celeriac_operator.dev.kinds import NAMESPACES, Kind, Place, discovery, place_of
from celeriac_operator.dev.patches import BadPatch, merged, patched
from celeriac_operator.dev.pod_log import Wanted
from celeriac_operator.dev.schema import problems
from celeriac_operator.dev.selection import selected
from celeriac_operator.dev.store import Change, Conflict, Store, TooOld

Raw = dict[str, Any]
LogOf = Callable[[str, str, Wanted], AsyncGenerator[bytes, None] | None]
"""Namespace, pod, and what is wanted of its log: that, or None where there is none."""

_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
LARGEST_BODY = 3 * 1024 * 1024
_REASONS = {400: "BadRequest", 401: "Unauthorized", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict",
    410: "Expired", 422: "Invalid"}  # fmt: skip


class Refusal(Exception):  # noqa: N818 -- it is an answer
    """What the API server refuses.

    Args:
        details: of what object, which is how clients tell one that is missing from a kind that is not known.
    """

    def __init__(self, code: int, message: str, reason: str = "", details: Raw | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.reason, self._details = code, message, reason or _REASONS[code], details or {}

    @property
    def body(self) -> Raw:
        """The refusal as a Status."""
        meta = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "details": self._details}
        return {**meta, "code": self.code, "reason": self.reason, "message": self.message}


class ApiServer:
    """Answers over HTTP; whoever has no token is refused, since a Task is a command to run.

    Args:
        log_of: gives the logs of pods.
    """

    def __init__(self, store: Store, log_of: LogOf) -> None:
        self._store, self._log_of = store, log_of
        self.token = secrets.token_urlsafe(32)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """End all answers."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            if not secrets.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self.token}"):
                raise Refusal(401, "the kubeconfig of this `celeriac dev` has the token")
            return await self._route(request)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.code)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return web.json_response(Refusal(400, f"the request cannot be read: {error}").body, status=400)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        place = place_of(request.path)
        if place is None:
            found = discovery(request.path) if request.method == "GET" else None
            if found is None:
                raise Refusal(404, f"{request.path} is not there: `celeriac dev` has only what tasks need")
            return web.json_response(found)
        if place.subresource == "log":
            return await self._log(request, place)
        deeds: dict[str, Callable[[web.Request, Place], Awaitable[web.StreamResponse]]] = {
            "GET": self._get if place.name else self._collection,
            "POST": self._create,
            "PUT": self._replace,
            "PATCH": self._patch,
            "DELETE": self._delete if place.name else self._delete_all,
        }
        if request.method not in deeds:
            raise Refusal(405, f"{request.method} is not known")
        return await deeds[request.method](request, place)

    async def _get(self, _request: web.Request, place: Place) -> web.StreamResponse:
        return web.json_response(self._at(place))

    async def _collection(self, request: web.Request, place: Place) -> web.StreamResponse:
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request, place)
        meta = {"resourceVersion": str(self._store.version)}
        items = [raw for raw in self._store.list(place.kind, place.namespace) if _wanted(raw, request)]
        kind = {"kind": f"{place.kind.kind}List", "apiVersion": place.kind.api_version}
        return web.json_response({**kind, "metadata": meta, "items": items})

    async def _watch(self, request: web.Request, place: Place) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(float(request.query.get("timeoutSeconds") or 300)):
                await _send(response, request, self._news(request, place))
        return response

    async def _news(self, request: web.Request, place: Place) -> AsyncGenerator[bytes, None]:
        """What a watch tells, a line for each change."""
        since = request.query.get("resourceVersion")
        try:
            async for change in self._store.watch(place.kind, int(since) if since else None):
                if line := self._line(change, request, place):
                    yield json.dumps(line).encode() + b"\n"
        except TooOld:
            gone = {"type": "ERROR", "object": Refusal(410, "too old resource version").body}
            yield json.dumps(gone).encode() + b"\n"

    def _line(self, change: Change | None, request: web.Request, place: Place) -> Raw | None:
        """A change as a watch tells it. One that leaves the selection is not told; nobody here selects what changes."""
        if change is None:
            meta = {"resourceVersion": str(self._store.version)}
            bookmark = {"kind": place.kind.kind, "apiVersion": place.kind.api_version, "metadata": meta}
            wanted = request.query.get("allowWatchBookmarks") == "true"
            return {"type": "BOOKMARK", "object": bookmark} if wanted else None
        where = change.raw["metadata"].get("namespace")
        if place.namespace not in (None, where) or not _wanted(change.raw, request):
            return None
        return {"type": change.event, "object": change.raw}

    async def _create(self, request: web.Request, place: Place) -> web.StreamResponse:
        raw = await request.json()
        self._check(place, raw)
        if place.kind.ours:
            raw.pop("status", None)
        if request.query.get("dryRun"):
            return web.json_response(raw, status=201)
        try:
            made = self._store.create(place.kind, place.namespace or "", raw)
        except Conflict as conflict:
            raise Refusal(409, str(conflict), "AlreadyExists") from conflict
        return web.json_response(made, status=201)

    async def _replace(self, request: web.Request, place: Place) -> web.StreamResponse:
        return self._write(request, place, self._at(place), await request.json())

    async def _patch(self, request: web.Request, place: Place) -> web.StreamResponse:
        patch = await request.json()
        form = request.content_type
        old = self._store.get(place.kind, place.namespace or "", place.name or "")
        if old is None and form == "application/apply-patch+yaml":
            self._check(place, patch)
            return web.json_response(self._store.create(place.kind, place.namespace or "", patch), status=201)
        old = self._at(place)
        try:
            new = patched(old, patch) if form == "application/json-patch+json" else merged(old, patch)
        except BadPatch as error:
            raise Refusal(422, str(error)) from error
        return self._write(request, place, old, new)

    def _write(self, request: web.Request, place: Place, old: Raw, new: Raw) -> web.StreamResponse:
        """Keep the part that the path is about: an object, or its status."""
        if place.subresource == "status":
            new = {**old, "status": new.get("status"), "metadata": {**old["metadata"], **_guards(new)}}
        elif place.kind.ours:
            new = {key: value for key, value in {**new, "status": old.get("status")}.items() if value is not None}
            self._check(place, new)
        if request.query.get("dryRun"):
            return web.json_response(new)
        try:
            return web.json_response(self._store.update(place.kind, old, new))
        except Conflict as conflict:
            raise Refusal(409, str(conflict)) from conflict

    async def _delete(self, request: web.Request, place: Place) -> web.StreamResponse:
        raw = self._at(place)
        options = await request.json() if request.can_read_body else {}
        uid = ((options or {}).get("preconditions") or {}).get("uid")
        if uid not in (None, raw["metadata"]["uid"]):
            raise Refusal(409, "the uid in the precondition is not that of the object")
        self._remove(place, raw, options or {})
        return web.json_response(_SUCCESS)

    async def _delete_all(self, request: web.Request, place: Place) -> web.StreamResponse:
        for raw in [raw for raw in self._store.list(place.kind, place.namespace) if _wanted(raw, request)]:
            self._remove(place, raw, {})
        return web.json_response(_SUCCESS)

    def _remove(self, place: Place, raw: Raw, options: Raw) -> None:
        foreground = options.get("propagationPolicy") == "Foreground"
        self._store.delete(place.kind, raw, grace_seconds=options.get("gracePeriodSeconds"), foreground=foreground)

    async def _log(self, request: web.Request, place: Place) -> web.StreamResponse:
        self._at(Place(place.kind, place.namespace, place.name, None))
        lines = request.query.get("tailLines")
        follow, timestamps = (request.query.get(each) in ("true", "1") for each in ("follow", "timestamps"))
        wanted = Wanted(int(lines) if lines else None, follow, timestamps)
        log = self._log_of(place.namespace or "", place.name or "", wanted)
        if log is None:
            raise Refusal(400, f'container "task" in pod "{place.name}" is waiting to start: ContainerCreating')
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await _send(response, request, log)
        return response

    def _at(self, place: Place) -> Raw:
        found = self._store.get(place.kind, place.namespace or "", place.name or "")
        if found is None:
            raise _missing(place.kind, place.name or "")
        return found

    def _check(self, place: Place, raw: Raw) -> None:
        """What no API server would take."""
        if place.kind.namespaced and self._store.get(NAMESPACES, "", place.namespace or "") is None:
            raise _missing(NAMESPACES, place.namespace or "", ": `celeriac dev` has one, see its --namespace")
        wrong = problems(place.kind.kind, raw.get("spec") or {}) if place.kind.ours else []
        if wrong:
            name = raw["metadata"].get("name", "")
            raise Refusal(422, f'{place.kind.kind} "{name}" is invalid: {"; ".join(wrong[:5])}')


async def _send(response: web.StreamResponse, request: web.Request, chunks: AsyncGenerator[bytes, None]) -> None:
    """Pass on what comes, until its end or until the client has gone, which is a usual end of a watch or a log."""
    async with contextlib.aclosing(chunks):
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            async for chunk in chunks:
                await response.write(chunk)


def _missing(kind: Kind, name: str, hint: str = "") -> Refusal:
    """What Kubernetes answers where there is no object of that name."""
    details = {"name": name, "kind": kind.plural, **({"group": kind.group} if kind.group else {})}
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return Refusal(404, f'{resource} "{name}" not found{hint}', details=details)


def _guards(new: Raw) -> Raw:
    """What a status write asks to be still so."""
    return {field: new["metadata"][field] for field in ("uid", "resourceVersion") if field in new["metadata"]}


def _wanted(raw: Raw, request: web.Request) -> bool:
    return selected(raw, request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
