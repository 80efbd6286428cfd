"""kopf's login: what was refused once may be good."""

from __future__ import annotations

from typing import Any

import kopf
from kopf._cogs.structs.credentials import Vault, VaultKey

from celeriac_operator.handlers.login import PAUSE_SECONDS, Login

KEY = VaultKey("login")
INFO = kopf.ConnectionInfo(server="https://kube", token="t")


class Pauses(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def found(**_: Any) -> kopf.ConnectionInfo | None:
    return INFO


async def test_what_was_refused_is_tried_again_and_not_at_once() -> None:
    pauses = Pauses()
    login = Login(found, pauses)
    first = await login.log_in()
    vault = Vault({KEY: first})
    vault._invalid[KEY] = [vault._current.pop(KEY)]
    assert pauses == []

    second = await login.log_in()
    vault._update_converted({KEY: second})

    assert not vault.is_empty()
    assert pauses == [PAUSE_SECONDS]
    assert second is not None
    assert (second.server, second.token) == (INFO.server, INFO.token)


async def test_where_nothing_is_found_there_is_nothing() -> None:
    assert await Login(lambda **_: None, Pauses()).log_in() is None
