"""Planning: the decision table end to end, the listing merged with the table, and nothing written on the way."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integration_support import (
    UNTRACKED_KEY,
    around_objects,
    disputed,
    forbid_writing,
    is_there,
    put,
    remove,
    rows,
    sql_stage,
    state,
    tag_as,
    untracked,
)
from support import JPEG, OWNER, PNG, PREFIX, START, Stage, memory_stage

from reconciler.adapters.sql import tables_as_used
from reconciler.core.actions import (
    Action,
    Confirm,
    Delete,
    DeleteLateArrival,
    DeleteUntracked,
    FinishDeletion,
    Forget,
    HoldBack,
    Keep,
    LookAtTag,
    MarkChanged,
    Planned,
    Quarantine,
    Reason,
    RecordStored,
    Report,
    Settle,
    Tombstone,
)
from reconciler.core.decide import TABLE, Untracked, decide
from reconciler.core.guards import Limits
from reconciler.core.model import ObjectEntry, Status, Tag, Upload, tag_of
from reconciler.core.plan import PlanOptions, hold_back, is_planned
from reconciler.core.timing import Timing
from reconciler.errors import AccessDeniedError, StoreUnavailableError, UnorderedListingError

UNLIMITED = Limits(max_delete=100_000)


# The decision table, end to end


def pending(stage: Stage) -> str:
    return stage.upload()


def never(stage: Stage) -> str:
    return stage.presign().key


def due(stage: Stage, key: str) -> str:
    stage.advance(hours=25)
    return key


def recorded(stage: Stage) -> str:
    key = stage.upload()
    stage.apply()
    return key


def confirmed(stage: Stage) -> str:
    key = stage.completed()
    stage.advance(hours=3)
    stage.sweep()
    assert stage.row(key).confirmed_at is not None
    return key


def unsettled(stage: Stage) -> str:
    key = stage.upload()
    with stage.table.begin() as transaction:
        stage.uploads.complete(key, owner=OWNER, session=transaction)
        transaction.callbacks.clear()
    return key


def touched(stage: Stage) -> str:
    """The same bytes came again, an hour later, with the tag that the URL carries."""
    key = confirmed(stage)
    stage.advance(hours=1)
    return put(stage, key, status="pending")


def retagged(stage: Stage) -> str:
    key = confirmed(stage)
    tag_as(stage, key, "pending")
    return key


def missing(stage: Stage) -> str:
    key = stage.completed()
    remove(stage, key)
    return key


def changed(stage: Stage, status: str = "pending") -> str:
    key = stage.completed()
    return put(stage, key, PNG, status=status)


def released(stage: Stage) -> str:
    key = stage.completed()
    stage.uploads.release(key, owner=OWNER)
    return key


def after(stage: Stage, key: str, **span: float) -> str:
    stage.advance(**span)
    return key


def quarantined(stage: Stage) -> str:
    key = untracked(stage)
    stage.apply(stage.plan(untracked=Untracked.QUARANTINE))
    return key


def gone(stage: Stage, key: str) -> str:
    remove(stage, key)
    return key


def tagged(stage: Stage, key: str, status: str) -> str:
    tag_as(stage, key, status)
    return key


def tombstone(stage: Stage) -> str:
    key = due(stage, stage.upload())
    stage.sweep()
    assert stage.row(key).status is Status.DELETED
    return key


def held(stage: Stage) -> str:
    key = stage.upload()
    tag_as(stage, key, "completing")
    other = disputed(stage)
    stage.advance(hours=25)
    stage.apply()
    stage.operator.adopt(other)
    stage.advance(hours=25)
    return key


def twice(stage: Stage) -> str:
    key = due(stage, tagged(stage, pending(stage), "completing"))
    stage.apply()
    stage.advance(hours=25)
    return key


PLAIN = PlanOptions()


@dataclass(frozen=True)
class Scene:
    """How one rung of the decision table comes about, and what the bucket and the row are after plan and apply.

    `rung` is the rung's row, object and condition; `after` the row's status (None: no row) and the object's tag (None: gone).
    """

    rung: tuple[str, str, str]
    build: Callable[[Stage], str]
    kind: type[Any]
    reason: Reason
    after: tuple[Status | None, Tag | None]
    options: PlanOptions = PLAIN


TAGS, QUARANTINE, DELETE = (
    PlanOptions(tags=True),
    PlanOptions(untracked=Untracked.QUARANTINE),
    PlanOptions(untracked=Untracked.DELETE),
)
P, C, D, X, Q = Status.PENDING, Status.COMPLETED, Status.DELETING, Status.DELETED, Status.QUARANTINED
T = Tag

UNTOLD = "not settled, written again since, or tag known and not completed"

SCENES = [
    Scene(
        ("none", "there", "younger than the minimum age, or age unknown"),
        lambda s: put(s, UNTRACKED_KEY),
        Keep,
        Reason.TOO_YOUNG,
        (None, T.NONE),
        DELETE,
    ),
    Scene(
        ("none", "there", "older, tag completed or changed"),
        lambda s: untracked(s, status="completed"),
        Report,
        Reason.DISPUTED,
        (None, T.COMPLETED),
        TAGS,
    ),
    Scene(
        ("none", "there", "older, tag completed or changed"),
        lambda s: untracked(s, status="completed"),
        Report,
        Reason.DISPUTED,
        (None, T.COMPLETED),
        DELETE,
    ),
    Scene(("none", "there", "older, any other tag"), untracked, Report, Reason.UNTRACKED, (None, T.NONE)),
    Scene(
        ("none", "there", "older, quarantine or delete asked for, tag completing"),
        lambda s: untracked(s, status="completing"),
        Report,
        Reason.HELD_BACK,
        (None, T.COMPLETING),
        DELETE,
    ),
    Scene(
        ("none", "there", "older, quarantine asked for, tag known"),
        untracked,
        Quarantine,
        Reason.UNTRACKED,
        (Q, T.QUARANTINED),
        QUARANTINE,
    ),
    Scene(
        ("none", "there", "older, delete asked for, tag known"),
        lambda s: s.completed() and untracked(s),
        DeleteUntracked,
        Reason.UNTRACKED,
        (None, None),
        DELETE,
    ),
    Scene(("pending", "none", "before due_at"), never, Keep, Reason.AWAITING_UPLOAD, (P, None)),
    Scene(("pending", "none", "due"), lambda s: due(s, never(s)), Tombstone, Reason.NEVER_UPLOADED, (X, None)),
    Scene(
        ("pending", "there", "before due_at, not yet recorded as stored"), pending, RecordStored, Reason.STORED, (P, T.PENDING)
    ),
    Scene(("pending", "there", "before due_at, recorded"), recorded, Keep, Reason.AWAITING_COMPLETION, (P, T.PENDING)),
    Scene(
        ("pending", "there", "due, tag completed or changed"),
        lambda s: due(s, disputed(s)),
        Report,
        Reason.DISPUTED,
        (P, T.COMPLETED),
    ),
    Scene(("pending", "there", "due, tag completing, a dispute was met"), held, Report, Reason.HELD_BACK, (P, T.COMPLETING)),
    Scene(("pending", "there", "due, any other tag"), lambda s: due(s, pending(s)), Delete, Reason.ABANDONED, (X, None)),
    Scene(
        ("pending", "there", "due, tag completing, for the first time"),
        lambda s: due(s, tagged(s, pending(s), "completing")),
        HoldBack,
        Reason.WAS_COMPLETING,
        (P, T.COMPLETING),
    ),
    Scene(("pending", "there", "due, tag completing, for the second time"), twice, Delete, Reason.ABANDONED, (X, None)),
    Scene(
        ("pending", "there", "due, any other tag"),
        lambda s: due(s, tagged(s, pending(s), "theirs")),
        Delete,
        Reason.ABANDONED,
        (X, None),
    ),
    Scene(("completed", "none", "confirmed by HEAD 404"), missing, Report, Reason.MISSING, (C, None)),
    Scene(("completed", "other etag", "not yet tagged changed"), changed, MarkChanged, Reason.CHANGED, (C, T.CHANGED)),
    Scene(("completed", "other etag", "tagged changed"), lambda s: changed(s, "changed"), Report, Reason.CHANGED, (C, T.CHANGED)),
    Scene(("completed", "same etag", UNTOLD), unsettled, Settle, Reason.UNSETTLED, (C, T.COMPLETED)),
    Scene(("completed", "same etag", UNTOLD), touched, Settle, Reason.UNSETTLED, (C, T.COMPLETED)),
    Scene(("completed", "same etag", UNTOLD), retagged, Settle, Reason.UNSETTLED, (C, T.COMPLETED), TAGS),
    Scene(
        ("completed", "same etag", "settled, not confirmed, time to confirm"),
        lambda s: after(s, s.completed(), hours=3),
        Confirm,
        Reason.UNCONFIRMED,
        (C, T.COMPLETED),
    ),
    Scene(("completed", "same etag", "confirmed, or not yet time to"), confirmed, Keep, Reason.IN_SYNC, (C, T.COMPLETED)),
    Scene(
        ("completed", "same etag", "confirmed, or not yet time to"),
        lambda s: s.completed(),
        Keep,
        Reason.IN_SYNC,
        (C, T.COMPLETED),
    ),
    Scene(("deleting", "any", "before its grace is over"), released, Keep, Reason.RELEASED, (D, T.COMPLETED)),
    Scene(
        ("deleting", "any", "grace over"), lambda s: after(s, released(s), days=8), FinishDeletion, Reason.GRACE_OVER, (X, None)
    ),
    Scene(("quarantined", "any", "before due_at"), quarantined, Keep, Reason.QUARANTINED, (Q, T.QUARANTINED)),
    Scene(
        ("quarantined", "none", "due"),
        lambda s: after(s, gone(s, quarantined(s)), days=8),
        Tombstone,
        Reason.UNTRACKED,
        (None, None),
    ),
    Scene(
        ("quarantined", "there", "due, tag completed or changed"),
        lambda s: after(s, tagged(s, quarantined(s), "completed"), days=8),
        Report,
        Reason.DISPUTED,
        (Q, T.COMPLETED),
    ),
    Scene(
        ("quarantined", "there", "due, any other tag"),
        lambda s: after(s, quarantined(s), days=8),
        Delete,
        Reason.UNTRACKED,
        (None, None),
    ),
    Scene(
        ("deleted", "there", "tag completed or changed"),
        lambda s: put(s, tombstone(s), status="completed"),
        Report,
        Reason.DISPUTED,
        (X, T.COMPLETED),
    ),
    Scene(
        ("deleted", "there", "any other tag"),
        lambda s: put(s, tombstone(s), status="pending"),
        DeleteLateArrival,
        Reason.LATE_ARRIVAL,
        (X, None),
    ),
    Scene(("deleted", "none", "a URL could still be in use"), tombstone, Keep, Reason.TOMBSTONE, (X, None)),
    Scene(
        ("deleted", "none", "tombstone outlived every URL"),
        lambda s: after(s, tombstone(s), days=8),
        Forget,
        Reason.OUTLIVED,
        (None, None),
    ),
]


def scene_id(scene: Scene) -> str:
    return f"{scene.rung[0]}-{scene.rung[1]}-{scene.kind.__name__}-{scene.reason}"


def test_every_rung_of_the_table_has_a_scene() -> None:
    """But for LookAtTag, which the planner resolves, every line of the published table is played below."""
    rungs = {(rung.row, rung.object, rung.condition, rung.action, rung.reason) for rung in TABLE if rung.action is not LookAtTag}
    assert {(*scene.rung, scene.kind, scene.reason) for scene in SCENES} == rungs


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
def test_the_decision_table_end_to_end(memory: Stage, scene: Scene) -> None:
    """Plan and apply do what the table says, and leave row and object as it says."""
    key = scene.build(memory)
    action = memory.planner.look(key, scene.options)
    assert action is not None
    assert (type(action), action.reason) == (scene.kind, scene.reason)
    plan = memory.planner.listing(scene.options)
    expected = [] if scene.kind is Keep else [(scene.kind, scene.reason)]
    assert [(type(found), found.reason) for found in plan.actions if found.key == key] == expected
    memory.apply(plan, limits=UNLIMITED)
    row = memory.table.get(key)
    assert (row and row.status, memory.tag(key) if is_there(memory, key) else None) == scene.after


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
def test_a_second_plan_has_nothing_left_to_do(memory: Stage, scene: Scene) -> None:
    """After applying, another plan with the same options writes nothing more: at most it reports."""
    scene.build(memory)
    memory.apply(memory.planner.listing(scene.options), limits=UNLIMITED)
    assert memory.planner.listing(scene.options).writing == ()


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
def test_a_second_sweep_has_nothing_left_to_do(memory: Stage, scene: Scene) -> None:
    """The same holds for the sweep."""
    scene.build(memory)
    memory.sweep(limits=UNLIMITED)
    assert memory.planner.sweep().writing == ()


@pytest.mark.parametrize("meddle", [remove, lambda stage, key: put(stage, key, PNG)], ids=["gone", "changed"])
def test_a_sweep_converges_without_the_completed_object(memory: Stage, meddle: Callable[[Stage, str], object]) -> None:
    """An unsettled upload whose object is gone or changed is only reported from the second sweep on."""
    meddle(memory, unsettled(memory))
    memory.sweep()
    assert memory.planner.sweep().writing == ()


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
def test_applying_twice_changes_nothing_more(memory: Stage, scene: Scene) -> None:
    """A minute later the same plan finds that every action has moved."""
    scene.build(memory)
    plan = memory.planner.listing(scene.options)
    memory.apply(plan, limits=UNLIMITED)
    before = state(memory)
    memory.advance(minutes=1)
    memory.apply(plan, limits=UNLIMITED)
    assert state(memory) == before


@pytest.mark.parametrize("scene", SCENES, ids=scene_id)
def test_planning_writes_nothing(memory: Stage, scene: Scene) -> None:
    """Neither finder, nor looking at one key, calls a single writing verb."""
    key = scene.build(memory)
    forbid_writing(memory)
    memory.planner.listing(scene.options)
    memory.planner.sweep(scene.options)
    memory.planner.look(key, scene.options)


def test_looking_at_nothing_finds_nothing(memory: Stage) -> None:
    """A key with neither row nor object has no decision."""
    assert memory.planner.look(f"{PREFIX}nothing.jpg") is None


# The sweep as finder


def test_the_sweep_asks_s3_only_about_due_rows(memory: Stage) -> None:
    """One tag request per due row, one look at the marker, and nothing else."""
    memory.completed()
    memory.advance(hours=30)
    memory.sweep()
    keys = {memory.upload(), memory.upload()}
    memory.advance(hours=25)
    memory.upload()
    objects = around_objects(memory)
    memory.planner.sweep()
    assert sorted(set(objects.verbs())) == ["marker", "tags"]
    assert sorted(call.args[0] for call in objects.calls if call.verb == "tags") == sorted(keys)


def test_the_sweep_pages_through_rows_of_one_moment(tmp_path: Path) -> None:
    """Two and a half pages of rows that are due at the same moment are each found once, in SQL too."""
    stage = sql_stage(tmp_path)
    keys = [f"{PREFIX}2026/11/20/{number:05d}.jpg" for number in range(2500)]
    with stage.table.engine.begin() as connection:
        uploads = tables_as_used().tables["upload_status"]
        connection.execute(uploads.insert(), [asdict(row_of(key, Status.PENDING)) for key in keys])
    stage.advance(hours=25)
    plan = stage.planner.sweep()
    assert sorted(action.key for action in plan.actions) == keys
    assert plan.counts() == stage.plan().counts() == {"tombstone (never-uploaded)": 2500}


def test_sweep_and_listing_agree_about_what_is_due(stage: Stage) -> None:
    """Both finders decide the same about due, released and outlived rows."""
    done, abandoned = stage.completed(), stage.upload()
    stage.presign()
    stage.uploads.release(done, owner=OWNER)
    stage.advance(days=9)
    assert stage.planner.sweep().counts() == stage.plan().counts()
    assert {action.key for action in stage.plan().deletions} == {done, abandoned}


# The listing


def scattered(stage: Stage, count: int) -> None:
    """Make rows without objects, objects without rows, and both, so that every page boundary falls between some."""
    for number in range(count):
        key = f"{PREFIX}2026/11/20/{number:05d}.jpg"
        if number % 3 != 1:
            put(stage, key, status="pending")
        if number % 3 != 2:
            stage.table.insert(row_of(key, Status.PENDING))


def row_of(key: str, status: Status, **values: Any) -> Upload:
    then = START
    defaults = {"owner": OWNER, "created_at": then, "expires_at": then, "due_at": then + timedelta(days=1)}
    return Upload(key=key, bucket="photos", object_url="", status=status, **{**defaults, **values})


def model(stage: Stage, options: PlanOptions) -> tuple[Planned, ...]:
    """Decide about every key, one by one, with everything known: what the merge must arrive at."""
    entries = {entry.key: entry for page in stage.objects.pages("") for entry in page}
    kept = {row.key: row for row in rows(stage)}
    keys = sorted(
        key for key in entries.keys() | kept.keys() if key.startswith(PREFIX) and key != PREFIX and "/.reconciler/" not in key
    )
    found = [judge(stage, kept.get(key), entries.get(key), options) for key in keys]
    return hold_back(action for action in found if is_planned(action))


def judge(stage: Stage, row: Upload | None, entry: ObjectEntry | None, options: PlanOptions) -> Action:
    def say(tag: Tag) -> Action:
        return decide(row, entry, tag=tag, now=stage.clock.now(), timing=stage.timing, untracked=options.untracked)

    action = say(Tag.UNKNOWN)
    if entry is not None and (isinstance(action, LookAtTag) or options.tags):
        return say(tag_of(stage.objects.tags(entry.key)))
    return action


def essence(actions: Iterable[Planned]) -> list[tuple[Any, ...]]:
    return [(action.key, action.kind, action.reason, action.facts.status, action.facts.present) for action in actions]


@pytest.mark.parametrize("options", [PLAIN, DELETE], ids=["plain", "untracked"])
def test_the_merge_is_right_across_pages(memory: Stage, options: PlanOptions) -> None:
    """With 3,000 keys in pages of a thousand on both sides, every key is decided once, in key order."""
    scattered(memory, 3000)
    memory.advance(hours=25)
    plan = memory.planner.listing(options)
    assert essence(plan.actions) == essence(model(memory, options))
    assert (len(plan.actions), plan.seen.listed, plan.seen.tracked) == (3000, 2000, 1000)
    assert [action.key for action in plan.actions] == sorted(action.key for action in plan.actions)


def test_many_rows_behind_the_last_object_are_found(memory: Stage) -> None:
    """Rows after the end of the listing, more than a page of them, belong to the plan too."""
    put(memory, f"{PREFIX}2026/11/20/00000.jpg", status="pending")
    for number in range(1, 2501):
        memory.table.insert(row_of(f"{PREFIX}2026/11/20/{number:05d}.jpg", Status.PENDING))
    memory.advance(hours=25)
    assert memory.plan().counts() == {"report (untracked)": 1, "tombstone (never-uploaded)": 2500}


NAMES = st.sampled_from(
    [
        f"{PREFIX}{name}"
        for name in (
            "a",
            "aa",
            "a/b",
            "a.jpg",
            "ab",
            "b",
            "ß",
            "\U0001f600",
            "2026/11/22/x",
            ".reconciler/x",
            ".reconcilerx",
            "~",
        )
    ]
    + ["uploads2/a", "uploads", "upload", "uploads.jpg", "zz/a", PREFIX]
)
TAGGED = st.sampled_from([None, "pending", "completing", "completed", "changed", "quarantined", "theirs"])
BODIES = st.sampled_from([JPEG, PNG])
AGES = st.sampled_from([timedelta(), timedelta(hours=2), timedelta(hours=25), timedelta(days=40)])


@st.composite
def worlds(draw: st.DrawFn) -> Stage:
    """Any rows beside any objects, on keys that share beginnings, and one upload, so that the table is never empty."""
    stage = memory_stage()
    stage.presign()
    for key in draw(st.lists(NAMES, unique=True, max_size=12)):
        tag = draw(TAGGED)
        stage.clock.offset = -draw(AGES)
        put(stage, key, draw(BODIES), **({"status": tag} if tag else {}))
    etags = {key: stage.objects.head(put(stage, f"elsewhere/{key}", body)).etag for key, body in (("j", JPEG), ("p", PNG))}
    for key in draw(st.lists(NAMES.filter(may_have_a_row), unique=True, max_size=12)):
        stage.table.insert(any_row(draw, key, etags))
    stage.clock.offset = timedelta()
    return stage


def may_have_a_row(key: str) -> bool:
    return key.startswith(PREFIX) and key != PREFIX and "/.reconciler/" not in key


def any_row(draw: st.DrawFn, key: str, etags: dict[str, str]) -> Upload:
    status = draw(st.sampled_from(Status))
    created = START - draw(AGES)
    completed = created if status is Status.COMPLETED else None
    return row_of(
        key,
        status,
        created_at=created,
        expires_at=created + timedelta(minutes=15),
        due_at=created + timedelta(days=1),
        etag=etags[draw(st.sampled_from(["j", "p"]))] if completed else None,
        stored_at=draw(st.sampled_from([None, created])),
        completed_at=completed,
        settled_at=completed and draw(st.sampled_from([None, created])),
        deleted_at=created if status is Status.DELETED else None,
    )


OPTIONS = st.builds(PlanOptions, untracked=st.sampled_from(Untracked), tags=st.booleans())
RELAXED = settings(max_examples=100, deadline=None, derandomize=True)


@RELAXED
@given(worlds(), OPTIONS)
def test_the_merge_equals_a_walk_over_every_key(stage: Stage, options: PlanOptions) -> None:
    """Whatever lies on either side, the plan is what deciding about each key by itself gives, in key order."""
    assert essence(stage.planner.listing(options).actions) == essence(model(stage, options))


@RELAXED
@given(worlds(), OPTIONS)
def test_applying_converges(stage: Stage, options: PlanOptions) -> None:
    """Whatever lies on either side, a second plan after applying the first has nothing left to do."""
    stage.apply(stage.planner.listing(options), limits=UNLIMITED)
    assert stage.planner.listing(options).writing == ()


@RELAXED
@given(worlds(), OPTIONS)
def test_nothing_completed_and_nothing_foreign_is_ever_deleted(stage: Stage, options: PlanOptions) -> None:
    """Objects of completed rows, objects tagged completed without a released row, and other prefixes always stay."""
    before = {entry.key for page in stage.objects.pages("") for entry in page}
    safe = {key for key in before if is_safe(stage, key)}
    stage.apply(stage.planner.listing(options), limits=UNLIMITED)
    stage.apply(stage.planner.sweep(options), limits=UNLIMITED)
    assert safe <= {entry.key for page in stage.objects.pages("") for entry in page}


def is_safe(stage: Stage, key: str) -> bool:
    if not key.startswith(PREFIX) or key == PREFIX or "/.reconciler/" in key:
        return True
    row = stage.table.get(key)
    tag = stage.tag(key)
    return (row is not None and row.status is Status.COMPLETED) or (
        tag is Tag.COMPLETED and (row is None or row.status is not Status.DELETING)
    )


def test_an_unordered_listing_is_refused(memory: Stage) -> None:
    """A store that lists out of order cannot be merged: UnorderedListingError names the place."""
    keys = [memory.upload(), memory.upload()]

    def backwards(pages: Any, *args: Any, **kwargs: Any) -> Iterator[Sequence[ObjectEntry]]:
        for page in pages(*args, **kwargs):
            yield list(reversed(page))

    around_objects(memory).instead("pages", backwards)
    with pytest.raises(UnorderedListingError, match=min(keys)):
        memory.plan()


def test_a_key_listed_twice_is_refused(memory: Stage) -> None:
    """So is one that lists a key twice, across pages."""
    memory.upload()
    around_objects(memory).instead("pages", lambda pages, *a, **k: [*pages(*a, **k), *pages(*a, **k)])
    with pytest.raises(UnorderedListingError):
        memory.plan()


def test_an_object_that_appears_after_its_page_is_not_missing(memory: Stage) -> None:
    """A completed row that the listing does not show is asked for by name before it is called missing."""
    key = memory.completed()
    around_objects(memory).instead("pages", lambda *_, **__: iter([]))
    assert memory.plan().actions == ()
    memory.objects.mend()
    remove(memory, key)
    assert memory.plan().counts() == {"report (missing)": 1}


def test_an_object_that_appears_after_its_page_is_not_never_uploaded(memory: Stage) -> None:
    """The same holds for a due row: its object is found by name, and deleted rather than buried unseen."""
    key = memory.upload()
    memory.advance(hours=25)
    around_objects(memory).instead("pages", lambda *_, **__: iter([]))
    assert memory.plan().counts() == {"delete (abandoned)": 1}
    memory.apply()
    assert not is_there(memory, key)


def test_an_object_that_goes_after_its_page_is_left_alone(memory: Stage) -> None:
    """A listed object without a row that is gone when its tag is read leads to no action."""
    key = untracked(memory)
    around_objects(memory).before("tags", lambda: remove(memory, key))
    assert memory.plan(untracked=Untracked.DELETE).actions == ()


def test_a_row_inserted_while_listing_is_not_untracked(memory: Stage) -> None:
    """Rows are read after the listing page they are compared with, so an object in it has its row by then."""
    key = untracked(memory)

    def insert_after_page(pages: Any, *args: Any, **kwargs: Any) -> Iterator[Sequence[ObjectEntry]]:
        for page in pages(*args, **kwargs):
            memory.table.insert(row_of(key, Status.PENDING, due_at=START + timedelta(days=9)))
            yield page

    around_objects(memory).instead("pages", insert_after_page)
    assert memory.plan(untracked=Untracked.DELETE).counts() == {"record-stored (stored)": 1}


def test_a_denied_tag_is_reported_as_unknown(memory: Stage) -> None:
    """A 403 on a tag: nothing is planned as absent or deletable, and the plan says that it is incomplete."""
    memory.upload()
    memory.advance(hours=25)
    around_objects(memory).failing("tags", AccessDeniedError())
    for plan in (memory.plan(), memory.planner.sweep()):
        assert (plan.counts(), plan.complete) == ({"report (unknown)": 1}, False)


def test_a_denied_head_is_reported_as_unknown(memory: Stage) -> None:
    """A 403 on the HEAD of an unlisted row is no proof that nothing is there."""
    memory.presign()
    memory.advance(hours=25)
    around_objects(memory).failing("head", AccessDeniedError())
    assert memory.plan().counts() == {"report (unknown)": 1}


def test_a_key_s3_does_not_answer_for_is_reported_as_unknown(memory: Stage) -> None:
    """A 503 for one key makes the plan incomplete; that key is reported and kept, the others are decided."""
    dark, other = sorted([memory.upload(), memory.upload()])
    memory.advance(hours=25)

    def answer(tags: Any, key: str) -> Any:
        if key == dark:
            raise StoreUnavailableError
        return tags(key)

    around_objects(memory).instead("tags", answer)
    for plan in (memory.plan(), memory.planner.sweep()):
        assert (plan.complete, plan.counts()) == (False, {"delete (abandoned)": 1, "report (unknown)": 1})
    memory.apply()
    assert memory.keys() == {dark}
    assert memory.row(other).status is Status.DELETED


def test_since_looks_only_at_those_days(stage: Stage) -> None:
    """A plan since a moment begins with that day's keys, on both sides, and lists no older ones."""
    old, old_never = stage.upload(), stage.presign().key
    stage.advance(days=5)
    since: datetime = stage.clock.now()
    new, new_never = stage.upload(), stage.presign().key
    stage.advance(days=2)
    plan = stage.plan(since=since)
    assert {action.key for action in plan.actions} == {new, new_never}
    assert (plan.seen.listed, plan.finder) == (1, "since")
    assert {action.key for action in stage.plan().actions} == {old, old_never, new, new_never}


