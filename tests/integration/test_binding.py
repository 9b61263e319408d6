"""Binding: table and bucket hold the same instance id, or nothing is done."""

from typing import Any

import pytest
from integration_support import Around, around_objects, around_table
from support import PREFIX, Stage, memory_stage

from reconciler.adapters.memory import MemoryObjects, MemoryTable
from reconciler.binding import Bound, initialise
from reconciler.core.keys import marker_key
from reconciler.core.model import Binding, Tag, tag_of
from reconciler.errors import AccessDeniedError, BindingError, StoreUnavailableError, TableNotInitialisedError
from reconciler.wiring import new_id

MARKER = marker_key(PREFIX)


def init(stage: Stage, **kwargs: Any) -> tuple[Binding, Bound]:
    return initialise(stage.objects, stage.table, prefix=stage.prefix, new_id=new_id, **kwargs)


def unbound() -> Stage:
    """Return a stage that was never initialised."""
    stage = memory_stage()
    stage.objects, stage.table = MemoryObjects("photos", stage.clock), MemoryTable()
    return stage


def test_initialising_binds_both_sides() -> None:
    """Table and marker hold the same fresh instance id, bucket and prefix."""
    stage = unbound()
    mine, bound = init(stage)
    assert (bound, mine.bucket, mine.prefix) == (Bound.NEW, "photos", PREFIX)
    assert stage.table.binding() == stage.objects.marker(MARKER)[0] == mine


def test_initialising_twice_at_once_binds_once() -> None:
    """Two that both found the table unbound go on with one instance, on both sides."""
    stage = unbound()
    there: list[Binding] = []
    around_table(stage).before("bind", lambda: there.append(init(stage)[0]))
    mine, _ = init(stage)
    assert [mine] == there
    assert stage.table.binding() == stage.objects.marker(MARKER)[0] == mine


def test_initialising_again_changes_nothing(stage: Stage) -> None:
    """The second time both are found bound already."""
    before = stage.table.binding()
    assert init(stage) == (before, Bound.ALREADY)
    assert stage.objects.marker(MARKER)[0] == before


def test_the_marker_is_tagged_system(stage: Stage) -> None:
    """The lifecycle rule does not see the marker, and no finder does."""
    assert tag_of(stage.objects.tags(MARKER)) is Tag.SYSTEM
    stage.advance(days=400)
    assert stage.plan(tags=True).actions == ()


def test_the_binding_is_written_before_the_marker() -> None:
    """A crash between the two leaves a bound table, never a marker that nobody's table knows."""
    stage = unbound()
    around_objects(stage).failing("put_marker", RuntimeError("crashed"))
    with pytest.raises(RuntimeError):
        init(stage)
    assert stage.table.binding() is not None


