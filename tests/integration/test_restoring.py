"""Restoring: what was deleted comes back where versions are kept, row first, and a crash on the way leaves nothing odd."""

from collections.abc import Callable

import pytest
from integration_support import around_objects, around_table, put, remove, state, tag_as
from support import JPEG, OWNER, PNG, PREFIX, Stage, keep_versions

from reconciler.core.decide import Untracked
from reconciler.core.model import Status, Tag, Upload
from reconciler.errors import (
    BindingError,
    InvalidReferenceError,
    JournalError,
    NothingToRestoreError,
    NotVersionedError,
    ObjectChangedError,
    ReconcilerError,
    RetryTransactionError,
    StoreUnavailableError,
)

PAST = {"days": 8}  # the release grace


def body(stage: Stage, key: str, length: int = 10_000) -> bytes:
    found: bytes = stage.objects.peek(key, length=length).head
    return found


def released(stage: Stage) -> str:
    """Complete, release, and let the sweep delete it; return the key."""
    key = stage.completed()
    stage.uploads.release(key, owner=OWNER)
    stage.advance(**PAST)
    stage.sweep()
    assert stage.row(key).status is Status.DELETED
    return key


def replaced(stage: Stage) -> str:
    """Complete, complete another one that replaces it, and let the sweep delete it; return the first one's key."""
    key = stage.completed()
    stage.completed(body=PNG, replaces=key)
    stage.advance(**PAST)
    stage.sweep()
    return key


def abandoned(stage: Stage) -> str:
    """Upload, walk away, and let the sweep delete it; return the key."""
    key = stage.upload()
    stage.advance(hours=25)
    stage.sweep()
    return key


def late(stage: Stage) -> str:
    """A released one, at whose key another upload arrived and was deleted as well."""
    key = released(stage)
    put(stage, key, PNG, kind="image/png", status="pending")
    stage.apply()
    return key


def gone(stage: Stage) -> str:
    """A completed upload whose object somebody has deleted."""
    key = stage.completed()
    remove(stage, key)
    return key


def changed(stage: Stage) -> str:
    """A completed upload on which somebody has put another object."""
    key = stage.completed()
    put(stage, key, PNG, kind="image/png", status="pending")
    stage.apply()
    assert stage.tag(key) is Tag.CHANGED
    return key


MADE = [released, replaced, abandoned, late, gone, changed]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_what_was_deleted_comes_back(versioned: Stage, make: Callable[[Stage], str]) -> None:
    """Bytes, type and tags are those that were completed; the row is completed, settled and pinned to the new version."""
    key = make(versioned)
    row = versioned.restore(key)
    facts = versioned.objects.head(key)
    assert (body(versioned, key), facts.content_type, versioned.tag(key)) == (JPEG, "image/jpeg", Tag.COMPLETED)
    assert (row.status, row.owner, row.etag, row.version_id) == (Status.COMPLETED, OWNER, facts.etag, facts.version_id)
    assert (row.deleted_at, row.reason) == (None, None)
    assert None not in (row.completed_at, row.settled_at)


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_what_came_back_stays(versioned: Stage, make: Callable[[Stage], str]) -> None:
    """No sweep and no plan finds anything to do about it but to confirm it, long after its old deadlines."""
    key = make(versioned)
    versioned.restore(key)
    versioned.advance(days=40)
    versioned.sweep()
    assert versioned.plan(tags=True).actions == ()
    assert (versioned.row(key).status, versioned.tag(key), body(versioned, key)) == (Status.COMPLETED, Tag.COMPLETED, JPEG)


def test_it_is_the_owners_again(versioned: Stage) -> None:
    """Completing again returns it, and it can be released, and restored once more."""
    key = released(versioned)
    versioned.restore(key)
    assert versioned.uploads.complete(key, owner=OWNER).settle()
    versioned.uploads.release(key, owner=OWNER)
    versioned.advance(**PAST)
    versioned.sweep()
    assert versioned.row(key).status is Status.DELETED
    versioned.restore(key)
    assert body(versioned, key) == JPEG


def test_foreign_tags_come_back(versioned: Stage) -> None:
    """What a scanner has noted stays noted."""
    key = versioned.upload()
    versioned.objects.put_tags(key, {"status": "pending", "scan": "clean"})
    versioned.uploads.complete(key, owner=OWNER)
    remove(versioned, key)
    versioned.restore(key)
    assert versioned.objects.tags(key) == {"status": "completed", "scan": "clean"}


