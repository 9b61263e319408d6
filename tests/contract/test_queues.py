"""The conformance suite of the event queue's port: in memory, over HTTP, and on SQS as moto has it."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from support import HTTP

from reconciler.adapters.sqs import SqsQueue, make_sqs_client
from reconciler.adapters.webhook import WebhookQueue
from reconciler.demo.servers import Server
from reconciler.testing import EventQueueSuite, MemoryQueue


class TestMemory(EventQueueSuite):
    server_name = "memory"

    def make_queue(self) -> MemoryQueue:
        return MemoryQueue()

    def send(self, queue: Any, body: str) -> None:
        queue.put(body)


class TestWebhook(EventQueueSuite):
    server_name = "webhook"

    @pytest.fixture(autouse=True)
    def _stopped(self) -> Iterator[None]:
        with ExitStack() as self.running:
            yield

    def make_queue(self) -> WebhookQueue:
        return self.running.enter_context(WebhookQueue("127.0.0.1:0", waits=(0.01,)))

    def send(self, queue: Any, body: str) -> None:
        assert HTTP.request("POST", f"http://127.0.0.1:{queue.port}/events", body=body.encode()).status == 202


class TestSqs(EventQueueSuite):
    """Every test has a queue of its own."""

    server_name = "moto"
    client: ClassVar[Any] = None

    @pytest.fixture(autouse=True)
    def _connect(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in moto.environment().items():
            monkeypatch.setenv(name.replace("_S3", "_SQS"), value)
        type(self).client = self.client or make_sqs_client(f"{moto.endpoint}/123456789012/events")

    def make_queue(self) -> SqsQueue:
        self.url = self.client.create_queue(QueueName=f"events-{uuid.uuid4().hex}")["QueueUrl"]
        return SqsQueue(self.client, self.url, poll_seconds=1)

    def send(self, queue: Any, body: str) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body)
