"""Disputes: what the tag remembers and the table does not is kept and reported until the operator has spoken."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from integration_support import around_objects, disputed, is_there, put, remove, rows, state, tag_as, untracked
from support import JPEG, OWNER, PNG, PREFIX, Stage

from reconciler.core.decide import Untracked
from reconciler.core.model import Status, Tag
from reconciler.core.plan import PlanOptions
from reconciler.errors import (
    BindingError,
    InvalidOwnerError,
    InvalidReferenceError,
    NothingToSettleError,
    NotUploadedError,
    StoreUnavailableError,
)

UNKNOWN = f"{PREFIX}2026/11/22/unknown.jpg"


def due_dispute(stage: Stage) -> str:
    key = disputed(stage)
    stage.advance(hours=25)
    return key


def rolled_back(stage: Stage) -> str:
    """An upload that was being completed when its transaction was rolled back."""
    key = stage.upload()
    tag_as(stage, key, "completing")
    return key


# Reporting


def test_a_dispute_is_reported_and_kept(stage: Stage) -> None:
    """A due row whose object is tagged completed is reported by both finders, run after run, and nothing is written."""
    key = due_dispute(stage)
    before = state(stage)
    for _ in range(2):
        assert stage.sweep().plan.counts() == {"report (disputed)": 1}
        assert stage.apply().plan.counts() == {"report (disputed)": 1}
        stage.advance(days=1)
    assert state(stage) == before
    assert stage.keys() == {key}


def test_a_dispute_holds_back_what_was_completing(stage: Stage) -> None:
    """In the same run due uploads tagged completing are kept; what is still tagged pending is deleted."""
    torn, gone = rolled_back(stage), stage.upload()
    kept = due_dispute(stage)
    stage.sweep()
    assert stage.keys() == {torn, kept}
    assert not is_there(stage, gone)


def test_what_was_held_back_stays_so_after_the_dispute(stage: Stage) -> None:
    """Later runs that meet no dispute any more keep it too, until it is accepted or adopted."""
    torn = rolled_back(stage)
    key = due_dispute(stage)
    stage.sweep()
    stage.operator.adopt(key)
    stage.advance(hours=25)
    assert stage.sweep().plan.counts().get("report (held-back)") == 1
    assert is_there(stage, torn)


def test_accept_restored_deletes_what_was_held_back(stage: Stage) -> None:
    """With the operator's word they go; the disputed one still stays."""
    rolled_back(stage)
    kept = due_dispute(stage)
    stage.sweep()
    stage.advance(hours=25)
    stage.sweep(options=PlanOptions(accept_restored=True))
    assert stage.keys() == {kept}


def test_accept_restored_at_once(memory: Stage) -> None:
    """The word may be given in the first run."""
    rolled_back(memory)
    kept = due_dispute(memory)
    memory.sweep(options=PlanOptions(accept_restored=True))
    assert memory.keys() == {kept}


def test_without_a_dispute_what_was_completing_is_swept(memory: Stage) -> None:
    """A completion that was rolled back counts as not done, and goes after one more retention."""
    key = rolled_back(memory)
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == {key}
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == set()


# Adopting


def test_adopting_a_dispute_completes_it(stage: Stage) -> None:
    """The row is completed and settled with the object's facts, and no plan mentions it any more."""
    key = due_dispute(stage)
    row = stage.operator.adopt(key)
    assert (row.status, row.etag) == (Status.COMPLETED, stage.objects.head(key).etag)
    assert None not in (row.completed_at, row.settled_at)
    assert (stage.tag(key), stage.plan().actions) == (Tag.COMPLETED, ())


def test_adopting_before_the_deadline(memory: Stage) -> None:
    """A dispute that is not due yet may be adopted as well."""
    assert memory.operator.adopt(disputed(memory)).status is Status.COMPLETED


