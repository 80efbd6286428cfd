"""/metrics, /healthz and /readyz, and what else is to be served."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from celeriac_operator.metrics import REGISTRY


async def serve(
    port: int,
    *,
    problems: Callable[[], list[str]],
    ready: Callable[[], bool],
    refresh: Callable[[], None],
    routes: Iterable[web.RouteDef] = (),
) -> web.AppRunner:
    """Serve until the runner is cleaned up.

    Args:
        problems: what is wrong, for /healthz: each a sentence.
        ready: whether the cache is filled.
        refresh: brings gauges up to date before they are read.
        routes: further paths.
    """

    async def metrics(_: web.Request) -> web.Response:
        refresh()
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        found = problems()
        return web.Response(text="\n".join(found) or "ok", status=503 if found else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok" if ready() else "filling the cache", status=200 if ready() else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104  a pod's port is for the cluster
    return runner
