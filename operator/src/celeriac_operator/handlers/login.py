"""kopf's credentials: read anew when the API server refuses them, for as long as that takes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

_NEVER = timedelta(days=3650)


class Login:
    """The pod's service account, or the kubeconfig where there is none; as KubeApi does.

    kopf ends, and does not even get to its end, where what is read anew equals what was refused. So the moment is part
    of it: a refusal is trouble of the API server like any other, and waited for.

    Args:
        pause: seconds between two readings.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self._pause, self._before = pause, False

    async def log_in(self, **kwargs: Any) -> kopf.ConnectionInfo | None:
        """What is there now; None where there is nothing."""
        if self._before:
            await asyncio.sleep(self._pause)
        self._before = True
        found = kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
        return found and replace(found, expiration=datetime.now(UTC) + _NEVER)
