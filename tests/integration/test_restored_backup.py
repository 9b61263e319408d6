"""A table restored from last night's backup: what was completed since is kept until a person has said what it is."""

import pytest
from support import OWNER, Stage

from reconciler.core.actions import Reason
from reconciler.core.model import Status, Tag
from reconciler.errors import NothingToSettleError
from reconciler.planner import PlanOptions


@pytest.fixture
def restored(memory: Stage) -> tuple[Stage, str, str, str]:
    """Three uploads made before a backup; after it one was completed, one was being completed, one was abandoned."""
    settled, unsettled, abandoned = memory.upload(), memory.upload(), memory.upload()
    backup = dict(memory.table._rows)
    memory.uploads.complete(settled, owner=OWNER)
    memory.objects.put_tags(unsettled, {"status": "completing"})  # committed, and then the power went
    memory.table._rows = backup
    memory.advance(hours=25)
    return memory, settled, unsettled, abandoned


def test_a_restored_table_loses_no_completed_object(restored: tuple[Stage, str, str, str]) -> None:
    """The completed and the half-completed object survive a sweep; the abandoned one goes."""
    stage, settled, unsettled, abandoned = restored
    stage.sweep()
    assert stage.keys() == {settled, unsettled}
    assert stage.row(abandoned).status is Status.DELETED


def test_what_is_held_back_stays_held_back_after_the_disputes_are_settled(restored: tuple[Stage, str, str, str]) -> None:
    """Adopting the disputed key does not let the next sweep delete its half-completed neighbour."""
    stage, settled, unsettled, _ = restored
    stage.sweep()
    stage.operator.adopt(settled)
    report = stage.sweep()
    assert stage.keys() == {settled, unsettled}
    assert [(action.key, action.reason) for action in report.plan.reports] == [(unsettled, Reason.HELD_BACK)]


def test_holding_back_converges(restored: tuple[Stage, str, str, str]) -> None:
    """Once it is noted, the plan only reports: there is nothing left to do."""
    stage, settled, unsettled, _ = restored
    stage.apply()
    plan = stage.plan()
    assert plan.writing == ()
    assert {action.key: action.reason for action in plan.reports} == {
        settled: Reason.DISPUTED,
        unsettled: Reason.HELD_BACK,
    }


def test_a_held_back_upload_can_be_adopted(restored: tuple[Stage, str, str, str]) -> None:
    """Adopting completes it, and nothing is left of having been held back."""
    stage, _, unsettled, _ = restored
    stage.sweep()
    row = stage.operator.adopt(unsettled)
    assert (row.status, row.reason, stage.tag(unsettled)) == (Status.COMPLETED, None, Tag.COMPLETED)


def test_accepting_the_table_deletes_what_was_held_back_but_never_what_is_disputed(
    restored: tuple[Stage, str, str, str],
) -> None:
    """--accept-restored speaks for the half-completed uploads alone."""
    stage, settled, unsettled, _ = restored
    stage.sweep()
    stage.sweep(options=PlanOptions(accept_restored=True))
    assert stage.keys() == {settled}
    assert stage.row(unsettled).status is Status.DELETED


def test_an_upload_that_was_rolled_back_is_not_held_back_without_a_dispute(memory: Stage) -> None:
    """A tag left at completing by a rollback is no reason to keep an object, as long as nothing is disputed."""
    key = memory.upload()
    memory.objects.put_tags(key, {"status": "completing"})
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == set()


def test_only_what_is_held_back_or_disputed_can_be_adopted(memory: Stage) -> None:
    """An abandoned upload is not completed by adopting it."""
    key = memory.upload()
    memory.advance(hours=25)
    with pytest.raises(NothingToSettleError, match="pending and not disputed"):
        memory.operator.adopt(key)
