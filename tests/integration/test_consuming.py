"""Consuming events: each names a key that deserves a look, and nothing else of it is believed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from events_support import CREATED, EXPIRED, REMOVED, TAGGED, body, consume, consumer, told
from integration_support import around_objects, around_table, forbid_writing, put, remove, state, tag_as, untracked
from support import JPEG, OWNER, PNG, PREFIX, Stage

from reconciler.core.guards import Limits
from reconciler.core.keys import marker_key
from reconciler.core.model import Binding, Status, Tag
from reconciler.errors import BindingError, JournalError, StoreUnavailableError, TableUnavailableError

NAMES = (CREATED, TAGGED, REMOVED, EXPIRED, "ObjectRestore:Completed", "")


# What each key is


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name or "no name")
def test_a_created_object_is_recorded_whatever_the_event_is_called(stage: Stage, name: str) -> None:
    """The row says stored, with the facts of a HEAD; the event's own name decides nothing."""
    key = stage.upload()
    consumed = told(stage, key, name=name)
    row = stage.row(key)
    assert (row.status, row.stored_at is not None, row.size) == (Status.PENDING, True, len(JPEG))
    assert (consumed.failed, consumed.counts) == ({}, {"applied": 1})


def test_the_same_event_once_more_changes_nothing(stage: Stage) -> None:
    """What is as it should be is kept, without a write."""
    kept, pending = stage.completed(), stage.upload()
    told(stage, kept, pending)
    before = state(stage)
    forbid_writing(stage)
    assert told(stage, kept, pending).counts == {"kept": 2}
    assert state(stage) == before


def test_a_late_arrival_is_deleted_again(stage: Stage) -> None:
    """An object at a tombstone's key goes at once, journalled."""
    key = stage.upload()
    stage.advance(hours=25)
    stage.sweep()
    put(stage, key, status="pending")
    assert told(stage, key).counts == {"applied": 1, "deleted": 1}
    assert stage.keys() == set()
    assert stage.row(key).status is Status.DELETED
    assert [line["reason"] for line in stage.journal.lines if line["event"] == "intent"] == ["abandoned", "late-arrival"]


def test_an_overwritten_object_is_reported_and_kept_from_the_rule(stage: Stage) -> None:
    """The other bytes at a completed key are tagged changed, so that the lifecycle rule leaves them alone."""
    key = stage.completed()
    put(stage, key, PNG, status="pending")
    assert told(stage, key).counts == {"reported": 1}
    assert stage.tag(key) is Tag.CHANGED


def test_a_tag_that_was_taken_away_is_settled_again(stage: Stage) -> None:
    """Another tagger undid ours: the event's look mends it, keeping what the other one wrote."""
    key = stage.completed()
    stage.advance(hours=3)
    stage.sweep()
    stage.objects.put_tags(key, {"scan": "clean"})
    told(stage, key, name=TAGGED)
    assert dict(stage.objects.tags(key)) == {"scan": "clean", "status": "completed"}


def test_an_expired_object_is_a_tombstone_once_due(stage: Stage) -> None:
    """After the lifecycle rule took a pending object, its row is buried at its deadline, not before."""
    key = stage.upload()
    remove(stage, key)
    assert told(stage, key, name=EXPIRED).counts == {"kept": 1}
    stage.advance(hours=25)
    told(stage, key, name=EXPIRED)
    assert stage.row(key).status is Status.DELETED


def test_a_completed_object_that_is_gone_is_missing(stage: Stage) -> None:
    """It is reported, and the row stays completed."""
    key = stage.completed()
    remove(stage, key)
    assert told(stage, key, name=REMOVED).counts == {"reported": 1}
    assert stage.row(key).status is Status.COMPLETED


def test_an_object_without_a_row_is_never_touched(stage: Stage) -> None:
    """Neither a young one nor an old one."""
    key = untracked(stage)
    young = put(stage, f"{PREFIX}2026/11/22/young.jpg")
    told(stage, key, young)
    assert stage.keys() == {key, young}


def test_a_key_that_never_was_is_ignored(stage: Stage) -> None:
    """Neither row nor object: nothing is done and nothing fails."""
    consumed = told(stage, f"{PREFIX}2026/11/22/nothing.jpg")
    assert (consumed.failed, consumed.counts) == ({}, {"kept": 1})


