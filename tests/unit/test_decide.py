"""The decision table, tested as a table: every rung, and the whole space around it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import pytest
from unit.builders import DAY, ETAG, HOUR, NOW, OTHER_ETAG, TICK, completed, listed, upload

from reconciler.core.actions import Action, Delete, DeleteLateArrival, DeleteUntracked, Deletion, Forget, Keep, Reason, Tombstone
from reconciler.core.decide import TABLE, Rung, Untracked, decide
from reconciler.core.model import ObjectEntry, Status, Tag, Upload
from reconciler.core.timing import Timing

TIMING = Timing()
YOUNG = NOW - DAY + TICK


class Case(NamedTuple):
    row: Upload | None
    entry: ObjectEntry | None
    tag: Tag = Tag.UNKNOWN
    untracked: Untracked = Untracked.REPORT
    restored: bool = False

    def decide(self) -> Action:
        return decide(
            self.row,
            self.entry,
            tag=self.tag,
            now=NOW,
            timing=TIMING,
            untracked=self.untracked,
            restored=self.restored,
        )


def early(status: Status) -> Upload:
    return upload(status, due_at=NOW + TICK)


def tombstone(**given: object) -> Upload:
    return upload(Status.DELETED, **{"deleted_at": NOW - DAY, **given})


SECOND_TIME = upload(reason=Reason.WAS_COMPLETING.value)
# One example for each rung of TABLE, in its order.
EXAMPLES = (
    Case(None, listed(last_modified=YOUNG)),
    Case(None, listed(), Tag.COMPLETED),
    Case(None, listed(), Tag.PENDING),
    Case(None, listed(), Tag.UNKNOWN, Untracked.DELETE),
    Case(None, listed(), Tag.COMPLETING, Untracked.DELETE),
    Case(None, listed(), Tag.NONE, Untracked.QUARANTINE),
    Case(None, listed(), Tag.OTHER, Untracked.DELETE),
    Case(early(Status.PENDING), None),
    Case(upload(), None),
    Case(early(Status.PENDING), listed()),
    Case(replace(early(Status.PENDING), stored_at=NOW - DAY), listed()),
    Case(upload(), listed()),
    Case(upload(), listed(), Tag.COMPLETED),
    Case(upload(), listed(), Tag.COMPLETING),
    Case(SECOND_TIME, listed(), Tag.COMPLETING),
    Case(SECOND_TIME, listed(), Tag.COMPLETING, restored=True),
    Case(upload(), listed(), Tag.PENDING),
    Case(completed(), None),
    Case(completed(), listed(OTHER_ETAG)),
    Case(completed(), listed(OTHER_ETAG), Tag.PENDING),
    Case(completed(), listed(OTHER_ETAG), Tag.CHANGED),
    Case(completed(settled_at=None, confirmed_at=None), listed()),
    Case(completed(confirmed_at=None), listed()),
    Case(completed(), listed()),
    Case(early(Status.DELETING), listed()),
    Case(upload(Status.DELETING), listed()),
    Case(early(Status.QUARANTINED), listed()),
    Case(upload(Status.QUARANTINED), None),
    Case(upload(Status.QUARANTINED), listed()),
    Case(upload(Status.QUARANTINED), listed(), Tag.COMPLETED),
    Case(upload(Status.QUARANTINED), listed(), Tag.QUARANTINED),
    Case(tombstone(), listed()),
    Case(tombstone(), listed(), Tag.COMPLETED),
    Case(tombstone(), listed(), Tag.PENDING),
    Case(tombstone(), None),
    Case(tombstone(deleted_at=NOW - 9 * DAY, expires_at=NOW - 9 * DAY), None),
)


def name(rung: Rung) -> str:
    return f"{rung.row}-{rung.object}-{rung.condition}".replace(" ", "_")


RUNGS = list(zip(TABLE, EXAMPLES, strict=True))
IDS = [name(rung) for rung in TABLE]


@pytest.mark.parametrize(("rung", "case"), RUNGS, ids=IDS)
def test_every_rung_is_reached(rung: Rung, case: Case) -> None:
    """The example of a rung leads to exactly its action and reason."""
    action = case.decide()
    assert (type(action), action.reason) == (rung.action, rung.reason)


@pytest.mark.parametrize(("rung", "case"), RUNGS, ids=IDS)
def test_every_example_is_what_its_rung_says(rung: Rung, case: Case) -> None:
    """An example stands for the row and the object its rung names."""
    status = "none" if case.row is None else case.row.status.value
    there = "none" if case.entry is None else "other etag" if case.entry.etag == OTHER_ETAG else "same etag"
    allowed = {"any"} if rung.object == "any" else {there} if there == "none" else {there, "there"}
    assert (rung.row, rung.object in allowed) == (status, True)


# The whole space


ROWS = [
    None,
    *(upload(status, due_at=NOW + span) for status in Status for span in (-DAY, DAY)),
    *(upload(status, stored_at=NOW - DAY, due_at=NOW + DAY) for status in Status),
    *(upload(Status.COMPLETED, completed_at=NOW - DAY, settled_at=at) for at in (None, NOW - DAY, NOW)),
    completed(),
    SECOND_TIME,
    *(upload(Status.DELETED, deleted_at=NOW - age, expires_at=NOW - age) for age in (DAY, 30 * DAY)),
]
ENTRIES = [
    None,
    *(listed(etag, last_modified=at) for etag in (ETAG, OTHER_ETAG) for at in (NOW - 2 * DAY, NOW - HOUR, None)),
    listed(None, size=None, last_modified=None),
]


def walk() -> Iterator[tuple[Case, Action]]:
    """Decide about every combination of row, object, tag and options."""
    for row, entry, tag, untracked, accept in product(ROWS, ENTRIES, Tag, Untracked, (False, True)):
        if row is not None or entry is not None:
            case = Case(row, entry, tag, untracked, accept)
            yield case, case.decide()


DECIDED = list(walk())


def violations(wrong: Callable[[Case, Action], bool]) -> list[tuple[Case, Action]]:
    return [(case, action) for case, action in DECIDED if wrong(case, action)]


def test_an_unknown_tag_never_deletes() -> None:
    """Only a deletion that was voted on before goes on without reading the tag."""
    new = (Delete, DeleteUntracked, DeleteLateArrival)
    assert violations(lambda case, action: case.tag is Tag.UNKNOWN and isinstance(action, new)) == []


def test_only_claimed_rows_are_deleted_without_a_vote() -> None:
    """FinishDeletion is for rows in `deleting` alone."""
    finishing = {case.row and case.row.status for case, action in DECIDED if action.kind == "finish-deletion"}
    assert finishing == {Status.DELETING}


def test_a_tag_completed_never_deletes() -> None:
    """Whatever the row says, the object's memory of a completion stands against a new deletion."""
    new = (Delete, DeleteUntracked, DeleteLateArrival)
    assert violations(lambda case, action: case.tag is Tag.COMPLETED and isinstance(action, new)) == []


