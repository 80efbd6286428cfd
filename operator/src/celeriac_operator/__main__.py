"""``python -m celeriac_operator``: settings, app, run."""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from celeriac_operator.app import App, die
from celeriac_operator.fence import Fence, boot_time
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.logs import configure_logs
from celeriac_operator.settings import Settings


async def run(settings: Settings) -> None:
    """Connect, and run until a signal asks for the end."""
    fence = Fence(settings.shards, boot_time, die)
    kube = await KubeApi.connect(fence.permit)
    try:
        await App(settings, kube, fence).run()
    finally:
        await kube.close()


DEEPEST_JSON = 10_000
"""The API server's own limit. Python's parser recurses: at its usual limit one deep object would end every watch."""


def _problem(error: ErrorDetails) -> str:
    """What is wrong with a setting, or with several together."""
    told = error["msg"].removeprefix("Value error, ")
    return f"CELERIAC_{str(error['loc'][0]).upper()}: {told}" if error["loc"] else told


def main() -> None:
    """Read the settings, from the environment or as options (``--shards 2``), and run.

    Wrong settings are a sentence, not a traceback.
    """
    try:
        settings = Settings(_cli_parse_args=True, _cli_kebab_case=True, _cli_prog_name="celeriac-operator")
    except ValidationError as error:
        sys.exit(f"celeriac-operator: {'; '.join(_problem(each) for each in error.errors())}")
    gc.set_threshold(50_000, 20, 50)  # most of what lives, lives long: looking through it often is wasted
    sys.setrecursionlimit(DEEPEST_JSON + 1_000)
    configure_logs(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))


if __name__ == "__main__":
    main()
