"""`reconcile watch` as a process of its own: fed over HTTP or from a queue, asked for its health, and ended with a signal."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cli_support import Desk, cli, desk, no_secret_in, program
from events_support import body
from support import HTTP

from reconciler.adapters.sqs import make_sqs_client
from reconciler.demo.servers import Server

__all__ = ["cli", "desk"]

pytestmark = pytest.mark.server

SECONDS = 30.0
SECRET = "a-secret-for-one-run"


class Process:
    """A watcher, and what it says."""

    def __init__(self, desk: Desk, *args: str) -> None:
        self._said = (desk.folder / "said").open("w+")
        self._running = subprocess.Popen(  # noqa: S603
            [program(), "watch", *args], stdout=subprocess.PIPE, stderr=self._said, stdin=subprocess.DEVNULL, text=True
        )

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read()

    def port(self) -> int:
        """The port it says it listens on."""
        assert waited_for(lambda: " on port " in self.said()), self.said()
        found = re.search(r" on port (\d+)", self.said())
        assert found
        return int(found[1])

    def end(self, with_signal: int = signal.SIGTERM) -> tuple[int, dict[str, Any]]:
        """End it gently; return its exit code and its summary."""
        self._running.send_signal(with_signal)
        out, _ = self._running.communicate(timeout=SECONDS)
        return self._running.returncode, json.loads(out or "{}")

    def close(self) -> None:
        self._running.kill()
        self._running.communicate()
        self._said.close()


@contextmanager
def watching(desk: Desk, *args: str) -> Iterator[Process]:
    process = Process(desk, *args, "--format", "json")
    try:
        yield process
    finally:
        process.close()


def waited_for(what: Callable[[], object]) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def stored(desk: Desk, key: str) -> bool:
    row = desk.row(key)
    return row is not None and row.stored_at is not None


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_listens_until_it_is_told_to_stop(cli: Desk, ended_by: int) -> None:
    """Events pushed with the secret are acted on, its health is told, and a signal ends it with a summary."""
    cli.set(WEBHOOK_SECRET=SECRET)
    key = cli.upload()
    with watching(cli, "--webhook", "127.0.0.1:0") as process:
        address = f"http://127.0.0.1:{process.port()}"
        event = body(cli.bucket, key)
        assert HTTP.request("POST", f"{address}/events", body=event).status == 403
        assert HTTP.request("POST", f"{address}/events?secret={SECRET}", body="poison").status == 400
        assert HTTP.request("POST", f"{address}/events?secret={SECRET}", body=event).status == 202
        assert waited_for(lambda: stored(cli, key)), process.said()
        health = HTTP.request("GET", f"{address}/health")
        assert (health.status, health.json()["source"], health.json()["counts"]["events"]) == (200, "webhook", 1)
        code, summary = process.end(ended_by)
        no_secret_in(process.said())
        assert SECRET not in process.said()
    assert (code, summary["counts"]["acknowledged"], summary["counts"]["failed"]) == (0, 1, 0)


@pytest.fixture
def queue(moto: Server, cli: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A queue that the bucket sends its events to, with a queue for what fails twice."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto.endpoint)
    sqs = make_sqs_client(f"{moto.endpoint}/123456789012/any")
    made = sqs.create_queue(QueueName=f"dead-{os.urandom(4).hex()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(
        QueueName=f"events-{os.urandom(4).hex()}", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "30"}
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    wanted: Any = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]}
    cli.client.put_bucket_notification_configuration(Bucket=cli.bucket, NotificationConfiguration=wanted)
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    return sqs, url


def waiting(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in found.values())


def test_it_empties_a_queue(cli: Desk, queue: tuple[Any, str]) -> None:
    """What S3 sends is acted on and taken off, the poison goes where the queue puts it, and a stop leaves nothing held."""
    sqs, url = queue
    key = cli.upload()
    with watching(cli, "--sqs", url, "--health", "127.0.0.1:0") as process:
        assert waited_for(lambda: stored(cli, key)), process.said()
        assert waited_for(lambda: waiting(sqs, url) == 0), process.said()
        address = f"http://127.0.0.1:{process.port()}"
        assert HTTP.request("GET", f"{address}/health").json()["ok"] is True
        assert HTTP.request("GET", f"{address}/events").status == 404
        code, summary = process.end()
    assert (code, summary["ok"], summary["counts"]["failed"] >= 1) == (0, True, True)
    assert summary["counts"]["acknowledged"] >= 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--sqs", "my-queue"), "'my-queue' is not the URL of a queue"),
        (("--sqs", "http://127.0.0.1:9/1/q"), "reading the attributes of http://127.0.0.1:9/1/q"),
        (("--webhook", "8080"), "'8080' is not an address to listen on"),
        (("--webhook", "127.0.0.1:99999"), "is not an address to listen on"),
        (("--webhook", "192.0.2.1:8080"), "cannot listen on 192.0.2.1:8080"),
    ],
    ids=["no URL", "nobody there", "no host", "no port", "not this machine's"],
)
def test_a_source_that_is_none_is_told_at_once(cli: Desk, args: tuple[str, ...], said: str) -> None:
    """One line says what is wrong, with a hint, and nothing waits for what will never come."""
    result = cli.run("watch", *args)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "hint:" in result.stderr
