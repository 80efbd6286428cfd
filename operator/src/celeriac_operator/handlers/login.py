"""kopf's login, which goes on where credentials are refused for a while.

kopf asks again once it was answered 401, and where it is given what was refused it ends, or waits for ever. But an API
server that has just started refuses good credentials, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from celeriac_operator.kube.credentials import in_pod, of_pod

PAUSE_SECONDS = 1.0
FRESH = timedelta(hours=1)
"""How long before a token is read anew, as the kubelet replaces it now and then."""


def _found(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The pod's service account, or the kubeconfig; the API server where KubeApi finds it, so that no DNS is needed."""
    if not in_pod():
        return kopf.login_with_kubeconfig(**kwargs)
    found = kopf.login_with_service_account(**kwargs)
    return replace(found, server=of_pod().host) if found is not None else None


class Login:
    """Answers kopf. No two answers are the same to it, as each lasts until another moment.

    Args:
        find: the credentials of now.
        pause: waits, before every answer but the first.
    """

    def __init__(
        self,
        find: Callable[..., kopf.ConnectionInfo | None] = _found,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._find, self._pause = find, pause
        self._asked = False

    async def log_in(self, **kwargs: Any) -> kopf.ConnectionInfo | None:
        """The credentials, if there are any."""
        if self._asked:
            await self._pause(PAUSE_SECONDS)
        self._asked = True
        found = self._find(**kwargs)
        return replace(found, expiration=datetime.now(UTC) + FRESH) if found is not None else None