def test_a_crash_before_the_marker_is_mended_by_running_again() -> None:
    """The second run writes the marker for the id that the table has."""
    stage = unbound()
    objects = around_objects(stage).failing("put_marker", StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        init(stage)
    mine = stage.table.binding()
    objects.mend()
    assert init(stage) == (mine, Bound.MARKED)
    assert stage.objects.marker(MARKER)[0] == mine


def test_a_bucket_that_belongs_to_another_table_is_refused(stage: Stage) -> None:
    """A new table on somebody else's prefix is a BindingError, and neither side changes."""
    marker = stage.objects.marker(MARKER)[0]
    stage.table = MemoryTable()
    with pytest.raises(BindingError, match="already belongs") as caught:
        init(stage)
    assert "--rebind" in caught.value.hint
    assert (stage.table.binding(), stage.objects.marker(MARKER)[0]) == (None, marker)


def test_a_bound_table_on_a_bucket_of_another_is_refused(memory: Stage) -> None:
    """Two instances that each are bound elsewhere are told apart, and neither side changes."""
    other = Binding("another", "photos", PREFIX)
    memory.objects.put_marker(MARKER, other, overwrite=True)
    before = memory.table.binding()
    with pytest.raises(BindingError, match="another"):
        init(memory)
    assert (memory.table.binding(), memory.objects.marker(MARKER)[0]) == (before, other)


def test_losing_the_race_for_a_new_bucket_is_refused() -> None:
    """Whoever finds another's marker when it reads its own back says so."""
    stage = unbound()
    theirs = Binding("quicker", "photos", PREFIX)
    inner = stage.objects
    around_objects(stage).before("put_marker", lambda: inner.put_marker(MARKER, theirs, overwrite=False))
    with pytest.raises(BindingError, match="quicker"):
        init(stage)


def test_rebinding_gives_both_sides_a_new_id(stage: Stage) -> None:
    """With the operator's word both sides take a new instance id, whatever they were bound to."""
    before = stage.table.binding()
    stage.table = MemoryTable()
    mine, bound = init(stage, rebind=True)
    assert (bound, mine.instance_id == before.instance_id) == (Bound.NEW, False)
    assert stage.table.binding() == stage.objects.marker(MARKER)[0] == mine


def test_a_table_of_another_prefix_is_refused(memory: Stage) -> None:
    """A table is bound to one bucket and prefix; another prefix is a BindingError that names both."""
    memory.prefix = "other/"
    with pytest.raises(BindingError, match=r"uploads/.*other/"):
        init(memory)
    assert memory.objects.marker(marker_key("other/"))[0] is None


def test_a_table_of_another_bucket_is_refused(memory: Stage) -> None:
    """The same holds for another bucket."""
    memory.objects = MemoryObjects("videos", memory.clock)
    with pytest.raises(BindingError, match=r"photos/.*videos/"):
        init(memory)


@pytest.mark.parametrize("verb", ["head", "tags"])
def test_a_store_that_hides_what_is_absent_is_refused(verb: str) -> None:
    """A 403 for an absent key is an AccessDeniedError that asks for s3:ListBucket, and nothing is bound."""
    stage = unbound()
    around_objects(stage).failing(verb, AccessDeniedError())
    with pytest.raises(AccessDeniedError) as caught:
        init(stage)
    assert "s3:ListBucket" in caught.value.hint
    assert stage.table.binding() is None


def test_the_hint_is_given_where_every_absent_key_is_denied() -> None:
    """Without s3:ListBucket the absent marker answers 403 as well: the hint must come all the same."""
    stage = unbound()
    objects = around_objects(stage)
    for verb in ("marker", "head", "tags", "peek"):
        objects.failing(verb, AccessDeniedError())
    with pytest.raises(AccessDeniedError) as caught:
        init(stage)
    assert "s3:ListBucket" in caught.value.hint


@pytest.mark.parametrize("verb", ["head", "tags", "marker"])
def test_an_unreachable_store_is_not_taken_for_an_empty_one(verb: str) -> None:
    """A failure while probing surfaces as it is, and nothing is bound."""
    stage = unbound()
    around_objects(stage).failing(verb, StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        init(stage)
    assert stage.table.binding() is None


def test_nothing_works_before_the_table_is_bound() -> None:
    """Presigning, completing, sweeping and planning on an unbound table are TableNotInitialisedErrors."""
    stage = unbound()
    for act in (stage.presign, lambda: stage.uploads.complete(f"{PREFIX}a", owner="a"), stage.sweep, stage.plan):
        with pytest.raises(TableNotInitialisedError):
            act()


def test_nothing_works_on_another_prefix(memory: Stage) -> None:
    """The same verbs under another prefix than the table's are BindingErrors."""
    memory.prefix = "other/"
    for act in (memory.presign, lambda: memory.uploads.complete("other/a", owner="a"), memory.sweep, memory.plan):
        with pytest.raises(BindingError):
            act()


def test_the_binding_is_asked_for_once(memory: Stage) -> None:
    """One Uploads reads the binding before its first call and remembers it."""
    table: Around = around_table(memory)
    uploads = memory.uploads
    for _ in range(3):
        uploads.presign(filename="me.jpg", content_type="image/jpeg", size=10, owner="a")
    assert table.verbs().count("binding") == 1
