"""``python -m celeriac_operator``: settings, app, run."""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop
from pydantic import ValidationError

from celeriac_operator.app import App
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.logs import configure_logs
from celeriac_operator.settings import Settings


async def run(settings: Settings) -> None:
    """Connect and run until a signal asks for the end."""
    kube = await KubeApi.connect()
    try:
        await App(settings, kube).run()
    finally:
        await kube.close()


DEEPEST_JSON = 10_000
"""The API server's own limit. Python's parser recurses: at its usual limit one deep object would end every watch."""


def main() -> None:
    """Read the settings and run; wrong settings are a sentence, not a traceback."""
    try:
        settings = Settings()
    except ValidationError as error:
        problems = "; ".join(f"CELERIAC_{str(p['loc'][0]).upper()}: {p['msg']}" for p in error.errors())
        sys.exit(f"celeriac-operator: {problems}")
    gc.set_threshold(50_000, 20, 50)  # most of what lives, lives long: looking through it often is wasted
    sys.setrecursionlimit(DEEPEST_JSON + 1_000)
    configure_logs(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))


if __name__ == "__main__":
    main()
