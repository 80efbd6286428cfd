"""Where NATS is and who asks: the settings that clients, the operator and the runner share.

Apart from every connection, so that reading the settings imports no NATS client.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "CELERIAC_NATS_"
CONNECT_SECONDS = 5
RECONNECT_SECONDS = 1.0
PING_SECONDS = 10
"""A connection whose two last pings were not answered is dropped and made anew: a paused server is noticed in 30 s."""


@dataclass(frozen=True)
class NatsOptions:
    """Settings of a NATS connection. Secrets are in no repr."""

    url: str = ""
    """Servers, separated by commas. Empty: there is no NATS."""
    creds: str | None = None
    """Path of a ``.creds`` file."""
    nkey: str | None = None
    """Path of an nkey seed."""
    user: str | None = None
    """User name."""
    password: str | None = field(default=None, repr=False)
    """The user's password."""
    password_file: str | None = None
    """Path of a file with it, which counts where it is there. It is read at each connection, so it may be replaced."""
    ca: str | None = None
    """Path of the certificates that are trusted, instead of the system's."""
    cert: str | None = None
    """Path of the client's certificate."""
    key: str | None = field(default=None, repr=False)
    """Path of the certificate's key."""
    inbox_prefix: str | None = None
    """First token of the subjects on which answers come; None: ``_INBOX``. A user that hears only its own has one."""

    @property
    def enabled(self) -> bool:
        """True if there is a NATS to use."""
        return bool(self.servers)

    @property
    def servers(self) -> list[str]:
        """The servers' URLs, without the empty ones."""
        return [url.strip() for url in self.url.split(",") if url.strip()]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> NatsOptions:
        """The settings in ``CELERIAC_NATS_URL``, ``…_CREDS``, ``…_NKEY``, ``…_USER``, ``…_PASSWORD``,
        ``…_PASSWORD_FILE``, ``…_CA``, ``…_CERT``, ``…_KEY`` and ``…_INBOX_PREFIX``. An empty one is as good as none.
        """
        given = {name: env.get(f"{PREFIX}{name.upper()}") or None for name in cls.__dataclass_fields__ if name != "url"}
        return cls(url=env.get(f"{PREFIX}URL", ""), **given)


def connect_arguments(options: NatsOptions) -> dict[str, Any]:
    """Keyword arguments of ``nats.connect``; the caller adds its name and callbacks.

    It reconnects for ever, because the client's default gives up after 60 tries. Raises ValueError for settings that
    contradict each other, OSError and ssl.SSLError for files that cannot be read.
    """
    _check(options)
    arguments: dict[str, Any] = {
        "servers": options.servers,
        "max_reconnect_attempts": -1,
        "connect_timeout": CONNECT_SECONDS,
        "reconnect_time_wait": RECONNECT_SECONDS,
        "ping_interval": PING_SECONDS,
        "max_outstanding_pings": 2,
        "inbox_prefix": options.inbox_prefix or "_INBOX",
    }
    return arguments | _credentials(options) | _tls(options)


SCHEMES = ("nats", "tls", "ws", "wss")


def _server_problem(url: str) -> str | None:
    """What is wrong with a server's URL, which is not repeated: there may be a password in it."""
    scheme, mark, _ = url.partition("://")
    if mark and scheme not in SCHEMES:
        told = f"{scheme}://" if scheme.isalpha() else "how it begins"
        return f"{told} is none of {', '.join(f'{known}://' for known in SCHEMES)}"
    try:
        parts = urlsplit(url if mark else f"nats://{url}")
        return None if parts.hostname and parts.port != 0 else "it names no host, or port 0"
    except ValueError:
        return "its host or its port cannot be read"


def _check(options: NatsOptions) -> None:
    ways = {"CREDS": options.creds, "NKEY": options.nkey, "USER": options.user}
    given = [f"{PREFIX}{name}" for name, value in ways.items() if value is not None]
    if not options.enabled:
        raise ValueError(f"{PREFIX}URL is empty: set it to the servers of NATS, such as nats://nats:4222")
    for number, url in enumerate(options.servers, start=1):
        if problem := _server_problem(url):
            raise ValueError(
                f"server {number} of {PREFIX}URL (nats_url) cannot be a URL of NATS: {problem}. Give one such as "
                "nats://nats:4222, several separated by commas"
            )
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are set, and one of them is to be used: unset the others")
    if (options.user is None) != (options.password is None) and not (options.user and options.password_file):
        raise ValueError(f"{PREFIX}USER and {PREFIX}PASSWORD go together: set both or none")
    if (options.cert is None) != (options.key is None):
        raise ValueError(f"{PREFIX}CERT and {PREFIX}KEY go together: set both or none")


def _credentials(options: NatsOptions) -> dict[str, Any]:
    if options.creds is not None:
        return {"user_credentials": _readable(options.creds)}
    if options.nkey is not None:
        return {"nkeys_seed": _readable(options.nkey)}
    return {} if options.user is None else {"user": options.user, "password": partial(_password, options)}


def _password(options: NatsOptions) -> str:
    """That of now; the client asks at each connection."""
    with suppress(OSError):
        return Path(options.password_file or "").read_text().strip()
    return options.password or ""


def _tls(options: NatsOptions) -> dict[str, Any]:
    """A context where a certificate is set or a server's URL wants TLS; else the server decides."""
    wanted = options.ca or options.cert or any(url.startswith(("tls://", "wss://")) for url in options.servers)
    if not wanted:
        return {}
    context = ssl.create_default_context(cafile=options.ca)
    if options.cert is not None:
        context.load_cert_chain(options.cert, options.key)
    return {"tls": context}


def _readable(path: str) -> str:
    """The path of a file that can be read now: the client would say it later and worse."""
    with Path(path).open("rb"):
        return path