def test_nothing_is_removed_for_it(versioned: Stage) -> None:
    """Every version there was is there still, below the new one."""
    key = changed(versioned)
    before = [each.version_id for each in versioned.objects.versions(key)]
    versioned.restore(key)
    assert [each.version_id for each in versioned.objects.versions(key)][1:] == before


def test_the_lifecycle_rule_never_sees_it(memory: Stage) -> None:
    """What is copied back is tagged `completing` from the first moment, although what was deleted was tagged pending."""
    keep_versions(memory)
    key = abandoned(memory)
    assert memory.objects.tags(key, version_id=memory.objects.versions(key)[0].version_id) == {"status": "pending"}
    tags: list[Tag] = []
    around_objects(memory).before("head", lambda: tags.append(memory.tag(key)) if _is_there(memory, key) else None, times=2)
    memory.restore(key)
    assert tags == [Tag.COMPLETING]


def _is_there(stage: Stage, key: str) -> bool:
    return key in stage.keys()  # noqa: SIM118  a Stage is no mapping


# The row may be forgotten


def forgotten(stage: Stage) -> str:
    """A released one whose tombstone was forgotten."""
    key = released(stage)
    stage.advance(days=9)
    stage.sweep()
    assert stage.table.get(key) is None
    return key


def untracked(stage: Stage) -> str:
    """An object without a row that was deleted as untracked."""
    stage.completed()  # a table without any row would be taken for a wrong one
    key = f"{PREFIX}2026/11/20/untracked.jpg"
    put(stage, key)
    stage.advance(hours=25)
    stage.apply(stage.plan(untracked=Untracked.DELETE))
    assert (_is_there(stage, key), stage.table.get(key)) == (False, None)
    return key


@pytest.mark.parametrize("make", [forgotten, untracked], ids=lambda make: make.__name__)
def test_without_a_row_the_owner_must_be_named(versioned: Stage, make: Callable[[Stage], str]) -> None:
    """Then it gets a row of its own."""
    key = make(versioned)
    with pytest.raises(NothingToRestoreError, match="nobody knows whose"):
        versioned.restore(key)
    row = versioned.restore(key, owner=OWNER)
    assert (row.status, row.owner, row.size, versioned.tag(key)) == (Status.COMPLETED, OWNER, len(JPEG), Tag.COMPLETED)
    assert versioned.uploads.complete(key, owner=OWNER).key == key
    assert versioned.plan(tags=True).actions == ()


def test_the_operator_says_which(memory: Stage) -> None:
    """Where uploads with different bytes came to a key that was never completed, the version must be named."""
    keep_versions(memory)
    key = memory.upload()
    put(memory, key, PNG, kind="image/png", status="pending")
    memory.advance(hours=25)
    memory.sweep()
    newest, oldest = memory.objects.versions(key)
    with pytest.raises(NothingToRestoreError, match="different ones"):
        memory.restore(key)
    memory.restore(key, version_id=oldest.version_id)
    assert body(memory, key) == JPEG
    assert newest.etag != oldest.etag


# Crashes, and others who come in between


class Crash(Exception):  # noqa: N818  no error of ours: the process is gone
    """The process dies here."""


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    ("place", "verb"),
    [
        ("objects", "put_tags"),
        ("objects", "copy_back"),
        ("objects", "head"),
        ("table", "move"),
    ],
)
def test_after_a_crash_restoring_again_ends_it(memory: Stage, make: Callable[[Stage], str], place: str, verb: str) -> None:
    """Wherever it was, before or after the step: sweep and plan do no harm to what is left, and a second try brings it back."""
    keep_versions(memory)
    key = make(memory)
    for number in (1, 2, 3):
        for after in (False, True):
            _crash_at(memory, key, place, verb, number=number, after=after)
            memory.sweep()
            memory.apply()
            row = memory.row(key)
            if row.status is not Status.COMPLETED or not _in_sync(memory, row):
                memory.restore(key)
            assert (memory.row(key).status, body(memory, key), memory.tag(key)) == (Status.COMPLETED, JPEG, Tag.COMPLETED)
            remove(memory, key)


def _in_sync(stage: Stage, row: Upload) -> bool:
    return _is_there(stage, row.key) and stage.objects.head(row.key).etag == row.etag


def _crash_at(stage: Stage, key: str, place: str, verb: str, *, number: int, after: bool) -> None:
    """Restore, and die at the nth call of a verb; nothing happens where there is no such call."""
    found, calls = stage.restorer.find(key), []
    around = around_objects(stage) if place == "objects" else around_table(stage)

    def step(original: Callable[..., object], *args: object, **kwargs: object) -> object:
        calls.append(verb)
        if len(calls) == number and not after:
            raise Crash
        result = original(*args, **kwargs)
        if len(calls) == number:
            raise Crash
        return result

    around.instead(verb, step)
    try:
        stage.restorer.restore(found)
    except Crash:
        pass
    finally:
        setattr(stage, place, around.inner)


