"""A last look for who has waited in vain, or who only wants to know: a wait of no time finds what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from celeriac import errors

LOOK_SECONDS = 1.0
"""Who has waited in vain is told how the task is, if that takes no longer."""

T = TypeVar("T")


async def soon(look: Awaitable[T]) -> T | None:
    """What is seen, or None where it cannot be seen soon: who asks has waited already."""
    with suppress(TimeoutError, errors.CeleriacError):
        async with asyncio.timeout(LOOK_SECONDS):
            return await look
    return None
