"""A table restored from last night's backup: what was completed since is kept until a person has said what it is."""

import pytest
from support import OWNER, Stage

from reconciler.core.actions import Reason
from reconciler.core.model import Status, Tag
from reconciler.core.plan import PlanOptions
from reconciler.errors import NothingToSettleError


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
    """Adopting the disputed key does not let a later sweep delete its half-completed neighbour."""
    stage, settled, unsettled, _ = restored
    stage.sweep()
    stage.operator.adopt(settled)
    for _ in range(3):
        stage.advance(hours=25)
        report = stage.sweep()
        assert stage.keys() == {settled, unsettled}
        assert [(action.key, action.reason) for action in report.plan.reports] == [(unsettled, Reason.HELD_BACK)]


def test_a_dispute_that_was_only_looked_at_is_remembered(restored: tuple[Stage, str, str, str]) -> None:
    """Planning writes nothing; adopting notes the dispute, so that no sweep deletes the neighbour."""
    stage, settled, unsettled, _ = restored
    stage.plan()
    stage.operator.adopt(settled)
    for _ in range(3):
        stage.advance(hours=25)
        stage.sweep()
    assert stage.keys() == {settled, unsettled}


def test_a_dispute_that_is_not_due_yet_comes_in_time(memory: Stage) -> None:
    """What was half-completed is deleted only after everything of the backup's time is due."""
    unsettled = memory.upload()
    memory.advance(hours=1)
    settled = memory.upload()
    backup = dict(memory.table._rows)
    memory.objects.put_tags(unsettled, {"status": "completing"})
    memory.uploads.complete(settled, owner=OWNER)
    memory.table._rows = backup
    memory.advance(hours=23, minutes=10)
    for _ in range(4):
        memory.sweep()
        memory.advance(hours=24)
    assert memory.keys() == {unsettled, settled}


def test_a_replaced_object_remembers_its_completion(memory: Stage) -> None:
    """The tag `changed` votes against deletion as `completed` does."""
    key = memory.upload()
    backup = dict(memory.table._rows)
    memory.uploads.complete(key, owner=OWNER)
    memory.objects.put(key, b"other", tags={"status": "changed"})
    memory.table._rows = backup
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == {key}


def test_holding_back_converges(restored: tuple[Stage, str, str, str]) -> None:
    """Once it is noted, the plan only reports: there is nothing left to do."""
    stage, settled, unsettled, _ = restored
    stage.apply()
    assert stage.plan().writing == ()
    stage.advance(hours=25)
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
    stage.advance(hours=25)
    stage.sweep(options=PlanOptions(accept_restored=True))
    assert stage.keys() == {settled}
    assert stage.row(unsettled).status is Status.DELETED


def test_an_upload_that_was_rolled_back_is_swept_the_second_time_it_is_due(memory: Stage) -> None:
    """A tag left at completing by a rollback is no reason to keep an object, as long as nothing is disputed."""
    key = memory.upload()
    memory.objects.put_tags(key, {"status": "completing"})
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == {key}
    memory.advance(hours=25)
    memory.sweep()
    assert memory.keys() == set()


def test_only_what_is_held_back_or_disputed_can_be_adopted(memory: Stage) -> None:
    """An abandoned upload is not completed by adopting it."""
    key = memory.upload()
    memory.advance(hours=25)
    with pytest.raises(NothingToSettleError, match="pending and not disputed"):
        memory.operator.adopt(key)
