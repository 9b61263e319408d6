"""The webhook as those who push to it meet it: who is let in, what is answered, and what becomes of it."""

import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from reconciler.adapters.http import HttpServer, parse_address
from reconciler.adapters.webhook import MAX_BODY, HealthEndpoint, WebhookQueue
from reconciler.errors import EventSourceError, StoreUnavailableError
from reconciler.testing import s3_event

SECRET = "correct-horse-battery.staple~9"
BODY = s3_event("uploads/a.jpg").encode()
TEST = b'{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}'
HTTP = urllib3.PoolManager(retries=False)


class Listening:
    """Webhooks that are stopped after the test, and who pushes to them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def webhook(self, address: str = "127.0.0.1:0", **given: Any) -> WebhookQueue:
        return self._stack.enter_context(WebhookQueue(address, **given))

    def health(self, told: Any) -> HealthEndpoint:
        return self._stack.enter_context(HealthEndpoint("127.0.0.1:0", told))


@pytest.fixture
def listening() -> Iterator[Listening]:
    with ExitStack() as stack:
        yield Listening(stack)


def ask(queue: Any, method: str = "POST", path: str = "/events", body: bytes = b"", **headers: str) -> Any:
    return HTTP.request(method, f"http://127.0.0.1:{queue.port}{path}", body=body, headers=headers)


def taken(queue: WebhookQueue) -> list[bytes]:
    return [message.body.encode() for message in queue.receive() or []]


def all_taken(queue: WebhookQueue) -> list[bytes]:
    """Close the queue, so that nothing is waited for."""
    queue.close()
    return taken(queue)


# What is answered


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/events", BODY, 202),
        ("POST", "/events", TEST, 202),
        ("POST", "/events", b"", 400),
        ("POST", "/events", b"[]", 400),
        ("POST", "/events", b"{}", 400),
        ("POST", "/events", b"\xff", 400),
        ("POST", "/events", b"[" * 100_000, 400),
        ("POST", "/events", BODY + b" " * MAX_BODY, 413),
        ("POST", "/", BODY, 404),
        ("POST", "/events/", BODY, 404),
        ("GET", "/events", b"", 405),
        ("PUT", "/events", BODY, 405),
        ("POST", "/health", BODY, 405),
        ("GET", "/health", b"", 200),
        ("HEAD", "/health", b"", 200),
        ("GET", "/../../etc/passwd", b"", 404),
    ],
)
def test_a_request_is_answered(listening: Listening, method: str, path: str, body: bytes, status: int) -> None:
    """At once, and the next one as well."""
    queue = listening.webhook()
    assert ask(queue, method, path, body).status == status
    assert ask(queue, body=BODY).status == 202


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"nonsense", "the message is not JSON"),
        (b'{"Records": [{"s3": {"bucket": {"name": "photos"}}}]}', "the event has no s3.object.key"),
        (b"\xff", "the message is not UTF-8"),
    ],
    ids=["no JSON", "no key", "no text"],
)
def test_a_refusal_says_why(listening: Listening, body: bytes, reason: str) -> None:
    """In one line; nothing is taken in."""
    queue = listening.webhook()
    assert ask(queue, body=body).data.decode() == f"{reason}\n"
    assert all_taken(queue) == []


def test_a_message_without_events_is_not_worked_on(listening: Listening) -> None:
    """S3's test message is only acknowledged."""
    queue = listening.webhook()
    assert ask(queue, body=TEST).status == 202
    assert all_taken(queue) == []


def test_a_body_in_chunks_is_taken_too(listening: Listening) -> None:
    """Its length need not be known; one that is too long is refused all the same."""
    queue = listening.webhook()
    where = f"http://127.0.0.1:{queue.port}/events"
    assert HTTP.request("POST", where, body=iter([BODY[:10], BODY[10:]]), chunked=True).status == 202
    assert taken(queue) == [BODY]
    assert HTTP.request("POST", where, body=iter([BODY, b" " * MAX_BODY]), chunked=True).status == 413


