"""Events for tests: messages about keys, a consumer for a stage, a queue that hands over what it is given."""

import json
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

from support import Stage

from reconciler.consumer import Allowance, Consumed, Consumer
from reconciler.core.guards import Limits
from reconciler.ports import Message

CREATED, TAGGED, REMOVED, EXPIRED = (
    "ObjectCreated:Put",
    "ObjectTagging:Put",
    "ObjectRemoved:Delete",
    "LifecycleExpiration:Delete",
)


def body(bucket: str, *keys: str, name: str = CREATED, at: str = "2026-11-22T12:00:00.000Z") -> str:
    """A notification as S3 words it."""
    records = [
        {
            "eventVersion": "2.6",
            "eventSource": "aws:s3",
            "eventTime": at,
            "eventName": name,
            "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def consumer(stage: Stage, limits: Limits | None = None) -> Consumer:
    """What takes in events for a stage."""
    return Consumer(planner=stage.planner, applier=stage.applier, allowance=Allowance(limits))


def consume(stage: Stage, *bodies: str, by: Consumer | None = None) -> Consumed:
    """Have messages consumed; their ids are 0, 1, 2 ..."""
    messages = [Message(str(number), text) for number, text in enumerate(bodies)]
    return (by or consumer(stage)).consume(messages)


def told(stage: Stage, *keys: str, name: str = CREATED, by: Consumer | None = None) -> Consumed:
    """Have one message consumed that names these keys."""
    return consume(stage, body(stage.objects.bucket, *keys, name=name), by=by)


class ListQueue:
    """An EventQueue of what it was given, that notes what becomes of each message. What fails does not come again."""

    name = "list"

    def __init__(self, batches: Iterable[Sequence[Message] | Exception], *, patience: float | None = None) -> None:
        self._batches = list(batches)
        self.patience = patience
        self.told: list[tuple[str, str]] = []
        self._lock = Lock()

    def receive(self) -> Sequence[Message] | None:
        with self._lock:
            batch: Any = self._batches.pop(0) if self._batches else None
        if isinstance(batch, Exception):
            raise batch
        return batch  # type: ignore[no-any-return]

    def done(self, messages: Sequence[Message]) -> None:
        self._note("done", messages)

    def failed(self, messages: Sequence[Message]) -> None:
        self._note("failed", messages)

    def keep(self, messages: Sequence[Message]) -> None:
        self._note("kept", messages)

    def close(self) -> None:
        self._batches.clear()
        self.told.append(("closed", ""))

    def _note(self, what: str, messages: Sequence[Message]) -> None:
        self.told += [(what, message.id) for message in messages]
