"""Where the cluster is: files, environment, pod."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.sdk.test_kubernetes import write_kubeconfig

from celeriac import errors
from celeriac._config import load_connection


@pytest.fixture(autouse=True)
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any configuration."""
    for name in ("CELERIAC_KUBECONFIG", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("celeriac._config.SERVICE_ACCOUNT", tmp_path / "account")


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        pytest.param(
            ["argument", "CELERIAC_KUBECONFIG", "KUBECONFIG", "home"], "argument", id="the argument before all"
        ),
        pytest.param(["CELERIAC_KUBECONFIG", "KUBECONFIG", "home"], "CELERIAC_KUBECONFIG", id="ours before kubectl's"),
        pytest.param(["KUBECONFIG", "home"], "KUBECONFIG", id="the variable before the default file"),
        pytest.param(["home", "pod"], "home", id="the default file before the pod"),
        pytest.param(["pod"], "pod", id="the pod"),
    ],
)
async def test_order(places: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    for place in places:
        path = tmp_path / "home/.kube/config" if place == "home" else tmp_path / place
        if place == "pod":
            make_account(tmp_path / "account", monkeypatch)
        else:
            write_kubeconfig(path, f"http://{place.lower()}", "t")
        if place.isupper():
            monkeypatch.setenv(place, str(path))

    connection = await load_connection(str(tmp_path / "argument") if "argument" in places else None, None)

    assert connection.configuration.host == (
        "https://10.0.0.1:443" if expected == "pod" else f"http://{expected.lower()}"
    )
    assert connection.namespace == ("ours" if expected == "pod" else "team")


def make_account(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.mkdir()
    for name, text in (("token", "t"), ("ca.crt", "c"), ("namespace", "ours\n")):
        (path / name).write_text(text)
    loader = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(path / "token"))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


async def test_no_configuration_at_all() -> None:
    with pytest.raises(errors.ConnectionFailed, match="set KUBECONFIG"):
        await load_connection(None, None)


@pytest.mark.parametrize(
    ("argument", "variables", "correct"),
    [
        pytest.param(None, ["KUBECONFIG"], "KUBECONFIG", id="kubectl's variable"),
        pytest.param(None, ["CELERIAC_KUBECONFIG", "KUBECONFIG"], "CELERIAC_KUBECONFIG", id="ours"),
        pytest.param("/nowhere/config", ["KUBECONFIG"], "kubeconfig=", id="the argument"),
    ],
)
async def test_a_file_that_does_not_exist_is_named_with_who_named_it(
    monkeypatch: pytest.MonkeyPatch, argument: str | None, variables: list[str], correct: str
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "/nowhere/config")

    with pytest.raises(errors.ConnectionFailed, match=f"/nowhere/config does not exist: correct {correct} or"):
        await load_connection(argument, None)


async def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "")

    with pytest.raises(errors.ConnectionFailed, match="set KUBECONFIG"):
        await load_connection(None, None)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "clusters: 3"], ids=["no YAML", "a list", "empty", "wrong types"])
async def test_a_file_that_is_not_a_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(errors.ConnectionFailed, match="is not usable"):
        await load_connection(str(tmp_path / "config"), None)


async def test_a_context_that_does_not_exist(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "config", "http://a", "t")

    with pytest.raises(errors.ConnectionFailed, match="nope"):
        await load_connection(str(tmp_path / "config"), "nope")


async def test_a_pod_whose_account_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_account(tmp_path / "account", monkeypatch)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")

    with pytest.raises(errors.ConnectionFailed, match="service account cannot be used"):
        await load_connection(None, None)