def test_a_row_without_its_object_is_reported_until_it_is_restored(versioned: Stage) -> None:
    """A crash between row and copy: the sweep and the plan say that it is missing, run after run."""
    key = released(versioned)
    objects = around_objects(versioned).failing("copy_back", StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        versioned.restore(key)
    objects.mend()
    assert versioned.row(key).settled_at is None
    for _ in range(2):
        assert versioned.sweep().plan.counts() == {"report (missing)": 1}
        assert versioned.apply().plan.counts() == {"report (missing)": 1}
    versioned.restore(key)
    assert versioned.plan().actions == ()


def test_a_copy_that_was_not_settled_is_settled_by_the_sweep(versioned: Stage) -> None:
    """A crash between copy and settling: the object is back, tagged completing, and the sweep does the rest."""
    key = released(versioned)
    objects = around_objects(versioned)
    found = versioned.restorer.find(key)
    objects.failing("head", StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        versioned.restorer.restore(found)
    objects.mend()
    assert versioned.tag(key) is Tag.COMPLETING
    versioned.sweep()
    assert (versioned.tag(key), versioned.row(key).settled_at is None) == (Tag.COMPLETED, False)
    assert versioned.row(key).version_id == versioned.objects.head(key).version_id


def test_a_row_that_moved_is_not_restored(memory: Stage) -> None:
    """Forgotten, or deleted once more, since it was looked at: nothing is copied."""
    keep_versions(memory)
    key = released(memory)
    found = memory.restorer.find(key)
    memory.advance(days=9)
    memory.sweep()
    before = state(memory)
    with pytest.raises(RetryTransactionError):
        memory.restorer.restore(found)
    assert state(memory) == before


def test_what_is_released_while_it_is_restored_is_let_go(memory: Stage) -> None:
    """The row decides: it goes the ordinary way, object and all."""
    keep_versions(memory)
    key = released(memory)
    around_objects(memory).before("copy_back", lambda: memory.uploads.release(key, owner=OWNER))
    with pytest.raises(RetryTransactionError, match="let go again"):
        memory.restore(key)
    memory.advance(**PAST)
    memory.sweep()
    assert (memory.row(key).status, memory.keys()) == (Status.DELETED, set())


def test_an_object_that_came_meanwhile_is_noticed(memory: Stage) -> None:
    """It is not taken for the one that was restored; restoring again brings the right one back."""
    keep_versions(memory)
    key = released(memory)
    objects = around_objects(memory)
    found = memory.restorer.find(key)
    objects.before("head", lambda: put(memory, key, PNG, kind="image/png", status="pending"))
    with pytest.raises(ObjectChangedError):
        memory.restorer.restore(found)
    assert memory.apply().plan.counts() == {"mark-changed (changed)": 1}
    memory.restore(key)
    assert (body(memory, key), memory.tag(key)) == (JPEG, Tag.COMPLETED)


def test_a_copy_with_another_etag_is_the_same_object(memory: Stage) -> None:
    """Encrypted with KMS, or once sent in parts, the same bytes have another etag as a copy: the row takes the copy's."""
    keep_versions(memory)
    key = released(memory)
    real = memory.objects

    def copied(_: object, key: str, version_id: str, *, tags: dict[str, str]) -> str:
        real.put(key, JPEG + b"as if encrypted", content_type="image/jpeg", tags=tags)
        etag: str = real.head(key).etag
        return etag

    around_objects(memory).instead("copy_back", copied)
    row = memory.restore(key)
    assert (row.etag, memory.plan(tags=True).actions) == (real.head(key).etag, ())


# The journal


def test_it_is_journalled_before_and_after(memory: Stage) -> None:
    """Which version, whose, and what the row was."""
    keep_versions(memory)
    key = released(memory)
    (version,) = memory.objects.versions(key)
    memory.journal.lines.clear()
    memory.restore(key)
    before, after = memory.journal.lines
    assert (before["event"], after["event"], after["outcome"]) == ("restoring", "restored", "restored")
    assert (before["key"], before["version_id"], before["owner"]) == (key, version.version_id, OWNER)
    assert (before["row"]["status"], before["row"]["reason"]) == ("deleted", "released")


def test_what_failed_is_journalled_too(memory: Stage) -> None:
    """With why."""
    keep_versions(memory)
    key = released(memory)
    around_objects(memory).failing("copy_back", StoreUnavailableError("the store is away"))
    with pytest.raises(StoreUnavailableError):
        memory.restore(key)
    assert (memory.journal.lines[-1]["outcome"], memory.journal.lines[-1]["error"]) == ("failed", "the store is away")


def test_without_a_journal_nothing_is_restored(memory: Stage) -> None:
    """Neither side changes."""
    keep_versions(memory)
    key = released(memory)
    found, before = memory.restorer.find(key), state(memory)
    memory.journal.write = _full  # type: ignore[method-assign]
    with pytest.raises(JournalError):
        memory.restorer.restore(found)
    assert state(memory) == before


def _full(_: object) -> None:
    raise JournalError


# Refusals


def pending(stage: Stage) -> str:
    return stage.upload()


def completed(stage: Stage) -> str:
    return stage.completed()


def deleting(stage: Stage) -> str:
    key = stage.completed()
    stage.uploads.release(key, owner=OWNER)
    return key


def never_uploaded(stage: Stage) -> str:
    key = stage.presign().key
    stage.advance(hours=25)
    stage.sweep()
    return key


def come_again(stage: Stage) -> str:
    key = released(stage)
    put(stage, key, PNG, status="pending")
    return key


def rowless(stage: Stage) -> str:
    key = f"{PREFIX}2026/11/20/untracked.jpg"
    put(stage, key)
    return key


def quarantined(stage: Stage) -> str:
    key = rowless(stage)
    stage.advance(hours=25)
    stage.apply(stage.plan(untracked=Untracked.QUARANTINE))
    return key


def unknown(_: Stage) -> str:
    return f"{PREFIX}2026/11/22/unknown.jpg"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (pending, "is pending: it was not deleted"),
        (completed, "its object is there"),
        (deleting, "is deleting: it was not deleted"),
        (quarantined, "is quarantined"),
        (never_uploaded, "no version of"),
        (come_again, "another object came"),
        (rowless, "an object without a row"),
        (unknown, "no version of"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_where_nothing_was_deleted_it_is_refused(versioned: Stage, make: Callable[[Stage], str], said: str) -> None:
    """In one line that says why, and neither side changes."""
    key = make(versioned)
    before = state(versioned)
    with pytest.raises(NothingToRestoreError, match=said):
        versioned.restore(key)
    assert state(versioned) == before


def test_without_versions_it_says_so(stage: Stage) -> None:
    """What was deleted is gone for good."""
    with pytest.raises(NotVersionedError):
        stage.restore(released(stage))


@pytest.mark.parametrize(
    ("reference", "kind"), [("elsewhere/a.jpg", InvalidReferenceError), ("s3://other/uploads/a", InvalidReferenceError)]
)
def test_it_stays_inside(memory: Stage, reference: str, kind: type[ReconcilerError]) -> None:
    """Keys of another prefix or bucket are refused."""
    with pytest.raises(kind):
        memory.restore(reference)


def test_another_table_is_refused(memory: Stage) -> None:
    """One that belongs to another prefix."""
    memory.prefix = "elsewhere/"
    with pytest.raises(BindingError):
        memory.restore("elsewhere/a.jpg")


def test_it_takes_a_url(memory: Stage) -> None:
    """The operator may paste an address."""
    keep_versions(memory)
    assert memory.restore(f"s3://photos/{released(memory)}").status is Status.COMPLETED


# Suspended


def test_what_was_stored_before_a_suspension_comes_back(versioned: Stage) -> None:
    """Its version was kept."""
    key = versioned.completed()
    keep_versions(versioned, enabled=False)
    remove(versioned, key)
    versioned.restore(key)
    assert (body(versioned, key), versioned.tag(key), versioned.row(key).version_id) == (JPEG, Tag.COMPLETED, None)


def test_what_was_stored_after_a_suspension_is_gone(versioned: Stage) -> None:
    """A suspended bucket keeps nothing of it, and that is said."""
    keep_versions(versioned, enabled=False)
    with pytest.raises(NothingToRestoreError, match="no version of"):
        versioned.restore(released(versioned))


def test_a_tag_put_behind_its_back_is_no_completion(memory: Stage) -> None:
    """An abandoned upload that is restored is completed by the operator's word, whatever its tag says."""
    keep_versions(memory)
    key = memory.upload()
    tag_as(memory, key, "other")
    memory.advance(hours=25)
    memory.sweep()
    row = memory.restore(key)
    assert (row.completed_at, memory.tag(key)) == (memory.clock.now(), Tag.COMPLETED)