def test_a_completed_row_never_leads_to_a_deletion() -> None:
    """Not of the object, nor of the row."""
    ending = (Deletion, Tombstone, Forget)
    assert violations(lambda case, action: _status(case) is Status.COMPLETED and isinstance(action, ending)) == []


def test_nothing_is_deleted_before_it_is_due() -> None:
    """Neither an object nor a row in `pending`, `quarantined` or `deleting`, nor a young object without a row."""
    assert violations(lambda case, action: _is_early(case) and isinstance(action, Deletion | Tombstone | Forget)) == []


def test_an_untracked_object_is_touched_only_where_that_is_asked_for() -> None:
    """Unasked, an object without a row is kept or reported."""
    unasked = {a.kind for case, a in DECIDED if case.row is None and case.untracked is Untracked.REPORT}
    assert unasked == {"keep", "report"}


def test_what_is_asked_about_untracked_objects_changes_nothing_for_rows() -> None:
    """The option is about objects without a row."""
    rows = [case for case, _ in DECIDED if case.row is not None]
    assert [case for case in rows if case.decide() != case._replace(untracked=Untracked.REPORT).decide()] == []


def test_only_what_is_absent_is_buried_or_forgotten() -> None:
    """A tombstone is put up, or taken down, only where no object is."""
    assert violations(lambda case, action: case.entry is not None and isinstance(action, Tombstone | Forget)) == []


def test_an_action_carries_the_facts_it_was_decided_on() -> None:
    """Status, presence, tag, etag and time are those of the case."""

    def differs(case: Case, action: Action) -> bool:
        etag = case.entry.etag if case.entry else None
        seen = action.facts
        wanted = (_status(case), case.entry is not None, case.tag, NOW, etag)
        return (seen.status, seen.present, seen.tag, seen.seen_at, seen.etag) != wanted

    assert violations(differs) == []


def test_the_table_lists_exactly_what_is_decided() -> None:
    """Nothing is decided that TABLE does not list for that row, and everything it lists is decided."""
    decided = {(_status(case) or "none", type(action), action.reason) for case, action in DECIDED}
    assert {(rung.row, rung.action, rung.reason) for rung in TABLE} == decided


def test_every_kept_or_looked_at_reason_is_no_plan() -> None:
    """A reason to keep is never a reason to act, and the other way round."""
    kept = {action.reason for _, action in DECIDED if isinstance(action, Keep)}
    acted = {action.reason for _, action in DECIDED if not isinstance(action, Keep)}
    assert kept & acted == set()


def _status(case: Case) -> Status | None:
    return case.row.status if case.row else None


def _is_early(case: Case) -> bool:
    if case.row is None:
        assert case.entry is not None
        return case.entry.last_modified is None or case.entry.last_modified > NOW - TIMING.retention
    return case.row.status in (Status.PENDING, Status.QUARANTINED, Status.DELETING) and case.row.due_at > NOW


