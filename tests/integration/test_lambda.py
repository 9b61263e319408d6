"""The Lambda function: every way in which AWS hands events over, on moto, with the journal in the function's log."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import cli_support
import pytest
from cli_support import Desk, no_secret_in

from reconciler import logs
from reconciler.errors import BindingError, EventError, MalformedEventError, ReconcilerError, SettingsError
from reconciler.integrations import aws_lambda
from reconciler.integrations.aws_lambda import handler
from reconciler.testing import s3_event

desk, cli = cli_support.desk, cli_support.cli

WAYS = ("sqs", "sns", "s3", "eventbridge")


@pytest.fixture(autouse=True)
def _cold(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test start cold, and leave neither a consumer nor a log handler behind."""
    logger = logging.getLogger(logs.NAME)
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    monkeypatch.setenv("RECONCILER_JOURNAL", "-")
    aws_lambda._consumer.cache_clear()
    yield
    aws_lambda._consumer.cache_clear()
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def from_sqs(*bodies: str) -> Any:
    """Each with the fields that Lambda documents, under an id of its own."""
    common = {"receiptHandle": "AQEB", "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs"}
    return {"Records": [{"messageId": f"id-{number}", "body": body, **common} for number, body in enumerate(bodies)]}


def from_sns(*bodies: str) -> Any:
    wrapped = [{"Type": "Notification", "MessageId": f"id-{number}", "Message": body} for number, body in enumerate(bodies)]
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": each} for each in wrapped]}


def from_eventbridge(bucket: str, key: str) -> Any:
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 5}, "reason": "PutObject"}
    return {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-22T12:00:00Z", "detail": detail}


def about(desk: Desk, key: str, way: str) -> Any:
    """An event about a key, as it reaches the function one way or another."""
    body = s3_event(key, bucket=desk.bucket)
    return {
        "sqs": lambda: from_sqs(body),
        "sns": lambda: from_sns(body),
        "s3": lambda: json.loads(body),
        "eventbridge": lambda: from_eventbridge(desk.bucket, key),
    }[way]()


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_is_known_to_be_stored(cli: Desk, way: str) -> None:
    """However the event comes; only a queue is told what failed: nothing."""
    key = cli.upload()
    answer = handler(about(cli, key, way), None)
    assert answer == ({"batchItemFailures": []} if way == "sqs" else None)
    row = cli.row(key)
    assert row is not None
    assert row.stored_at is not None


def test_one_bad_message_fails_alone(cli: Desk) -> None:
    """The queue gets exactly that one back."""
    key = cli.upload()
    event = from_sqs("no event at all", s3_event(key, bucket=cli.bucket), "{}")
    failures = [{"itemIdentifier": "id-0"}, {"itemIdentifier": "id-2"}]
    assert handler(event, None) == {"batchItemFailures": failures}
    row = cli.row(key)
    assert row is not None
    assert row.stored_at is not None


def test_what_is_not_from_a_queue_raises(cli: Desk) -> None:
    """Lambda then tries again; one line says how many, and why."""
    with pytest.raises(EventError, match="1 of 2 messages failed: the message is not JSON"):
        handler(from_sns("no event at all", s3_event("uploads/a.jpg", bucket=cli.bucket)), None)


def test_a_deletion_is_journalled_on_stderr(cli: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The file system is read-only there: no file is written, and the log has intent and outcome."""
    key = cli.abandoned()
    cli.ok("sweep")
    cli.put(key)
    before = set(cli.folder.iterdir())
    capsys.readouterr()
    handler(about(cli, key, "sqs"), None)
    assert not cli.there(key)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines if line.get("key") == key] == ["intent", "outcome"]
    assert {path.name for path in set(cli.folder.iterdir()) - before} == set()


def test_a_warm_function_connects_once(cli: Desk) -> None:
    """One client and one engine serve every invocation."""
    handler(about(cli, cli.upload(), "sqs"), None)
    kept = aws_lambda._consumer()
    handler(about(cli, cli.upload(), "s3"), None)
    assert aws_lambda._consumer() is kept


def test_a_start_that_failed_is_tried_again(desk: Desk) -> None:
    """A function deployed before `reconcile init` works as soon as that has run."""
    event = about(desk, "uploads/a.jpg", "sqs")
    with pytest.raises(ReconcilerError):
        handler(event, None)
    desk.ok("init")
    assert handler(event, None) == {"batchItemFailures": []}


def test_a_foreign_bucket_is_refused(cli: Desk) -> None:
    """As a whole: then every message comes again, until somebody looks."""
    marker = {"instance_id": "another", "bucket": cli.bucket, "prefix": "uploads/"}
    cli.put("uploads/.reconciler/instance.json", json.dumps(marker).encode())
    with pytest.raises(BindingError):
        handler(about(cli, "uploads/a.jpg", "sqs"), None)


def test_settings_come_from_the_environment(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    monkeypatch.delenv("RECONCILER_BUCKET")
    with pytest.raises(SettingsError, match="RECONCILER_BUCKET is not set"):
        handler(about(cli, "uploads/a.jpg", "sqs"), None)


def test_no_secret_is_logged(cli: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither credentials nor signatures."""
    key = cli.abandoned()
    handler(from_sqs("no event at all", s3_event(key, bucket=cli.bucket)), None)
    no_secret_in(capsys.readouterr().err)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"Records": []},
        {"Records": "text"},
        {"Records": [None]},
        {"Records": [{"eventSource": ["aws:sqs"]}]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1"}]},
        {"Records": [{"eventSource": "aws:sqs", "messageId": 1, "body": "{}"}]},
        {"Records": [{"EventSource": "aws:sns", "Sns": "text"}]},
        {"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]},
        {"requestContext": {"http": {"method": "POST"}}, "body": "{}"},
    ],
)
def test_an_unknown_shape_is_malformed(event: Any) -> None:
    """It is said before anything is connected."""
    with pytest.raises(MalformedEventError):
        handler(event, None)


@pytest.mark.parametrize(
    "event", [{"detail-type": "Scheduled Event", "source": "aws.events"}, {"Records": [{"eventSource": "aws:s3"}]}]
)
def test_an_event_that_is_not_about_an_object_raises(cli: Desk, event: Any) -> None:
    """A rule that matches too much is noticed."""
    with pytest.raises(EventError, match="1 of 1 messages failed"):
        handler(event, None)
