"""Watching: messages are taken, consumed and given back, whatever happens in between."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from events_support import ListQueue, body, consumer
from integration_support import around_objects, around_table
from support import Stage

from reconciler import watching
from reconciler.core.keys import marker_key
from reconciler.core.model import Binding
from reconciler.errors import (
    BindingError,
    EventSourceError,
    JournalError,
    StoreUnavailableError,
    TableUnavailableError,
)
from reconciler.ports import Message
from reconciler.watching import Watcher


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(watching, "TICK", 0.01)


def message(stage: Stage, number: int, *keys: str) -> Message:
    return Message(str(number), body(stage.objects.bucket, *keys))


def watch(stage: Stage, queue: ListQueue, *, threads: int = 1, **given: Any) -> Watcher:
    watcher = Watcher(queue, consumer(stage), threads=threads, **given)
    watcher.run()
    return watcher


def test_what_is_handled_is_done(memory: Stage) -> None:
    """Each batch is taken off the queue, and counted."""
    keys = [memory.upload() for _ in range(3)]
    queue = ListQueue([[message(memory, 0, *keys[:2])], [], [message(memory, 1, keys[2]), message(memory, 2, "logs/x")]])
    tally = watch(memory, queue).tally.as_dict()
    assert queue.told == [("done", "0"), ("done", "1"), ("done", "2")]
    assert tally["counts"] == {"received": 3, "acknowledged": 3, "failed": 0, "events": 4, "ignored": 1, "applied": 3}
    assert (tally["source"], tally["ok"], tally["longest_lag_seconds"]) == ("list", True, 0.0)


def test_what_fails_is_given_back_and_told(memory: Stage) -> None:
    """The poison goes back, the others are done, and the caller hears of it."""
    told: list[tuple[str, str]] = []
    queue = ListQueue([[Message("poison", "?"), message(memory, 1, memory.upload())]])
    watcher = watch(memory, queue, on_failure=lambda *what: told.append(what))
    assert queue.told == [("failed", "poison"), ("done", "1")]
    assert told == [("poison", "the message is not JSON")]
    assert watcher.tally.counts["failed"] == 1


def test_a_table_out_of_reach_is_waited_for(memory: Stage) -> None:
    """All messages of the batch are given back; once the table answers, things go on."""
    key = memory.upload()
    failures = [TableUnavailableError("gone"), TableUnavailableError("gone")]

    def step(get_many: Any, keys: Any) -> Any:
        if failures:
            raise failures.pop()
        return get_many(keys)

    around_table(memory).instead("get_many", step)
    queue = ListQueue([[message(memory, number, key)] for number in range(3)])
    watcher = watch(memory, queue)
    assert queue.told == [("failed", "0"), ("failed", "1"), ("done", "2")]
    assert (watcher.tally.counts["received"], watcher.tally.trouble) == (3, "")
    assert memory.row(key).stored_at is not None


def test_trouble_lasts_until_something_was_done(memory: Stage) -> None:
    """A source that answers with nothing proves no table well; health says what is out of reach until a batch went well."""
    key, seen = memory.upload(), []

    class Watched(ListQueue):
        def receive(self) -> Sequence[Message] | None:
            seen.append(watcher.tally.as_dict()["ok"])
            return super().receive()

    failing = [TableUnavailableError("gone")]
    table = around_table(memory)
    table.instead("get_many", lambda get_many, keys: (_ for _ in ()).throw(failing.pop()) if failing else get_many(keys))
    queue = Watched([[message(memory, 0, key)], [], [], [message(memory, 1, key)], []])
    watcher = Watcher(queue, consumer(memory), threads=1)
    watcher.run()
    assert seen == [True, False, False, False, True, True]


def test_a_source_that_fails_on_the_way_is_waited_for(memory: Stage) -> None:
    """What was within reach once will be again."""
    queue = ListQueue([[], EventSourceError("503"), EventSourceError("503"), [message(memory, 0, memory.upload())]])
    watch(memory, queue)
    assert queue.told == [("done", "0")]


def test_a_source_that_never_answered_is_an_error(memory: Stage) -> None:
    """A wrong queue is told at once, not waited for."""
    with pytest.raises(EventSourceError, match="no such queue"):
        watch(memory, ListQueue([EventSourceError("no such queue")]), threads=3)


def test_a_foreign_bucket_ends_it(memory: Stage) -> None:
    """Waiting does not mend a bucket that belongs to another table: the messages go back, and the error is raised."""
    key = memory.upload()
    memory.advance(hours=25)
    queue = ListQueue([[message(memory, 0, key)], [message(memory, 1, key)]])

    def stolen(head: Any, key: str) -> Any:
        memory.objects.inner.put_marker(marker_key("uploads/"), Binding("another", "photos", "uploads/"), overwrite=True)
        return head(key)

    around_objects(memory).instead("head", stolen)
    watcher = Watcher(queue, consumer(memory), threads=1)
    with pytest.raises(BindingError):
        watcher.run()
    assert queue.told == [("failed", "0"), ("closed", "")]


def test_a_journal_that_cannot_be_written_any_more_ends_it(memory: Stage) -> None:
    """Deleting without a journal is not an option, and neither is pretending."""
    key = memory.upload()
    memory.advance(hours=25)
    writes: list[Sequence[Any]] = []

    def full(lines: Sequence[Any]) -> None:
        writes.append(lines)
        if len(writes) > 1:
            raise JournalError

    memory.journal.write = full
    queue = ListQueue([[message(memory, 0, key)]])
    with pytest.raises(JournalError):
        watch(memory, queue)
    assert queue.told == [("failed", "0"), ("closed", "")]
    assert memory.keys() == {key}


def test_a_bug_ends_it_loudly(memory: Stage) -> None:
    """What nobody has foreseen is not swallowed in a thread."""
    around_table(memory).failing("get_many", ZeroDivisionError())
    queue = ListQueue([[message(memory, 0, memory.upload())]])
    with pytest.raises(ZeroDivisionError):
        watch(memory, queue)
    assert queue.told[0] == ("failed", "0")


class EndlessQueue(ListQueue):
    """A queue with one batch, and then nothing for ever, until it is closed."""

    def __init__(self, batch: Sequence[Message], **given: Any) -> None:
        super().__init__([batch], **given)
        self.closed = threading.Event()

    def receive(self) -> Sequence[Message] | None:
        if self._batches:
            return super().receive()
        return None if self.closed.wait(0.01) else []

    def close(self) -> None:
        super().close()
        self.closed.set()


def test_being_asked_to_stop_finishes_what_was_received(memory: Stage) -> None:
    """The source is closed, and what was taken is done."""
    key = memory.upload()
    queue = EndlessQueue([message(memory, 0, key)])
    Watcher(queue, consumer(memory), threads=3).run(lambda: memory.row(key).stored_at is not None)
    assert sorted(queue.told) == [("closed", ""), ("done", "0")]


def test_it_stops_while_the_table_is_out_of_reach(memory: Stage) -> None:
    """A stop is not held up by what does not answer; the messages go back."""
    around_table(memory).failing("get_many", TableUnavailableError("gone"))
    queue = EndlessQueue([message(memory, 0, "uploads/2026/11/22/a.jpg")])
    watcher = Watcher(queue, consumer(memory), threads=1)
    watcher.run(lambda: bool(watcher.tally.trouble))
    assert queue.told == [("failed", "0"), ("closed", "")]


def test_messages_are_kept_while_they_are_worked_on(memory: Stage) -> None:
    """The source's patience is prolonged until the work is done."""
    key = memory.upload()

    def slow(head: Any, key: str) -> Any:
        deadline = time.monotonic() + 5
        while ("kept", "0") not in queue.told and time.monotonic() < deadline:
            time.sleep(0.01)
        return head(key)

    around_objects(memory).instead("head", slow)
    queue = ListQueue([[message(memory, 0, key)]], patience=0.1)
    watch(memory, queue)
    assert queue.told[0] == ("kept", "0")
    assert queue.told[-1] == ("done", "0")


def test_a_store_that_does_not_answer_fails_message_by_message(memory: Stage) -> None:
    """Unknown is not absent; nothing is written."""
    keys = [memory.upload(), memory.upload()]
    around_objects(memory).failing("head", StoreUnavailableError("SlowDown"))
    queue = ListQueue([[message(memory, number, key)] for number, key in enumerate(keys)])
    watcher = watch(memory, queue)
    assert queue.told == [("failed", "0"), ("failed", "1")]
    assert watcher.tally.counts["unknown"] == 2


def test_many_threads_share_the_work(stage: Stage) -> None:
    """Several batches at once, the same keys among them, end as they should."""
    keys = [stage.upload() for _ in range(4)]
    for key in keys[2:]:
        stage.uploads.complete(key, owner="user:42")
        stage.objects.put_tags(key, {"status": "pending"})
    batches = [[message(stage, number, *keys)] for number in range(8)]
    watch(stage, ListQueue(batches), threads=4)
    assert [stage.row(key).stored_at is not None for key in keys[:2]] == [True, True]
    assert [stage.tag(key).value for key in keys] == ["pending", "pending", "completed", "completed"]