# Who is let in


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": f"Bearer {SECRET}"}, "", 202),
        ({"Authorization": f"bearer {SECRET}"}, "", 202),
        ({}, f"?secret={SECRET}", 202),
        ({}, f"?a=b&secret={SECRET}", 202),
        ({"Authorization": "Bearer wrong"}, f"?secret={SECRET}", 202),
        ({}, "", 403),
        ({}, "?secret=", 403),
        ({}, f"?secret={SECRET}x", 403),
        ({}, f"?secret={SECRET[:-1]}", 403),
        ({}, "?secret=%FF%FE", 403),
        ({}, "?secret=caf%C3%A9", 403),
        ({"Authorization": SECRET}, "", 403),
        ({"Authorization": f"Basic {SECRET}"}, "", 403),
        ({"Authorization": "Bearer"}, "", 403),
        ({"Authorization": f"Bearer {SECRET.upper()}"}, "", 403),
        ({"X-Secret": SECRET}, "", 403),
    ],
)
def test_only_those_who_know_the_secret_are_let_in(
    listening: Listening, headers: dict[str, str], query: str, status: int
) -> None:
    """As MinIO sends it, or as a part of the URL."""
    queue = listening.webhook(secret=SECRET)
    assert ask(queue, path=f"/events{query}", body=BODY, **headers).status == status
    assert all_taken(queue) == ([BODY] if status == 202 else [])


def test_health_needs_no_secret(listening: Listening) -> None:
    """Whoever runs the container asks without; it tells no key."""
    assert ask(listening.webhook(secret=SECRET), "GET", "/health").status == 200


