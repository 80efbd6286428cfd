"""The pod's service account: its token is replaced while the operator runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.aio.config import incluster_config

from celeriac_operator.kube import credentials


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a pod has."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name, file in (("SERVICE_TOKEN_FILENAME", "token"), ("SERVICE_CERT_FILENAME", "ca.crt")):
        (tmp_path / file).write_text(f"{file}\n")
        monkeypatch.setattr(incluster_config, name, str(tmp_path / file))
    return tmp_path


async def test_each_request_has_the_token_that_its_file_has_then(account: Path) -> None:
    configuration = await credentials.found()
    said = []
    for token in ("first", "second"):
        (account / "token").write_text(f"{token}\n")
        said.append((await configuration.auth_settings())["BearerToken"]["value"])

    assert ["Bearer first", "Bearer second"] == said
    assert "https://[fd00::1]:443" == configuration.host


def test_a_kubeconfig_that_is_named_comes_first(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert credentials.in_pod()
    monkeypatch.setenv("KUBECONFIG", str(account / "config"))
    assert not credentials.in_pod()
