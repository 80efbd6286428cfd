"""What a client library would not publish, byte by byte."""

from __future__ import annotations

import socket

from tests.support.nats_server import NatsServer

_CONNECT = b'CONNECT {"verbose": false, "pedantic": false, "headers": true}\r\n'


def publish_raw(
    server: NatsServer, subject: bytes, payload: bytes = b"{}", *, headers: bytes = b"", reply: bytes = b""
) -> None:
    """Publish it, and return when the server has taken it."""
    words = [b"HPUB" if headers else b"PUB", subject, *([reply] if reply else [])]
    sizes = [len(headers), len(headers) + len(payload)] if headers else [len(payload)]
    line = b" ".join([*words, *(b"%d" % size for size in sizes)])
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        lines = connection.makefile("rwb")
        lines.readline()
        lines.write(_CONNECT + line + b"\r\n" + headers + payload + b"\r\nPING\r\n")
        lines.flush()
        assert lines.readline() == b"PONG\r\n"
