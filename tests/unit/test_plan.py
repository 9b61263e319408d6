"""A plan as a value: its counts, and what is held back."""

from dataclasses import replace

import pytest
from unit.builders import KEY, deletion, facts, plan, report

from reconciler.core.actions import (
    Action,
    Delete,
    DeleteLateArrival,
    DeleteUntracked,
    FinishDeletion,
    Forget,
    HoldBack,
    Keep,
    LookAtTag,
    MarkChanged,
    Reason,
    Report,
    Settle,
    Tombstone,
)
from reconciler.core.model import Status, Tag
from reconciler.core.plan import Seen, hold_back, is_planned

COMPLETING = deletion(1, tag=Tag.COMPLETING)
DISPUTED = report()


def test_without_a_dispute_nothing_is_held_back() -> None:
    """An upload whose completion was rolled back is swept like any other."""
    assert hold_back([COMPLETING, deletion(2)]) == (COMPLETING, deletion(2))


def test_a_dispute_holds_back_what_was_being_completed() -> None:
    """The deletion becomes a report on the same facts, in its place."""
    held = Report(key=COMPLETING.key, reason=Reason.HELD_BACK, facts=COMPLETING.facts)
    assert hold_back([COMPLETING, deletion(2), DISPUTED]) == (held, deletion(2), DISPUTED)


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(deletion(tag=Tag.PENDING), id="pending"),
        pytest.param(deletion(status=Status.QUARANTINED, tag=Tag.COMPLETING), id="quarantined"),
        pytest.param(FinishDeletion(key=KEY, reason=Reason.GRACE_OVER, facts=facts(tag=Tag.COMPLETING)), id="already-claimed"),
        pytest.param(Tombstone(key=KEY, reason=Reason.NEVER_UPLOADED, facts=facts(tag=Tag.NONE)), id="never-uploaded"),
    ],
)
def test_a_dispute_holds_back_nothing_else(action: Action) -> None:
    """Only what could be a lost commit waits for somebody's word."""
    assert is_planned(action)
    assert hold_back([DISPUTED, action]) == (DISPUTED, action)


def test_holding_back_twice_changes_nothing_more() -> None:
    """A report is never held back."""
    once = hold_back([COMPLETING, DISPUTED])
    assert hold_back(once) == once


def test_a_plan_counts_its_actions_by_kind_and_reason() -> None:
    """Sorted by name."""
    found = plan(deletion(1), deletion(2), DISPUTED)
    assert found.counts() == {"delete (abandoned)": 2, "report (disputed)": 1}
    assert list(found.counts()) == sorted(found.counts())


def test_a_plan_tells_what_deletes_what_writes_and_what_is_reported() -> None:
    """MarkChanged is both written and reported."""
    shared = {"key": KEY, "reason": Reason.CHANGED, "facts": facts()}
    deletions = [kind(**shared) for kind in (Delete, DeleteUntracked, FinishDeletion, DeleteLateArrival)]
    others = [kind(**shared) for kind in (Settle, Tombstone, Forget, MarkChanged, HoldBack)]
    found = plan(*deletions, *others, Report(**shared))
    assert found.deletions == tuple(deletions)
    assert found.writing == (*deletions, *others)
    assert [action.kind for action in found.reports] == ["mark-changed", "report"]


def test_a_plan_adds_up_the_bytes_it_knows() -> None:
    """Of deletions alone; an unknown size counts as none."""
    unknown = replace(deletion(2), facts=facts(size=None))
    assert plan(deletion(1, size=5), unknown, DISPUTED).bytes_to_delete == 5


def test_a_plan_counts_its_disputes() -> None:
    """And nothing else that is reported."""
    assert plan(DISPUTED, report(2, Reason.MISSING), deletion()).disputed == 1


def test_keeping_is_not_planned() -> None:
    """Neither is looking at a tag: the planner does that itself."""
    shared = {"key": KEY, "reason": Reason.TAG_NEEDED, "facts": facts()}
    assert [is_planned(kind(**shared)) for kind in (Keep, LookAtTag, Report, Delete)] == [False, False, True, True]


def test_untracked_objects_are_those_without_a_row() -> None:
    """Listed, less tracked."""
    assert Seen(listed=5, tracked=3).untracked == 2
