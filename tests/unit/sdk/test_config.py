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


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("", "it is empty: correct kubeconfig=", id="an empty file"),
        pytest.param("# later\n", "it is empty", id="only a comment"),
        pytest.param("{", "it cannot be read as YAML: while parsing a flow node", id="no YAML"),
        pytest.param(b"\xff\xfe", "it cannot be read as YAML", id="no text"),
        pytest.param("[]", "no kubeconfig: it has no clusters", id="a list"),
        pytest.param("hello", "no kubeconfig: it has no clusters", id="a word"),
        pytest.param("{}", "Expected key current-context", id="nothing in it"),
        pytest.param("clusters: 3", "clusters is not a list of entries that have a name", id="a number of clusters"),
        pytest.param("users: [{user: u}]", "users is not a list of entries that have a name", id="a user without name"),
    ],
)
async def test_a_file_that_is_not_a_kubeconfig(tmp_path: Path, content: str | bytes, why: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(errors.ConnectionFailed) as told:
        await load_connection(str(file), None)

    assert str(told.value).startswith(f"The kubeconfig {file} is not usable: ")
    assert why in str(told.value)
    assert not {"NoneType", "indices", "iterable", "attribute"} & set(str(told.value).split())


@pytest.mark.parametrize("order", [("empty", "whole"), ("whole", "empty")], ids=["before it", "after it"])
async def test_an_empty_file_among_several_is_left_out_as_kubectl_does(tmp_path: Path, order: tuple[str, str]) -> None:
    (tmp_path / "empty").touch()
    write_kubeconfig(tmp_path / "whole", "http://whole", "t")

    connection = await load_connection(":".join(str(tmp_path / name) for name in order), None)

    assert connection.configuration.host == "http://whole"


async def test_which_of_several_files_is_no_kubeconfig_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("[]")
    write_kubeconfig(tmp_path / "whole", "http://whole", "t")

    with pytest.raises(errors.ConnectionFailed, match=f"The kubeconfig {tmp_path / 'broken'} is not usable"):
        await load_connection(f"{tmp_path / 'whole'}:{tmp_path / 'broken'}", None)


async def test_a_context_that_does_not_exist(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "config", "http://a", "t")

    with pytest.raises(errors.ConnectionFailed, match="nope"):
        await load_connection(str(tmp_path / "config"), "nope")


async def test_a_pod_whose_account_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_account(tmp_path / "account", monkeypatch)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")

    with pytest.raises(errors.ConnectionFailed, match="service account cannot be used"):
        await load_connection(None, None)
