"""Settings of NATS connections: what the environment says, and what becomes of it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from celeriac._nats_options import NatsOptions, connect_arguments

URL = "nats://a:4222"


def test_the_environment_is_read_by_name() -> None:
    names = ("URL", "CREDS", "NKEY", "USER", "PASSWORD", "PASSWORD_FILE", "CA", "CERT", "KEY", "INBOX_PREFIX")

    options = NatsOptions.from_env({f"CELERIAC_NATS_{name}": name.lower() for name in names} | {"HOME": "/x"})

    assert NatsOptions(*(name.lower() for name in names)) == options


@pytest.mark.parametrize("env", [{}, {"CELERIAC_NATS_URL": ""}, {"CELERIAC_NATS_URL": " , "}], ids=repr)
def test_without_a_url_there_is_no_nats(env: dict[str, str]) -> None:
    assert not NatsOptions.from_env(env).enabled


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert NatsOptions() == NatsOptions.from_env({"CELERIAC_NATS_CREDS": "", "CELERIAC_NATS_USER": ""})


def test_servers_are_separated_by_commas_and_reconnected_to_for_ever() -> None:
    arguments = connect_arguments(NatsOptions(" nats://a:4222, nats://b:4222,"))

    assert (["nats://a:4222", "nats://b:4222"], -1) == (arguments["servers"], arguments["max_reconnect_attempts"])
    assert "tls" not in arguments


def test_no_secret_is_in_a_repr() -> None:
    assert "hunter2" not in repr(NatsOptions(URL, user="u", password="hunter2"))


@pytest.mark.parametrize(
    ("setting", "argument"), [("creds", "user_credentials"), ("nkey", "nkeys_seed")], ids=["creds file", "nkey seed"]
)
def test_a_credentials_file_is_passed_on(setting: str, argument: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    given: dict[str, Any] = {setting: str(tmp_path / "file")}

    assert str(tmp_path / "file") == connect_arguments(NatsOptions(URL, **given))[argument]


@pytest.mark.parametrize(
    ("written", "password", "said"),
    [
        pytest.param(None, "p", "p", id="no file: the variable counts"),
        pytest.param("q\n", "p", "q", id="a file: it counts"),
        pytest.param("q", None, "q", id="a file and no variable"),
    ],
)
def test_user_and_password_are_passed_on(written: str | None, password: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if written is not None:
        file.write_text(written)

    arguments = connect_arguments(NatsOptions(URL, user="u", password=password, password_file=str(file)))

    assert ("u", said) == (arguments["user"], arguments["password"]())


def test_each_connection_has_the_password_that_the_file_has_then(tmp_path: Path) -> None:
    file = tmp_path / "password"
    password = connect_arguments(NatsOptions(URL, user="u", password="p", password_file=str(file)))["password"]
    said = [password()]
    for text in ("first", "second"):
        file.write_text(text)
        said.append(password())

    assert ["p", "first", "second"] == said


@pytest.mark.parametrize(("given", "used"), [(None, "_INBOX"), ("_INBOX_media", "_INBOX_media")], ids=repr)
def test_answers_come_where_the_user_may_listen(given: str | None, used: str) -> None:
    assert used == connect_arguments(NatsOptions(URL, inbox_prefix=given))["inbox_prefix"]


def test_a_tls_url_verifies_the_server() -> None:
    context = connect_arguments(NatsOptions("tls://a:4222"))["tls"]

    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "CELERIAC_NATS_URL is empty"),
        ({"url": "nope://x"}, r"server 1 of CELERIAC_NATS_URL \(nats_url\) .*: nope:// is none of nats://, tls://"),
        ({"url": f"{URL}, nats://u:p@"}, "server 2 of .*: it names no host"),
        ({"url": "nats://a:x"}, "server 1 of .*: its host or its port cannot be read. Give one such as nats://nats"),
        ({"url": URL, "user": "u"}, "CELERIAC_NATS_USER and CELERIAC_NATS_PASSWORD go together"),
        ({"url": URL, "cert": "c"}, "CELERIAC_NATS_CERT and CELERIAC_NATS_KEY go together"),
        (
            {"url": URL, "creds": "c", "nkey": "k"},
            "CELERIAC_NATS_CREDS and CELERIAC_NATS_NKEY are set",
        ),
    ],
    ids=[
        "no server",
        "a scheme of nothing that NATS speaks",
        "a server without a host",
        "a port of letters",
        "a user without a password",
        "a certificate without its key",
        "two ways to log in",
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        connect_arguments(NatsOptions(**given))


@pytest.mark.parametrize("url", ["a", "a:4222", "nats://u:p@a:1", "tls://[::1]:4222", "ws://a", "wss://a/path"])
def test_a_server_may_be_any_url_that_nats_takes(url: str) -> None:
    assert [url] == connect_arguments(NatsOptions(url))["servers"]


@pytest.mark.parametrize("url", ["u:hunter2@nope://x", "nats://u:hunter2/a@h", "nope://u:hunter2@h"])
def test_no_password_of_a_url_that_is_refused_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="server 1") as told:
        connect_arguments(NatsOptions(url))

    assert "hunter2" not in str(told.value)


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect_arguments(NatsOptions(URL, creds=str(tmp_path / "missing")))