def test_a_folder_object_of_the_console_is_left_alone(stage: Stage) -> None:
    """An empty object at the very prefix, as consoles make for a folder, belongs to nobody's plan."""
    put(stage, PREFIX, b"")
    stage.advance(days=2)
    assert stage.plan(untracked=Untracked.DELETE).actions == ()


def test_neighbours_are_never_touched(stage: Stage) -> None:
    """Keys that only begin alike, and reconciler's own folder, are neither listed nor deleted."""
    neighbours = {"uploads2/a.jpg", "uploads.jpg", "upload/a.jpg", "other/uploads/a.jpg"}
    for key in neighbours:
        put(stage, key, status="pending")
    mine = put(stage, f"{PREFIX}.reconciler/other.json")
    stage.advance(days=40)
    assert stage.apply(stage.plan(untracked=Untracked.DELETE, tags=True)).outcomes == ()
    kept = {entry.key for page in stage.objects.pages("") for entry in page}
    assert neighbours | {mine} <= kept


def test_progress_is_told(memory: Stage) -> None:
    """The planner tells after each page how many keys it has looked at, and the last of them."""
    scattered(memory, 2100)
    told: list[tuple[int, str]] = []
    memory.planner.listing(progress=lambda looked, key: told.append((looked, key)))
    keys = sorted(memory.keys() | {row.key for row in rows(memory)})
    assert told == [(1000, keys[999]), (2000, keys[1999]), (len(keys), keys[-1])]


def test_a_safe_timing_is_the_default() -> None:
    """The grace periods these tests run under hold the inequalities."""
    assert Timing().problems() == []


def test_the_plan_says_what_it_saw(memory: Stage) -> None:
    """It carries instance, bucket, prefix, the counts for the guards, and the bytes it would free."""
    memory.completed()
    memory.upload()
    memory.presign()
    memory.advance(hours=25)
    plan = memory.plan()
    binding = memory.table.binding()
    assert (plan.instance_id, plan.bucket, plan.prefix) == (binding.instance_id, "photos", PREFIX)
    seen = plan.seen
    assert (seen.listed, seen.tracked, seen.rows, seen.due) == (2, 2, 3, 2)
    assert (plan.bytes_to_delete, plan.created_at, plan.complete) == (len(JPEG), memory.clock.now(), True)
