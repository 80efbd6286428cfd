"""kopf's credentials: what is read anew is never what was refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from celeriac_operator.handlers.login import Login
from celeriac_operator.handlers.settings import kopf_settings


def kubeconfig(token: str) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "https://a.example"}}],
            "users": [{"name": "c", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }
    )


@pytest.mark.parametrize("second", ["old", "new"])
async def test_what_is_read_anew_differs_from_what_was_refused(
    second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, login = tmp_path / "kubeconfig", Login(pause=0)
    monkeypatch.setenv("KUBECONFIG", str(file))
    file.write_text(kubeconfig("old"))
    refused = await login.log_in(settings=kopf_settings())
    file.write_text(kubeconfig(second))
    anew = await login.log_in(settings=kopf_settings())

    assert anew != refused
    assert (anew and anew.server, anew and anew.token) == ("https://a.example", second)


async def test_without_credentials_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert await Login().log_in(settings=kopf_settings()) is None