def test_adopting_an_untracked_object_gives_it_a_row(memory: Stage) -> None:
    """With an owner it becomes a completed upload of theirs, foreign tags kept."""
    key = untracked(memory, scan="clean")
    row = memory.operator.adopt(key, owner=OWNER)
    assert (row.status, row.owner, row.size) == (Status.COMPLETED, OWNER, len(JPEG))
    assert memory.objects.tags(key) == {"status": "completed", "scan": "clean"}
    assert memory.uploads.complete(key, owner=OWNER).key == key
    assert memory.plan().actions == ()


def test_adopting_takes_a_url(memory: Stage) -> None:
    """The operator may paste an address."""
    assert memory.operator.adopt(f"s3://photos/{disputed(memory)}").status is Status.COMPLETED


def test_adopting_what_was_held_back(memory: Stage) -> None:
    """What an earlier run held back may be adopted although its tag is only completing."""
    torn = rolled_back(memory)
    due_dispute(memory)
    memory.sweep()
    row = memory.operator.adopt(torn)
    assert (row.status, row.reason, memory.tag(torn)) == (Status.COMPLETED, None, Tag.COMPLETED)


def test_adopting_survives_a_failing_settle(memory: Stage) -> None:
    """If S3 cannot be told at once, the row is completed and the sweep tells it."""
    key = due_dispute(memory)
    objects = around_objects(memory).failing("put_tags", StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        memory.operator.adopt(key)
    objects.mend()
    memory.sweep()
    assert (memory.row(key).status, memory.row(key).settled_at is None) == (Status.COMPLETED, False)


# Releasing


def test_releasing_a_dispute_lets_it_go_after_the_grace(stage: Stage) -> None:
    """The operator takes the table's side: the object is kept for the grace, then deleted although tagged completed."""
    key = due_dispute(stage)
    row = stage.operator.release(key)
    assert (row.status, row.reason) == (Status.DELETING, "released")
    assert stage.sweep().outcomes == ()
    stage.advance(days=8)
    stage.sweep()
    assert stage.keys() == set()


def test_releasing_a_completed_upload(memory: Stage) -> None:
    """The operator needs no owner."""
    key = memory.completed()
    row = memory.operator.release(key)
    assert (row.status, row.due_at - memory.clock.now()) == (Status.DELETING, timedelta(days=7))


def test_releasing_a_missing_object_ends_its_reports(memory: Stage) -> None:
    """A completed row whose object is gone is settled by releasing it."""
    key = memory.completed()
    remove(memory, key)
    memory.operator.release(key)
    memory.advance(days=8)
    memory.sweep()
    assert (memory.row(key).status, memory.plan().actions) == (Status.DELETED, ())


def test_releasing_an_untracked_dispute(memory: Stage) -> None:
    """An object without a row that is tagged completed gets a row that lets it go after the grace."""
    memory.completed()
    key = untracked(memory, status="completed")
    assert memory.operator.release(key).status is Status.DELETING
    memory.advance(days=8)
    memory.sweep()
    assert not is_there(memory, key)


# Accepting


def test_accepting_a_changed_object(stage: Stage) -> None:
    """The new object becomes the completed one."""
    key = stage.completed()
    put(stage, key, PNG, kind="image/png", status="pending")
    row = stage.operator.accept(key)
    assert (row.etag, row.content_type) == (stage.objects.head(key).etag, "image/png")
    assert (stage.tag(key), stage.plan().actions) == (Tag.COMPLETED, ())


def test_releasing_a_changed_object(memory: Stage) -> None:
    """Or it is let go."""
    key = memory.completed()
    put(memory, key, PNG)
    memory.operator.release(key)
    memory.advance(days=8)
    memory.sweep()
    assert memory.keys() == set()


# Every dispute can be settled


def late_dispute(stage: Stage) -> str:
    """A tombstone under which an object tagged completed has appeared."""
    key = stage.upload()
    stage.advance(hours=25)
    stage.sweep()
    return put(stage, key, status="completed")


def quarantined_dispute(stage: Stage) -> str:
    """An object that was tagged completed while it was in quarantine, and is due."""
    stage.completed()
    key = untracked(stage)
    stage.apply(stage.plan(untracked=Untracked.QUARANTINE))
    tag_as(stage, key, "completed")
    stage.advance(days=8)
    return key


@pytest.mark.parametrize("make", [due_dispute, late_dispute, quarantined_dispute])
@pytest.mark.parametrize("word", ["adopt", "release"])
def test_every_dispute_can_be_settled(memory: Stage, make: Callable[[Stage], str], word: str) -> None:
    """Whatever the row says, a reported dispute ends with the operator's word for either side."""
    key = make(memory)
    action = memory.planner.look(key)
    assert action is not None
    assert action.reason == "disputed"
    row = memory.operator.adopt(key, owner=OWNER) if word == "adopt" else memory.operator.release(key)
    assert row.status is (Status.COMPLETED if word == "adopt" else Status.DELETING)


# Refusals


def pending(stage: Stage) -> str:
    return stage.upload()


def due(stage: Stage) -> str:
    key = stage.upload()
    stage.advance(hours=25)
    return key


def completed(stage: Stage) -> str:
    return stage.completed()


def deleting(stage: Stage) -> str:
    key = stage.completed()
    stage.uploads.release(key, owner=OWNER)
    return key


def deleted(stage: Stage) -> str:
    key = due(stage)
    stage.sweep()
    return put(stage, key, status="pending")


def quarantined(stage: Stage) -> str:
    key = untracked(stage)
    stage.apply(stage.plan(untracked=Untracked.QUARANTINE))
    return key


@pytest.mark.parametrize(
    ("word", "make"),
    [
        *(("adopt", make) for make in (pending, due, rolled_back, completed, deleted, quarantined)),
        *(("release", make) for make in (pending, due, deleting, deleted, quarantined, untracked)),
        *(("accept", make) for make in (pending, due, completed, deleting, deleted, quarantined, untracked)),
        ("adopt", untracked),
    ],
)
def test_where_nothing_waits_for_a_word_it_is_refused(memory: Stage, word: str, make: Callable[[Stage], str]) -> None:
    """NothingToSettleError, and neither side changes."""
    key = make(memory)
    before = state(memory)
    with pytest.raises(NothingToSettleError):
        getattr(memory.operator, word)(key)
    assert state(memory) == before


@pytest.mark.parametrize("word", ["adopt", "accept"])
def test_without_an_object_there_is_nothing_to_take(memory: Stage, word: str) -> None:
    """Adopting or accepting needs an object, row or not."""
    for key in (UNKNOWN, memory.presign().key):
        with pytest.raises(NotUploadedError):
            getattr(memory.operator, word)(key)


def test_releasing_what_is_nowhere_is_refused(memory: Stage) -> None:
    """Without row and object there is nothing to let go, and no row appears."""
    with pytest.raises(NothingToSettleError):
        memory.operator.release(UNKNOWN)
    assert rows(memory) == []


def test_an_unusable_owner_is_refused(memory: Stage) -> None:
    """Adopting for a nameless owner leaves no row."""
    key = untracked(memory)
    with pytest.raises((InvalidOwnerError, NothingToSettleError)):
        memory.operator.adopt(key, owner=" ")
    assert rows(memory) == []


@pytest.mark.parametrize("word", ["adopt", "release", "accept"])
def test_the_operator_stays_inside_too(memory: Stage, word: str) -> None:
    """Keys outside the prefix are refused, and so is a table of another one."""
    with pytest.raises(InvalidReferenceError):
        getattr(memory.operator, word)("elsewhere/a.jpg")
    memory.prefix = "elsewhere/"
    with pytest.raises(BindingError):
        getattr(memory.operator, word)("elsewhere/a.jpg")
