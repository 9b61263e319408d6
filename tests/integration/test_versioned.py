"""On a bucket that keeps versions: what was completed is pinned to its version, and what is put on top of it does it no harm."""

from collections.abc import Callable

import pytest
from integration_support import around_objects, put, remove
from support import JPEG, OWNER, PNG, Stage, keep_versions

from reconciler.core.model import ObjectVersion, Status, Tag
from reconciler.core.rows import EVERY, Move
from reconciler.errors import ObjectChangedError


def replay(stage: Stage, key: str, body: bytes = PNG) -> None:
    """Send another upload with the same URL: by a form, or to a store that takes no notice of If-None-Match."""
    put(stage, key, body, kind="image/jpeg", status="pending")


def pinned(stage: Stage, key: str) -> ObjectVersion:
    """The version that the row is pinned to."""
    row = stage.row(key)
    return next(each for each in stage.objects.versions(key) if each.version_id == row.version_id)


def bytes_of(stage: Stage, key: str) -> bytes:
    found: bytes = stage.objects.peek(key, length=10_000).head
    return found


def test_completing_pins_the_version(versioned: Stage) -> None:
    """The row knows which version was verified, and that version is the one that is tagged."""
    key = versioned.completed()
    version = pinned(versioned, key)
    assert version.current
    assert versioned.objects.tags(key, version_id=version.version_id) == {"status": "completed"}


@pytest.mark.parametrize("body", [JPEG, PNG], ids=["the same bytes", "other bytes"])
@pytest.mark.parametrize("verb", ["put_tags", "head"])
def test_a_replay_during_completion_is_noticed(memory: Stage, verb: str, body: bytes) -> None:
    """Whichever came first: complete asks to be called again, and then completes what lies there."""
    keep_versions(memory)
    key = memory.upload()
    objects = around_objects(memory).before(
        verb, lambda: put(memory, key, body[:3] + JPEG[3:], kind="image/jpeg", status="pending")
    )
    with pytest.raises(ObjectChangedError):
        memory.uploads.complete(key, owner=OWNER)
    objects.mend()
    assert memory.row(key).status is Status.PENDING


def test_a_replay_before_settling_is_not_taken_for_the_completed_one(memory: Stage) -> None:
    """The completed version is tagged, the replayed one is marked by the sweep, and reported run after run."""
    keep_versions(memory)
    key = memory.upload()
    calls: list[str] = []

    def replay_before_the_second(original: Callable[..., None], *args: object, **kwargs: object) -> None:
        calls.append("put_tags")
        if len(calls) == 2:
            replay(memory, key)
        original(*args, **kwargs)

    objects = around_objects(memory).instead("put_tags", replay_before_the_second)
    memory.uploads.complete(key, owner=OWNER)
    objects.mend()
    version = pinned(memory, key)
    assert memory.objects.tags(key, version_id=version.version_id) == {"status": "completed"}
    assert (version.current, memory.tag(key)) == (False, Tag.PENDING)
    memory.advance(hours=3)
    assert memory.sweep().plan.counts() == {"mark-changed (changed)": 1}
    assert memory.sweep().plan.counts() == {"report (changed)": 1}


@pytest.mark.parametrize("finder", ["sweep", "plan"])
def test_the_completed_bytes_survive_a_replay(versioned: Stage, finder: str) -> None:
    """They lie below; what is on top is marked, so that the lifecycle rule leaves it alone, and reported by either finder."""
    key = versioned.completed()
    replay(versioned, key)
    versioned.advance(hours=3)
    for _ in range(2):
        report = versioned.sweep() if finder == "sweep" else versioned.apply()
        assert [str(action.reason) for action in report.plan.actions] == ["changed"]
    version = pinned(versioned, key)
    assert (version.current, version.size, versioned.tag(key)) == (False, len(JPEG), Tag.CHANGED)
    assert versioned.row(key).etag == version.etag


def test_accepting_pins_what_is_on_top(versioned: Stage) -> None:
    """The replayed object is the completed one from now on."""
    key = versioned.completed()
    replay(versioned, key)
    versioned.apply()
    versioned.operator.accept(key)
    assert (pinned(versioned, key).current, bytes_of(versioned, key), versioned.tag(key)) == (True, PNG, Tag.COMPLETED)
    assert versioned.plan(tags=True).actions == ()