def test_the_secret_is_told_nobody(listening: Listening, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an answer nor in a log, nor where the queue is printed."""
    caplog.set_level(logging.DEBUG)
    queue = listening.webhook(secret=SECRET)
    answers = [ask(queue, path=f"/events?secret={SECRET}{more}", body=b"nonsense") for more in ("", "x")]
    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]  # that is who pushes
    said = [repr(queue), *(repr(vars(record)) for record in ours)]
    said += [f"{answer.headers} {answer.data!r}" for answer in answers]
    assert [text for text in said if SECRET in text] == []


def warnings(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    return [record for record in caplog.records if record.getMessage() == event]


@pytest.mark.parametrize(
    ("others", "secret", "warned"), [(True, None, 1), (True, SECRET, 0), (False, None, 0)], ids=["open", "closed", "loopback"]
)
def test_listening_to_everybody_is_warned_of(
    listening: Listening,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    others: bool,
    secret: str | None,
    warned: int,
) -> None:
    """Where other machines can reach it and no secret is set."""
    monkeypatch.setattr(HttpServer, "is_open_to_others", others)
    listening.webhook(secret=secret)
    assert len(warnings(caplog, "webhook_open_to_everybody")) == warned


def test_loopback_is_not_open_to_others() -> None:
    """Of both kinds."""
    for address in ("127.0.0.1:0", "[::1]:0", "localhost:0"):
        with HttpServer(address, lambda _: None, max_body=0) as server:  # type: ignore[arg-type,return-value]
            assert not server.is_open_to_others


# When there is no room


def test_a_full_queue_asks_to_come_again(listening: Listening) -> None:
    """With the seconds after which; what was received makes room."""
    queue = listening.webhook(size=2)
    assert [ask(queue, body=BODY).status for _ in range(3)] == [202, 202, 503]
    assert int(ask(queue, body=BODY).headers["Retry-After"]) > 0
    assert len(taken(queue)) == 2
    assert ask(queue, body=BODY).status == 202


def test_a_closing_queue_asks_to_come_again(listening: Listening) -> None:
    """What it has taken in is still handed over, and it still tells how it is."""
    queue = listening.webhook()
    ask(queue, body=BODY)
    queue.close()
    assert ask(queue, body=BODY).status == 503
    assert ask(queue, "GET", "/health").status == 200
    assert taken(queue) == [BODY]
    assert queue.receive() is None


def test_a_server_that_has_stopped_answers_nobody(listening: Listening) -> None:
    """Its port is free again."""
    with WebhookQueue("127.0.0.1:0") as queue:
        assert ask(queue, body=BODY).status == 202
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        urllib3.PoolManager(retries=False).request("GET", f"http://127.0.0.1:{queue.port}/health")
    assert listening.webhook(f"127.0.0.1:{queue.port}").port == queue.port


# What fails


def test_what_fails_again_and_again_is_dropped(listening: Listening, caplog: pytest.LogCaptureFixture) -> None:
    """After the last wait; a warning names its keys, and that the next plan finds them."""
    queue = listening.webhook(waits=(0.01, 0.01))
    ask(queue, body=BODY)
    for _ in range(3):
        (message,) = queue.receive() or []
        queue.failed([message])
    assert all_taken(queue) == []
    (dropped,) = warnings(caplog, "event_dropped")
    assert (dropped.keys, "plan" in dropped.hint) == (["uploads/a.jpg"], True)


def test_what_failed_comes_after_a_while(listening: Listening) -> None:
    """Not before."""
    queue = listening.webhook(waits=(0.5,))
    ask(queue, body=BODY)
    before = time.monotonic()
    queue.failed(queue.receive() or [])
    assert taken(queue) == [BODY]
    assert time.monotonic() - before >= 0.5


def test_closing_waits_for_nothing(listening: Listening) -> None:
    """What would come again later comes at once: it may be the last try."""
    queue = listening.webhook(waits=(3600,))
    ask(queue, body=BODY)
    queue.failed(queue.receive() or [])
    queue.close()
    assert taken(queue) == [BODY]


# Health


@pytest.mark.parametrize(
    ("told", "status"), [({"ok": True, "done": 3}, 200), ({"done": 3}, 200), ({"ok": False, "trouble": "the table"}, 503)]
)
def test_health_tells_what_it_is_told(listening: Listening, told: dict[str, Any], status: int) -> None:
    """As JSON; 503 where something is wrong, so that who runs it notices."""
    for server in (listening.webhook(health=lambda: told), listening.health(lambda: told)):
        answer = ask(server, "GET", "/health")
        assert (answer.status, json.loads(answer.data)) == (status, told)
        assert answer.headers["Content-Type"] == "application/json"


def test_health_that_cannot_be_told_is_none(listening: Listening) -> None:
    """An error is an answer as well."""

    def told() -> Any:
        raise StoreUnavailableError("S3 is away")

    answer = ask(listening.health(told), "GET", "/health")
    assert (answer.status, json.loads(answer.data)) == (503, {"ok": False, "trouble": "S3 is away"})


def test_a_health_endpoint_takes_no_events(listening: Listening) -> None:
    """It has nowhere to put them."""
    assert ask(listening.health(dict), path="/events").status == 404


# Where it listens


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),  # noqa: S104  only read
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_address_is_host_and_port(address: str, expected: tuple[str, int]) -> None:
    """IPv6 in brackets."""
    assert parse_address(address) == expected


@pytest.mark.parametrize(
    "address", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "::1:8080", "host:65536", "http://host:80", "host:80/events"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """In one line that shows some."""
    with pytest.raises(EventSourceError, match="is not an address to listen on") as caught:
        WebhookQueue(address)
    assert "[::1]:8080" in caught.value.hint


def test_a_taken_port_is_refused(listening: Listening) -> None:
    """In one line that names it."""
    address = f"127.0.0.1:{listening.webhook().port}"
    with pytest.raises(EventSourceError, match=f"cannot listen on {address}: Address already in use"):
        listening.webhook(address)


@pytest.mark.parametrize(
    "address", ["192.0.2.1:0", "nowhere.invalid:0", f"{'x' * 64}.invalid:0"], ids=["another machine's", "nobody's", "no name"]
)
def test_an_address_of_another_machine_is_refused(listening: Listening, address: str) -> None:
    """In one line that names it."""
    with pytest.raises(EventSourceError, match=f"cannot listen on {address}: "):
        listening.webhook(address)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_listens_on_ipv6(listening: Listening) -> None:
    """As [::1]:PORT."""
    queue = listening.webhook("[::1]:0")
    assert HTTP.request("POST", f"http://[::1]:{queue.port}/events", body=BODY).status == 202


def test_without_waitress_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "waitress.server", None)
    with pytest.raises(EventSourceError, match="needs waitress") as caught, WebhookQueue("127.0.0.1:0"):
        pass
    assert "[webhook]" in caught.value.hint


def test_a_message_of_another_queue_is_a_bug(listening: Listening) -> None:
    """It is not kept as if it had been taken in."""
    foreign: Any = SimpleNamespace(id="1", body="{}")
    with pytest.raises(TypeError, match="was not taken from here"):
        listening.webhook().failed([foreign])