# Boundaries


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        pytest.param(upload(due_at=NOW), "delete", id="pending"),
        pytest.param(upload(due_at=NOW + TICK), "record-stored", id="pending-a-tick-early"),
        pytest.param(upload(Status.QUARANTINED, due_at=NOW), "delete", id="quarantined"),
        pytest.param(upload(Status.QUARANTINED, due_at=NOW + TICK), "keep", id="quarantined-a-tick-early"),
        pytest.param(upload(Status.DELETING, due_at=NOW), "finish-deletion", id="deleting"),
        pytest.param(upload(Status.DELETING, due_at=NOW + TICK), "keep", id="deleting-a-tick-early"),
    ],
)
def test_a_row_is_due_at_its_deadline(row: Upload, kind: str) -> None:
    """Now equal to due_at counts as due; a microsecond before does not."""
    assert Case(row, listed(), Tag.PENDING).decide().kind == kind


def test_an_untracked_object_is_old_at_the_retention() -> None:
    """Exactly as old as the retention is old enough; a microsecond younger is not."""
    old = Case(None, listed(last_modified=NOW - TIMING.retention), Tag.PENDING).decide()
    young = Case(None, listed(last_modified=NOW - TIMING.retention + TICK), Tag.PENDING).decide()
    assert (old.reason, young.reason) == (Reason.UNTRACKED, Reason.TOO_YOUNG)


def test_a_settled_row_is_confirmed_once_the_wait_is_over() -> None:
    """Exactly at confirm_at, not before."""
    ready = completed(settled_at=NOW - TIMING.settle_wait, confirmed_at=None)
    early = replace(ready, settled_at=NOW - TIMING.settle_wait + TICK)
    assert [Case(row, listed()).decide().reason for row in (ready, early)] == [Reason.UNCONFIRMED, Reason.IN_SYNC]


def test_a_tombstone_is_forgotten_once_it_has_outlived_every_url() -> None:
    """Exactly at forget_at, not before."""
    span = TIMING.tombstone_life + TIMING.slowest_transfer
    over = tombstone(deleted_at=NOW - span, expires_at=NOW - span)
    assert Case(over, None).decide().reason is Reason.OUTLIVED
    assert Case(replace(over, deleted_at=NOW - span + TICK), None).decide().reason is Reason.TOMBSTONE
    assert Case(replace(over, expires_at=NOW - span + TICK), None).decide().reason is Reason.TOMBSTONE


def test_an_object_written_again_is_settled_again() -> None:
    """Later than settling by more than the skew, even with the same bytes; within it, it is the same put."""
    row = completed(settled_at=NOW - HOUR, confirmed_at=NOW)
    within = listed(last_modified=NOW - HOUR + TIMING.skew)
    beyond = listed(last_modified=NOW - HOUR + TIMING.skew + TICK)
    assert [Case(row, entry).decide().reason for entry in (within, beyond)] == [Reason.IN_SYNC, Reason.UNSETTLED]


@pytest.mark.parametrize("tag", [tag for tag in Tag if tag not in (Tag.UNKNOWN, Tag.COMPLETED)])
def test_a_completed_object_tagged_otherwise_is_settled_again(tag: Tag) -> None:
    """Another tagger undid ours: even a confirmed row tells S3 once more."""
    assert Case(completed(), listed(), tag).decide().reason is Reason.UNSETTLED


def test_what_was_being_completed_gets_one_more_retention_and_waits_for_disputes() -> None:
    """Deleted only the second time it is due, and never while a dispute waits for somebody's word."""
    first, second = Case(upload(), listed(), Tag.COMPLETING), Case(SECOND_TIME, listed(), Tag.COMPLETING)
    decided = [case.decide().reason for case in (first, second, first._replace(restored=True), second._replace(restored=True))]
    assert decided == [Reason.WAS_COMPLETING, Reason.ABANDONED, Reason.HELD_BACK, Reason.HELD_BACK]


@pytest.mark.parametrize("tag", [Tag.PENDING, Tag.NONE, Tag.OTHER])
def test_only_what_was_being_completed_is_held_back(tag: Tag) -> None:
    """Any other tag is no lost completion, whatever the row's reason."""
    assert Case(SECOND_TIME, listed(), tag, restored=True).decide().reason is Reason.ABANDONED


def test_an_object_whose_etag_is_unknown_counts_as_the_same() -> None:
    """A finder that does not list knows only the key; that is no change."""
    assert Case(completed(), ObjectEntry(upload().key)).decide().reason is Reason.IN_SYNC


def test_deciding_about_nothing_is_a_mistake() -> None:
    """Neither row nor object: there is no key to decide about."""
    with pytest.raises(ValueError, match="a row or an object"):
        Case(None, None).decide()