def test_a_dispute_met_by_an_event_is_noted(memory: Stage) -> None:
    """A due row whose object says completed is kept, and later runs know of it."""
    key = memory.upload()
    tag_as(memory, key, "completed")
    memory.advance(hours=25)
    assert told(memory, key).counts == {"reported": 1}
    assert memory.table.disputed()
    assert memory.keys() == {key}


def test_a_completion_between_both_looks_is_no_dispute(memory: Stage) -> None:
    """The row was read before it, at the last moment, and the tag after it: nothing is noted that would hold others back."""
    key = memory.upload()
    memory.advance(hours=23, minutes=59)

    def completed(head: Any, key: str) -> Any:
        objects.mend()
        memory.uploads.complete(key, owner=OWNER)
        memory.advance(minutes=2)
        return head(key)

    objects = around_objects(memory)
    objects.instead("head", completed)
    told(memory, key)
    assert not memory.table.disputed()
    assert memory.row(key).status is Status.COMPLETED


@pytest.mark.parametrize("odd", ["red flower.jpg", "a+b.jpg", "100%.jpg", "a%2Bb", "Grüße.jpg", '"<&>.jpg'])
def test_odd_keys_are_found_as_they_are(memory: Stage, odd: str) -> None:
    """A key arrives form-encoded, and the row and object of just that key are looked at."""
    key = f"{PREFIX}{odd}"
    pending = memory.row(memory.upload())
    memory.table.insert(replace(pending, key=key))
    put(memory, key)
    told(memory, key)
    assert memory.row(key).stored_at is not None


# What is not ours


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("photos", "logs/a.jpg"),
        ("photos", "upload"),
        ("photos", PREFIX),
        ("photos", marker_key(PREFIX)),
        ("photos", f"{PREFIX}.reconciler/doctor/x"),
        ("other", f"{PREFIX}2026/11/22/a.jpg"),
    ],
    ids=["another prefix", "half a prefix", "the folder itself", "our marker", "our probes", "another bucket"],
)
def test_what_is_not_ours_is_acknowledged_and_ignored(memory: Stage, bucket: str, key: str) -> None:
    """Nobody is asked about it."""
    objects = around_objects(memory)
    consumed = consume(memory, body(bucket, key))
    assert (consumed.failed, consumed.events, consumed.ignored, objects.calls) == ({}, 1, 1, [])


def test_a_test_message_is_acknowledged(memory: Stage) -> None:
    """S3 sends one whenever notifications are put."""
    consumed = consume(memory, '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}')
    assert (consumed.messages, consumed.failed, consumed.events) == (1, {}, 0)


# What fails


def test_a_poisonous_message_fails_alone(stage: Stage) -> None:
    """The others are done, and it is named with the reason."""
    key = stage.upload()
    consumed = consume(stage, "poison", body(stage.objects.bucket, key), '{"Records": [{}]}')
    assert consumed.failed == {"0": "the message is not JSON", "2": "the event has no s3.bucket.name"}
    assert stage.row(key).stored_at is not None


def test_a_key_that_s3_does_not_answer_for_fails_its_messages_alone(memory: Stage) -> None:
    """Unknown is not absent: nothing is done about that key, and every message that names it comes again."""
    good, bad = memory.upload(), memory.upload()

    def step(head: Any, key: str) -> Any:
        if key == bad:
            raise StoreUnavailableError("SlowDown")
        return head(key)

    around_objects(memory).instead("head", step)
    bodies = [body("photos", *keys) for keys in ((good,), (bad,), (good, bad))]
    consumed = consume(memory, *bodies)
    assert consumed.failed.keys() == {"1", "2"}
    assert consumed.counts == {"applied": 1, "unknown": 1}
    assert (memory.row(good).stored_at is not None, memory.row(bad).stored_at) == (True, None)


