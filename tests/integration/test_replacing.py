"""Replacing and releasing: what becomes of the upload that the application no longer refers to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support import OWNER, PREFIX, Stage

from reconciler.core.model import Status, Tag
from reconciler.errors import NotCompletedError, UnknownUploadError


def release(stage: Stage, key: str, **kwargs: Any) -> None:
    stage.uploads.release(key, owner=OWNER, **kwargs)


# Replacing


def test_completing_releases_the_completed_predecessor(stage: Stage) -> None:
    """The old image is released for the grace when the new one completes, and deleted after it."""
    old = stage.completed()
    new = stage.completed(replaces=old)
    row = stage.row(old)
    assert (row.status, row.reason) == (Status.DELETING, "released")
    assert timedelta(days=7) <= row.due_at - row.completed_at < timedelta(days=7, minutes=1)
    stage.advance(days=8)
    stage.sweep()
    assert stage.keys() == {new}


def test_uploading_alone_does_not_release(stage: Stage) -> None:
    """As long as the new one is not completed, the old one stays."""
    old = stage.completed()
    stage.upload(replaces=old)
    stage.advance(days=30)
    stage.sweep()
    assert (stage.row(old).status, stage.keys()) == (Status.COMPLETED, {old})


def test_a_rolled_back_completion_releases_nothing(memory: Stage) -> None:
    """Release and completion are one transaction: neither happens without the other."""
    old = memory.completed()
    new = memory.upload(replaces=old)
    with pytest.raises(ZeroDivisionError), memory.table.begin() as transaction:
        memory.uploads.complete(new, owner=OWNER, session=transaction)
        raise ZeroDivisionError
    assert (memory.row(old).status, memory.row(new).status) == (Status.COMPLETED, Status.PENDING)


def test_a_pending_predecessor_is_swept_once_its_url_is_dead(stage: Stage) -> None:
    """The sweep takes it after its URL's life and the slowest transfer, long before the retention is over."""
    old = stage.upload()
    new = stage.completed(replaces=old)
    stage.advance(hours=1)
    assert stage.sweep().outcomes == ()
    stage.advance(minutes=16)
    stage.sweep()
    assert stage.keys() == {new}


def test_a_predecessor_completed_after_all_is_released(memory: Stage) -> None:
    """What decides is the old one's status when the new one completes."""
    old = memory.upload()
    new = memory.upload(replaces=old)
    memory.uploads.complete(old, owner=OWNER)
    assert memory.row(old).status is Status.COMPLETED
    memory.uploads.complete(new, owner=OWNER)
    assert memory.row(old).status is Status.DELETING


def test_a_predecessor_that_is_gone_does_not_matter(memory: Stage) -> None:
    """Replacing an upload that was swept meanwhile completes all the same."""
    old = memory.upload()
    memory.advance(hours=25)
    memory.sweep()
    new = memory.completed(replaces=old)
    assert (memory.row(old).status, memory.row(new).status) == (Status.DELETED, Status.COMPLETED)


def test_a_chain_of_replacements_keeps_the_last(memory: Stage) -> None:
    """Changing the image four times before submitting leaves one object."""
    key = memory.upload()
    for _ in range(4):
        key = memory.upload(replaces=key)
    memory.uploads.complete(key, owner=OWNER)
    memory.advance(hours=2)
    memory.sweep()
    assert memory.keys() == {key}


# Releasing


def test_a_released_object_is_kept_for_the_grace(stage: Stage) -> None:
    """Before the grace is over sweep and plan leave it alone, after it the sweep deletes it."""
    key = stage.completed()
    release(stage, key)
    stage.advance(days=6, hours=23)
    assert (stage.sweep().outcomes, stage.plan().actions) == ((), ())
    stage.advance(hours=2)
    report = stage.sweep()
    assert [outcome.action.key for outcome in report.deleted] == [key]
    assert (stage.row(key).status, stage.keys()) == (Status.DELETED, set())


def test_releasing_needs_no_second_vote(memory: Stage) -> None:
    """The tag of a released object still says completed; the row's word is enough."""
    key = memory.completed()
    release(memory, key)
    assert memory.tag(key) is Tag.COMPLETED
    memory.advance(days=8)
    assert memory.plan().counts() == {"finish-deletion (grace-over)": 1}


def test_releasing_twice_is_fine_and_does_not_prolong(memory: Stage) -> None:
    """The second release leaves the first one's grace as it is."""
    key = memory.completed()
    release(memory, key)
    due_at = memory.row(key).due_at
    memory.advance(days=3)
    release(memory, key)
    assert memory.row(key).due_at == due_at


def test_releasing_what_was_deleted_is_fine(memory: Stage) -> None:
    """A release that comes again after the sweep finds nothing to do."""
    key = memory.completed()
    release(memory, key)
    memory.advance(days=8)
    memory.sweep()
    release(memory, key)
    assert memory.row(key).status is Status.DELETED


def test_a_pending_upload_cannot_be_released(memory: Stage) -> None:
    """NotCompletedError says that the sweep will do it, and nothing changes."""
    key = memory.upload()
    before = memory.row(key)
    with pytest.raises(NotCompletedError) as caught:
        release(memory, key)
    assert "sweep" in caught.value.hint
    assert memory.row(key) == before


def test_releasing_tells_nothing_about_others_uploads(stage: Stage) -> None:
    """An unknown key and somebody else's, pending or completed, give the same error; nothing changes."""
    theirs = [stage.completed(owner="user:1"), stage.upload(owner="user:1")]
    before = [stage.row(key) for key in theirs]
    said = set()
    for key in (*theirs, f"{PREFIX}unknown.jpg"):
        with pytest.raises(UnknownUploadError) as caught:
            release(stage, key)
        said.add((type(caught.value), str(caught.value), caught.value.hint))
    assert len(said) == 1
    assert [stage.row(key) for key in theirs] == before


def test_without_a_grace_the_next_sweep_deletes(memory: Stage) -> None:
    """A release grace of nothing means that the next sweep finishes the deletion."""
    memory.timing = replace(memory.timing, release_grace=timedelta())
    key = memory.completed()
    release(memory, key)
    memory.sweep()
    assert memory.keys() == set()


def test_an_unsettled_upload_can_be_released(memory: Stage) -> None:
    """Releasing wins over settling: the sweep does not settle a row that is no longer completed."""
    key = memory.upload()
    with memory.table.begin() as transaction:
        memory.uploads.complete(key, owner=OWNER, session=transaction)
        transaction.callbacks.clear()
    release(memory, key)
    memory.sweep()
    assert memory.tag(key) is Tag.COMPLETING
