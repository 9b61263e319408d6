"""AWS Lambda: `reconciler.integrations.aws_lambda.handler` takes S3's events, however they reach the function.

| what invokes it | what it answers |
|---|---|
| an SQS queue | which messages must come again (the event source mapping needs `ReportBatchItemFailures`) |
| S3 itself, an SNS topic, EventBridge | nothing, or it raises: Lambda tries twice more, then the failure destination has it |

Settings come from the environment. One client, one engine and one consumer are made when the function starts cold, and kept. Its
file system cannot be written: set RECONCILER_JOURNAL to `-`, and the journal's lines are in the function's log.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from reconciler import logs
from reconciler.consumer import Consumer
from reconciler.errors import EventError, MalformedEventError
from reconciler.ports import Message
from reconciler.settings import load_settings
from reconciler.wiring import deploy

SQS, SNS, S3 = "aws:sqs", "aws:sns", "aws:s3"


def handler(event: Any, context: object) -> dict[str, Any] | None:  # noqa: ARG001  Lambda's signature
    """Look after every key that the event names.

    Raises MalformedEventError for an event of an unknown shape, EventError where a key of an event that is not from a queue could
    not be looked after, and any other ReconcilerError where nothing could be done: then Lambda, or the queue, brings it again.
    """
    source, messages = _read(event)
    failed = _consumer().consume(messages).failed
    if source == SQS:
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
    if failed:
        raise EventError(f"{len(failed)} of {len(messages)} messages failed: {next(iter(failed.values()))}")
    return None


@cache
def _consumer() -> Consumer:
    logs.set_up(verbose=False)
    consumer = deploy(load_settings()).consumer()
    consumer.check()
    return consumer


def _read(event: Any) -> tuple[str, Sequence[Message]]:
    """Return who sent the event, and its messages."""
    if not isinstance(event, dict):
        raise MalformedEventError("the event is no JSON object")
    if "detail-type" in event:
        return "eventbridge", [Message("1", json.dumps(event))]
    records = event.get("Records")
    sources = {_source(record) for record in records} if isinstance(records, list) else set()
    if sources == {S3}:
        return S3, [Message("1", json.dumps(event))]
    if sources == {SQS}:
        return SQS, list(_messages(records, ("messageId",), ("body",)))
    if sources == {SNS}:
        return SNS, list(_messages(records, ("Sns", "MessageId"), ("Sns", "Message")))
    raise MalformedEventError("the event is neither from SQS, SNS, S3 nor EventBridge")


def _source(record: Any) -> str | None:
    found = record.get("eventSource") or record.get("EventSource") if isinstance(record, dict) else None
    return found if isinstance(found, str) else None


def _messages(records: Any, id_path: Sequence[str], body_path: Sequence[str]) -> Iterator[Message]:
    for record in records:
        yield Message(_text(record, id_path), _text(record, body_path))


def _text(record: Mapping[str, Any], path: Sequence[str]) -> str:
    found: Any = record
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, str):
        raise MalformedEventError(f"the event has a record without {'.'.join(path)}")
    return found
