"""S3's events through a real queue (moto's): directly, through a topic, and through EventBridge, with a dead-letter queue."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import boto3
import cli_support
import pytest
from cli_support import Desk
from support import JPEG, OWNER

from reconciler.adapters.sqs import SqsQueue, make_sqs_client
from reconciler.core.events import read_events
from reconciler.core.model import Status, Upload
from reconciler.demo.servers import Server
from reconciler.watching import Watcher

desk, cli = cli_support.desk, cli_support.cli

ACCOUNT = "123456789012"
EVENTS: Any = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
TRIES = 2
SECONDS = 20.0  # far more than it takes
ODD = ["a b", "a+b", "a%2Fb%20c", "100%", "é", "\u65e5\u672c", "\U0001f600", "a&b=c?d#e", "'\"<>"]


@dataclass
class Post:
    """A queue that is told what happens in the desk's bucket, and its dead-letter queue."""

    desk: Desk
    sqs: Any
    url: str
    dead: str

    @property
    def queue(self) -> SqsQueue:
        return SqsQueue(self.sqs, self.url, poll_seconds=1)

    def waiting(self, url: str) -> int:
        """How many messages a queue holds, shown or hidden."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Run the watcher beside the test."""
        stop = Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(Watcher(self.queue, self.desk.here.consumer(), threads=2).run, stop.is_set)
            try:
                yield
            finally:
                stop.set()
            running.result(timeout=SECONDS)


@pytest.fixture
def post(cli: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto.endpoint)
    name = f"events-{uuid.uuid4().hex[:8]}"
    sqs = make_sqs_client(f"{moto.endpoint}/{ACCOUNT}/{name}")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": arn("sqs", f"{name}-dead"), "maxReceiveCount": TRIES})
    return Post(cli, sqs, sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive})["QueueUrl"], dead)


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def other(service: str, endpoint: str) -> Any:
    return boto3.session.Session().client(service, endpoint_url=endpoint, region_name="us-east-1")  # type: ignore[call-overload]


def straight(post: Post, target: str, _: str) -> None:
    """S3 to SQS."""
    notify(post, {"QueueConfigurations": [{"Id": "reconciler", "QueueArn": target, "Events": EVENTS}]})


def through_a_topic(post: Post, target: str, endpoint: str) -> None:
    """S3 to SNS to SQS."""
    sns = other("sns", endpoint)
    topic = sns.create_topic(Name=target.rpartition(":")[2])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target)
    notify(post, {"TopicConfigurations": [{"Id": "reconciler", "TopicArn": topic, "Events": EVENTS}]})


def through_eventbridge(post: Post, target: str, endpoint: str) -> None:
    """S3 to EventBridge to SQS."""
    bridge, rule = other("events", endpoint), target.rpartition(":")[2]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [post.desk.bucket]}}}
    bridge.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": target}])
    notify(post, {"EventBridgeConfiguration": {}})


def notify(post: Post, wanted: Any) -> None:
    post.desk.client.put_bucket_notification_configuration(Bucket=post.desk.bucket, NotificationConfiguration=wanted)


Way = Callable[[Post, str, str], None]


@pytest.fixture(params=[straight, through_a_topic, through_eventbridge], ids=lambda way: way.__name__)
def told(request: pytest.FixtureRequest, post: Post, moto: Server) -> Post:
    """A queue that the bucket's events reach, one way or another."""
    request.param(post, arn("sqs", post.url.rpartition("/")[2]), moto.endpoint)
    return post


def sees(what: Callable[[], object]) -> bool:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def tombstone(desk: Desk, key: str) -> str:
    """Remember an upload that was deleted a while ago; return its key."""
    before = datetime.now(UTC) - timedelta(hours=1)
    moments = dict.fromkeys(("created_at", "expires_at", "due_at", "deleted_at"), before)
    row = Upload(key=key, bucket=desk.bucket, object_url="https://photos.invalid", status=Status.DELETED, owner=OWNER, **moments)
    assert desk.here.table.insert(row)
    return key


def test_every_key_arrives_as_it_was_put(told: Post) -> None:
    """Spaces, plus and percent signs, and what is not ASCII."""
    keys = {told.desk.put(f"uploads/{name}", JPEG) for name in ODD}
    found: set[str] = set()
    queue = told.queue
    assert sees(lambda: found.update(key_of(queue)) or found >= keys)
    assert found == keys


def key_of(queue: SqsQueue) -> set[str]:
    messages = queue.receive() or []
    queue.done(messages)
    return {event.key for message in messages for event in read_events(message.body)}


def test_a_late_arrival_is_deleted_whatever_its_key(told: Post) -> None:
    """From the event to the object that is gone again; then the queue is empty, the configuration's test message included."""
    desk = told.desk
    keys = [tombstone(desk, f"uploads/{name}") for name in ODD]
    stored = desk.upload()
    for key in keys:
        desk.put(key)
    with told.watched():
        assert sees(lambda: not any(desk.there(key) for key in keys))
        assert sees(lambda: desk.here.table.get(stored).stored_at)  # type: ignore[union-attr]
        assert sees(lambda: not told.waiting(told.url))
    assert told.waiting(told.dead) == 0


def test_a_poisonous_message_ends_among_the_dead_letters(told: Post) -> None:
    """And holds up nobody else's."""
    told.sqs.send_message(QueueUrl=told.url, MessageBody="no event at all")
    key = told.desk.upload()
    with told.watched():
        assert sees(lambda: told.desk.here.table.get(key).stored_at)  # type: ignore[union-attr]
        assert sees(lambda: told.waiting(told.dead))
        assert sees(lambda: not told.waiting(told.url))
    (dead,) = told.sqs.receive_message(QueueUrl=told.dead, MaxNumberOfMessages=10)["Messages"]
    assert dead["Body"] == "no event at all"
