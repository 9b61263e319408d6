"""A small HTTP server on waitress, in a thread of its own: for events that are pushed, and for health checks.

Waitress is an extra (`webhook`): it is imported when a server starts.
"""

import ipaddress
import json
import os
import re
import select
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Self

from reconciler.errors import EventSourceError, ReconcilerError

Environ = dict[str, Any]
Health = Callable[[], Mapping[str, Any]]

TICK = 0.2  # seconds until a server that is asked to stop notices
THREADS = 4  # every answer is given at once
BACKLOG = 128
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})")


class Answer:
    """What a request is answered with: a status and a line of text, or a JSON document."""

    def __init__(self, status: HTTPStatus, content: str | Mapping[str, Any] = "", **headers: str) -> None:
        self.status = status
        is_text = isinstance(content, str)
        self.body = (f"{content or status.phrase}\n" if is_text else json.dumps(content, default=str)).encode(errors="replace")
        kind = "text/plain; charset=utf-8" if is_text else "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.headers = {"Content-Type": kind, "Content-Length": str(len(self.body)), "Cache-Control": "no-store", **named}


def wsgi(respond: Callable[[Environ], Answer]) -> Callable[[Environ, Callable[..., Any]], Iterable[bytes]]:
    """Return a WSGI application."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = respond(environ)
        start_response(f"{answer.status.value} {answer.status.phrase}", list(answer.headers.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    return application


def health_answer(environ: Environ, health: Health) -> Answer:
    """Answer a health check: 200, or 503 where it says `"ok": false` or cannot be told."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, Allow="GET, HEAD")
    try:
        found = health()
    except ReconcilerError as error:
        found = {"ok": False, "trouble": error.message}
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE if found.get("ok") is False else HTTPStatus.OK, found)


class HttpServer:
    """A context manager that listens while it is entered. Raises EventSourceError where it cannot listen there."""

    def __init__(self, address: str, respond: Callable[[Environ], Answer], *, max_body: int) -> None:
        self._host, self._wanted = parse_address(address)
        self._address = address
        self._respond = respond
        self._max_body = max_body
        self._stopping = threading.Event()
        self.port = 0

    @property
    def is_open_to_others(self) -> bool:
        """Say whether other machines can reach it."""
        return not ipaddress.ip_address(self._bound_host.partition("%")[0]).is_loopback

    def __enter__(self) -> Self:
        waitress = _waitress()
        listener = _listen(self._address, self._host, self._wanted)
        self._bound_host, self.port = listener.getsockname()[:2]
        self._sockets: dict[int, Any] = {}
        server = waitress.create_server(
            wsgi(self._respond),
            map=self._sockets,
            sockets=[listener],
            threads=THREADS,
            max_request_body_size=self._max_body,
            ident=None,
        )
        self._thread = threading.Thread(target=self._run, args=(server,), name="http", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self, server: Any) -> None:
        """Serve until it is told to stop. Waitress's own loop could only be ended from outside, from another thread."""
        while not self._stopping.is_set():
            server.asyncore.loop(timeout=TICK, map=self._sockets, count=1, use_poll=hasattr(select, "poll"))
        server.task_dispatcher.shutdown()
        server.asyncore.close_all(self._sockets, ignore_all=True)


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of an address such as 127.0.0.1:8080 or [::1]:8080, or raise EventSourceError."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > 65535:  # noqa: PLR2004  the highest there is
        raise EventSourceError(
            f"{address!r} is not an address to listen on",
            hint="such as 127.0.0.1:8080, [::1]:8080, or 0.0.0.0:8080 for every interface",
        )
    return found["six"] or found["host"], int(found["port"])


def _listen(address: str, host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name that could be looked up
        said = getattr(error, "strerror", None) or error
        raise EventSourceError(f"cannot listen on {address}: {said}", hint="name an address of this machine") from error
    try:
        if os.name == "posix":  # elsewhere it would let two listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EventSourceError(f"cannot listen on {address}: {error.strerror}", hint="choose another port or address") from error
    return listener


def _waitress() -> Any:
    try:
        import waitress.server  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise EventSourceError(
            "listening for HTTP needs waitress", hint="install reconciler with its extra [webhook]: pip install '.[webhook]'"
        ) from error
    return waitress.server
