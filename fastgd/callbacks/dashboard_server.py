"""The web server of `Dashboard`: one page and its data, for those who know the token."""

from __future__ import annotations

import os
import secrets
import threading
import time
from functools import partial
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

_ADDRESS = "127.0.0.1"
# Seconds since its last question for which a page counts as open, and to wait for it to ask for the last update.
_OPEN, _FAREWELL = 3.0, 1.5
_POLL = 0.05  # between looks of the server at whether it should stop: what closing it takes
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """Serves the page on this computer, from a thread of its own that ends with the process.

    Parameters
    ----------
    port : int
        0: any that is free.

    Attributes
    ----------
    url : str
        The address with the token.

    Raises
    ------
    OSError
        The port is in use.
    """

    def __init__(self, port: int = 0) -> None:
        self._token, self._pid = secrets.token_urlsafe(16), os.getpid()
        self._version, self._data = 0, b""
        self._asked, self._delivered = -_OPEN, b""  # when a page has last asked, and the data that it has got
        self._changed = threading.Condition()
        try:
            self._server = _listen(port, self)
        except OSError as error:
            message = f"port {port} of {_ADDRESS} cannot be used ({error.strerror}); Dashboard() picks a free one"
            raise OSError(error.errno, message) from None
        self._port = self._server.server_address[1]
        self.url = f"http://{_ADDRESS}:{self._port}/?token={self._token}"
        serve = partial(self._server.serve_forever, poll_interval=_POLL)
        threading.Thread(target=serve, name="fastgd-dashboard", daemon=True).start()

    @property
    def is_foreign(self) -> bool:
        """Whether this is the copy of a server in a forked process, which has no thread."""
        return self._pid != os.getpid()

    def publish(self, data: bytes) -> None:
        """Replace the data, JSON, that the page shows."""
        with self._changed:
            self._version += 1
            self._data = b'{"version": %d, "data": %s}' % (self._version, data)

    def close(self) -> None:
        """Stop, once an open page has seen the last update, or does not ask for it in time."""
        if self.is_foreign:
            return
        with self._changed:
            if time.monotonic() - self._asked < _OPEN:
                self._changed.wait_for(lambda: self._delivered is self._data, _FAREWELL)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, host: str | None) -> tuple[int, str, bytes]:
        """Status, type and content for a request.

        The host must be this server by its address: the page of another site whose name was made to point here
        (DNS rebinding) has another one.
        """
        url = urlsplit(path)
        query = parse_qs(url.query)
        token = query.get("token", [""])[0]
        is_known = secrets.compare_digest(token.encode(), self._token.encode())
        if host not in (f"{_ADDRESS}:{self._port}", f"localhost:{self._port}") or not is_known:
            return 403, "text/plain", b"forbidden: open the address that the training has printed, with its token\n"
        if url.path == "/":
            return 200, "text/html; charset=utf-8", resources.files(__package__).joinpath("dashboard.html").read_bytes()
        if url.path == "/data":
            return self._answer_data(query.get("version", [""])[0])
        return 404, "text/plain", b"not found\n"

    def mark_delivered(self, content: bytes) -> None:
        """Note that a page has got an answer."""
        with self._changed:
            if content:
                self._delivered = content
            self._changed.notify_all()

    def _answer_data(self, known: str) -> tuple[int, str, bytes]:
        """The data, unless the page knows this version."""
        with self._changed:
            self._asked = time.monotonic()
            if known == str(self._version):
                return 204, "application/json", b""
            return 200, "application/json", self._data


def _listen(port: int, page: PageServer) -> Any:
    """A server that answers as the page says; `http` is loaded on use, to keep `import fastgd` fast."""
    from http.server import BaseHTTPRequestHandler
    from socketserver import ThreadingTCPServer

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a connection on which nothing is asked
        server_version, sys_version = "fastgd", ""

        def do_GET(self) -> None:
            status, kind, content = page.answer(self.path, self.headers.get("Host"))
            self.send_response(status)
            for name, value in (_HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            page.mark_delivered(content)

        def log_message(self, format: str, *values: Any) -> None:
            """Say nothing of requests."""

    class Server(ThreadingTCPServer):
        daemon_threads, block_on_close, allow_reuse_address = True, False, os.name != "nt"

        def handle_error(self, request: Any, client_address: Any) -> None:
            """It is not an error if a page is closed while it is answered."""

    return Server((_ADDRESS, port), Handler)
