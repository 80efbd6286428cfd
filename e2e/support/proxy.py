"""A proxy between one operator and the API server, which can fail at a chosen write, for a while, or as `trouble` says.

It speaks plain HTTP to the operator and is the admin to the API server, so that requests can be told apart; nobody
else in the cluster notices what it does.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
from e2e.support.kube import Kube
from e2e.support.line import Line

_WRITES = ("POST", "PATCH", "PUT", "DELETE")
_PASSED_ON = ("Content-Type", "Accept")
_TROUBLE = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one request."""

    delay: float = 0.0
    """It is sent on after so many seconds."""
    reset: bool = False
    """The connection ends before it is sent on."""
    status: int = 0
    """It is answered so, and not sent on."""
    reply_lost: bool = False
    """It is carried out, and the connection ends instead of an answer."""


NO_TROUBLE = Trouble()


class ApiProxy:
    """The proxy. `before` and `after` are told of each write, before it is sent on and once it has been answered."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.writes: list[str] = []
        self.before: Callable[[int], None] = lambda _number: None
        self.after: Callable[[int], None] = lambda _number: None
        self.trouble: Callable[[str, str], Trouble] = lambda _method, _path: NO_TROUBLE
        """Is asked for each request that is not about a lease."""
        self.tells: Callable[[str, bytes], bytes] = lambda _path, line: line
        """What becomes of each line of a watch; it may take its time, or raise, which ends the connection."""
        self.line = Line()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def serve(self) -> None:
        """Serve until `close`."""
        self._server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop, and close what is open."""
        self.line.speak()
        self._server.shutdown()
        self.line.hang_up()
        self._server.server_close()

    def kubeconfig(self, directory: Path) -> Path:
        """Write a kubeconfig that leads here."""
        server = f"http://127.0.0.1:{self._server.server_address[1]}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        }
        path = directory / "kubeconfig"
        path.write_text(json.dumps(content))  # JSON is YAML
        return path

    def write_begins(self, what: str) -> int:
        """The number of a write, from 1."""
        with self._lock:
            self.writes.append(what)
            return len(self.writes)


@contextmanager
def api_proxy(kubeconfig: Path) -> Iterator[ApiProxy]:
    """A running proxy."""
    with Kube(kubeconfig, connections=64) as kube:
        proxy = ApiProxy(kube)
        thread = threading.Thread(target=proxy.serve, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            thread.join(timeout=10)


def _handler(of: ApiProxy) -> type["_Handler"]:
    return type("Handler", (_Handler,), {"proxy": of})


class _Handler(BaseHTTPRequestHandler):
    """One connection of the operator's."""

    proxy: ApiProxy
    protocol_version = "HTTP/1.1"

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(*_TROUBLE), self.proxy.line.opened(self.connection):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        self.close_connection = self.proxy.line.is_cut
        if self.close_connection:
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        # Renewals of the operator's lease come whatever it does; they are not what a test wants to hit.
        counted = self.command in _WRITES and "/leases" not in self.path
        trouble = NO_TROUBLE if "/leases" in self.path else self.proxy.trouble(self.command, self.path)
        time.sleep(trouble.delay)
        if trouble.reset:
            raise ConnectionAbortedError
        if trouble.status:
            self._refuse(trouble.status)
            return
        number = self.proxy.write_begins(f"{self.command} {self.path}") if counted else 0
        if number:
            self.proxy.before(number)
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        response = self.proxy.kube.forward(self.command, self.path, body, headers)
        try:
            if number:
                response.read(cache_content=True)
                self.proxy.after(number)
            if trouble.reply_lost:
                response.read(cache_content=True)
                raise ConnectionAbortedError
            self._answer(response)
        finally:
            response.close()
            response.release_conn()

    def _answer(self, response: urllib3.BaseHTTPResponse) -> None:
        self.proxy.line.wait_to_speak()
        self.send_response(response.status)
        self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self._chunks(response):
            self.proxy.line.wait_to_speak()
            if chunk:
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        if self.command in _WRITES:
            yield response.data
        elif "watch=true" not in self.path:
            yield from response.stream(None)
        else:
            rest = b""
            for chunk in response.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (self.proxy.tells(self.path, line + b"\n") for line in lines)

    def _refuse(self, status: int) -> None:
        body = json.dumps({"kind": "Status", "status": "Failure", "code": status, "message": "trouble"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on  # noqa: N815