def test_a_failed_write_fails_its_message(memory: Stage) -> None:
    """A tag that cannot be put is tried again with the message."""
    kept, other = memory.completed(), memory.completed()
    for key in (kept, other):
        tag_as(memory, key, "pending")

    def step(put_tags: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        if key == other:
            raise StoreUnavailableError("SlowDown")
        return put_tags(key, *args, **kwargs)

    around_objects(memory).instead("put_tags", step)
    consumed = consume(memory, body("photos", kept), body("photos", other))
    assert consumed.failed.keys() == {"1"}
    assert (memory.tag(kept), memory.tag(other)) == (Tag.COMPLETED, Tag.PENDING)


def test_a_table_out_of_reach_fails_everything(memory: Stage) -> None:
    """Nothing can be decided: the caller hears of it, and gives all messages back."""
    key = memory.upload()
    around_table(memory).failing("get_many", TableUnavailableError())
    with pytest.raises(TableUnavailableError):
        told(memory, key)


def test_a_foreign_bucket_is_refused(memory: Stage) -> None:
    """A deletion in a bucket whose marker names another table is refused, and the object stays."""
    key = memory.upload()
    memory.advance(hours=25)
    memory.objects.put_marker(marker_key(PREFIX), Binding("another", "photos", PREFIX), overwrite=True)
    with pytest.raises(BindingError):
        told(memory, key)
    assert memory.keys() == {key}


def test_it_begins_with_a_look_at_the_binding_and_the_journal(memory: Stage) -> None:
    """A wrong table, or a journal that cannot be written, is known before the first message."""
    memory.objects.put_marker(marker_key(PREFIX), Binding("another", "photos", PREFIX), overwrite=True)
    with pytest.raises(BindingError):
        consumer(memory).check()


def test_it_needs_a_journal(memory: Stage) -> None:
    """Nothing may be deleted that cannot be written down."""

    def full(_: Sequence[Any]) -> None:
        raise JournalError

    memory.journal.write = full
    with pytest.raises(JournalError):
        consumer(memory).check()


# The allowance


def late_arrivals(stage: Stage, count: int) -> list[str]:
    """Tombstones whose objects came after all."""
    keys = [stage.upload() for _ in range(count)]
    stage.advance(hours=25)
    stage.sweep(limits=Limits(max_delete=count))
    for key in keys:
        put(stage, key, status="pending")
    return keys


def test_events_delete_no_more_in_a_day_than_a_run_may(memory: Stage) -> None:
    """However small each batch is, they are counted together; what is left, a plan with all its guards finds."""
    keys = late_arrivals(memory, 7)
    by = consumer(memory, Limits(free=5, share=0.0))
    counts = [dict(told(memory, key, by=by).counts) for key in keys]
    assert counts == [{"applied": 1, "deleted": 1}] * 5 + [{"left": 1}] * 2
    assert memory.keys() == set(keys[5:])
    memory.advance(hours=25)
    assert told(memory, keys[5], by=by).counts["deleted"] == 1
    memory.apply()
    assert memory.keys() == set()


def test_a_batch_beyond_the_allowance_is_still_looked_after(memory: Stage) -> None:
    """Only its deletions are left; what protects customers' photos is done."""
    keys, kept = late_arrivals(memory, 3), memory.completed()
    tag_as(memory, kept, "pending")
    consumed = told(memory, *keys, kept, by=consumer(memory, Limits(free=2, share=0.0)))
    assert (consumed.failed, consumed.counts) == ({}, {"applied": 1, "left": 3})
    assert memory.tag(kept) is Tag.COMPLETED
    assert memory.keys() == {*keys, kept}


def test_the_allowance_grows_with_the_table(memory: Stage) -> None:
    """15 % of the rows, where that is more than 50."""
    keys = late_arrivals(memory, 4)
    assert told(memory, *keys, by=consumer(memory, Limits(free=0, share=1.0))).counts == {"applied": 4, "deleted": 4}


# What is told


def test_lags_are_from_the_event_to_the_end(memory: Stage) -> None:
    """Measured on the table's clock; an event without a time has none."""
    key = memory.upload()
    memory.advance(seconds=90)
    consumed = consume(memory, body("photos", key, at="2026-11-22T12:00:00Z"), body("photos", key, at="?"), body("other", key))
    assert consumed.lags == (timedelta(seconds=90),)
    assert (consumed.messages, consumed.events, consumed.ignored) == (3, 3, 1)


def test_no_run_is_kept_of_a_batch_of_events(memory: Stage) -> None:
    """The table of runs would have a row a second."""
    told(memory, memory.upload())
    assert memory.table.runs == {}


def test_a_key_named_often_is_looked_at_once(memory: Stage) -> None:
    """Repeated events in a batch cost nothing more: one HEAD, and for a pending upload no tag."""
    key = memory.upload()
    objects = around_objects(memory)
    told(memory, key, key, key)
    assert objects.verbs() == ["head"]


def test_the_uploader_is_not_disturbed(stage: Stage) -> None:
    """An event that comes between upload and submit changes nothing about completing."""
    key = stage.upload()
    told(stage, key)
    stage.uploads.complete(key, owner=OWNER)
    told(stage, key, name=TAGGED)
    assert (stage.row(key).status, stage.tag(key)) == (Status.COMPLETED, Tag.COMPLETED)
