"""Events that are pushed over HTTP: by a Ceph gateway, MinIO, SeaweedFS, or anything that can POST one of S3's envelopes.

Each is answered at once and worked on later, from a backlog in memory: a Ceph gateway lets its client wait until the push is
answered, and what reconciler itself asks of it causes events, too. What is lost with the memory costs only latency.
"""

import hmac
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qs

from reconciler.adapters.backlog import Backlog
from reconciler.adapters.http import Answer, Environ, Health, HttpServer, health_answer
from reconciler.core.events import read_events
from reconciler.errors import MalformedEventError
from reconciler.logs import get_logger
from reconciler.ports import Message

log = get_logger()

MAX_BODY = 1024 * 1024  # bytes; an event of S3's has up to 64 KB, and SQS takes no message above 1 MiB
SIZE = 1000  # messages
WAITS = (1.0, 10.0, 60.0)  # seconds
POLL_SECONDS = 1.0
RETRY_AFTER = "5"  # seconds


class WebhookQueue:
    """An EventQueue fed by POST /events, with GET /health beside it; a context manager that listens while it is entered.

    Args:
        address: such as 127.0.0.1:8080 or [::1]:8080; port 0 is any free one.
        secret: what who pushes must know, as `Authorization: Bearer SECRET` or `?secret=SECRET`.
        health: what GET /health tells, to anybody.
        size: how many messages may wait; more are answered with 503.
        waits: after how many seconds a message that failed comes again; after the last it is dropped.
    """

    name = "webhook"
    patience: float | None = None

    def __init__(
        self,
        address: str,
        *,
        secret: str | None = None,
        health: Health = lambda: {"ok": True},
        size: int = SIZE,
        waits: Sequence[float] = WAITS,
    ) -> None:
        self._address = address
        self._secret = secret.encode() if secret else None
        self._health = health
        self._backlog = Backlog(size=size, waits=waits, dropped=_tell_dropped)
        self._server = HttpServer(address, self._respond, max_body=MAX_BODY)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def __enter__(self) -> Self:
        self._server.__enter__()
        if self._secret is None and self._server.is_open_to_others:
            hint = "set RECONCILER_WEBHOOK_SECRET, or listen on 127.0.0.1"
            log.warning("webhook_open_to_everybody", address=self._address, hint=hint)
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        self._server.__exit__(*exception)

    def receive(self) -> Sequence[Message] | None:
        """Wait up to a second for messages; None once it is closed and drained."""
        return self._backlog.take(seconds=POLL_SECONDS)

    def done(self, messages: Sequence[Message]) -> None:
        """Do nothing: what was received is no longer here."""

    def failed(self, messages: Sequence[Message]) -> None:
        """Hand messages over again later, and drop those that have failed too often."""
        self._backlog.give_back(messages)

    def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: nobody else receives them."""

    def close(self) -> None:
        """Answer 503 from now on; what was taken in is still handed over, without waiting for its next try."""
        self._backlog.close()

    def _respond(self, environ: Environ) -> Answer:
        match environ["PATH_INFO"]:
            case "/events":
                return self._take(environ)
            case "/health":
                return health_answer(environ, self._health)
            case _:
                return Answer(HTTPStatus.NOT_FOUND)

    def _take(self, environ: Environ) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, Allow="POST")
        if not self._knows_the_secret(environ):
            return Answer(HTTPStatus.FORBIDDEN, "the secret is missing or wrong")
        try:
            body = environ["wsgi.input"].read().decode()
            is_empty = not read_events(body)
        except UnicodeDecodeError:
            return Answer(HTTPStatus.BAD_REQUEST, "the message is not UTF-8")
        except MalformedEventError as error:
            return Answer(HTTPStatus.BAD_REQUEST, error.message)
        if is_empty or self._backlog.put(body):
            return Answer(HTTPStatus.ACCEPTED)
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "try again later", Retry_After=RETRY_AFTER)

    def _knows_the_secret(self, environ: Environ) -> bool:
        if self._secret is None:
            return True
        bearer = re.fullmatch(r"Bearer +(\S+)", environ.get("HTTP_AUTHORIZATION", ""), re.IGNORECASE)
        told = parse_qs(environ.get("QUERY_STRING", ""), errors="replace").get("secret", []) + ([bearer[1]] if bearer else [])
        return any(hmac.compare_digest(each.encode(errors="replace"), self._secret) for each in told)


class HealthEndpoint:
    """GET /health for sources without a server of their own; a context manager that listens while it is entered."""

    def __init__(self, address: str, health: Health) -> None:
        self._health = health
        self._server = HttpServer(address, self._respond, max_body=0)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__(*exception)

    def _respond(self, environ: Environ) -> Answer:
        if environ["PATH_INFO"] != "/health":
            return Answer(HTTPStatus.NOT_FOUND)
        return health_answer(environ, self._health)


def _tell_dropped(message: Message) -> None:
    keys = [event.key for event in read_events(message.body)]
    log.warning("event_dropped", keys=keys[:10], hint="the next plan finds what it was about")