def test_releasing_a_changed_one_keeps_the_completed_bytes(versioned: Stage) -> None:
    """Both versions go under a delete marker; restoring brings back what was completed, not what was put on top."""
    key = versioned.completed()
    replay(versioned, key)
    versioned.apply()
    versioned.operator.release(key)
    versioned.advance(days=8)
    versioned.sweep()
    assert versioned.keys() == set()
    versioned.restore(key)
    assert bytes_of(versioned, key) == JPEG


def test_the_same_bytes_sent_again_are_pinned_anew(versioned: Stage) -> None:
    """They are what was completed: the sweep tags the version on top, and the row knows it from then on."""
    key = versioned.completed()
    replay(versioned, key, JPEG)
    assert not pinned(versioned, key).current
    versioned.advance(hours=3)
    versioned.sweep()
    assert (versioned.tag(key), pinned(versioned, key).current) == (Tag.COMPLETED, True)
    assert versioned.plan(tags=True).actions == ()


def test_settling_late_leaves_another_object_alone(memory: Stage) -> None:
    """Whoever settles after the object was replaced tells S3 nothing; the sweep marks what lies there."""
    keep_versions(memory)
    key = memory.completed()
    replay(memory, key)
    memory.table.move([key], Move(where=EVERY, sets={"settled_at": None}))
    assert memory.uploads.complete(key, owner=OWNER).settle() is False
    assert (memory.tag(key), memory.row(key).settled_at) == (Tag.PENDING, None)
    memory.sweep()
    assert memory.tag(key) is Tag.CHANGED


def test_settling_late_keeps_the_tags_of_the_version(memory: Stage) -> None:
    """Of the same bytes sent again, the ones on top are told of, with their own foreign tags."""
    keep_versions(memory)
    key = memory.completed()
    put(memory, key, JPEG, kind="image/jpeg", status="pending", scan="clean")
    assert memory.uploads.complete(key, owner=OWNER).settle() is True
    assert memory.objects.tags(key) == {"status": "completed", "scan": "clean"}
    assert pinned(memory, key).current


def test_adopting_pins_what_was_looked_at(memory: Stage) -> None:
    """An upload that comes while it is adopted is noticed, even one of the same bytes."""
    keep_versions(memory)
    key = memory.upload()
    memory.objects.put_tags(key, {"status": "completed"})
    memory.advance(hours=25)
    looks: list[str] = []

    def replay_before_the_second() -> None:
        looks.append("head")
        if len(looks) == 2:
            replay(memory, key, JPEG)

    objects = around_objects(memory).before("head", replay_before_the_second, times=2)
    with pytest.raises(ObjectChangedError):
        memory.operator.adopt(key)
    objects.mend()


def test_a_deleted_object_is_missing_and_not_forgotten(versioned: Stage) -> None:
    """A delete marker is no object: the completed row is reported until somebody has spoken."""
    key = versioned.completed()
    remove(versioned, key)
    versioned.advance(hours=3)
    assert versioned.sweep().plan.counts() == {"report (missing)": 1}
    assert versioned.apply().plan.counts() == {"report (missing)": 1}


def test_deleting_leaves_a_version_and_a_tombstone(versioned: Stage) -> None:
    """A sweep removes no bytes for good; a late arrival on top is deleted as well, and its version stays below."""
    key = versioned.upload()
    versioned.advance(hours=25)
    versioned.sweep()
    replay(versioned, key)
    versioned.apply()
    assert (versioned.keys(), versioned.row(key).status) == (set(), Status.DELETED)
    assert [(each.size, each.current) for each in versioned.objects.versions(key)] == [(len(PNG), False), (len(JPEG), False)]


def test_versions_may_begin_after_an_upload_did(versioned: Stage) -> None:
    """An upload that was stored while none were kept is completed, released and restored like any other."""
    keep_versions(versioned, enabled=False)
    key = versioned.upload()
    keep_versions(versioned)
    versioned.uploads.complete(key, owner=OWNER)
    assert versioned.row(key).version_id is None
    remove(versioned, key)
    versioned.restore(key)
    assert (bytes_of(versioned, key), pinned(versioned, key).current) == (JPEG, True)
