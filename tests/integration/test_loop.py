"""The loop: presign, upload, complete or walk away, sweep, plan."""

from support import Stage

from reconciler.core.model import Status, Tag


def test_the_loop_keeps_what_was_completed_and_deletes_what_was_not(stage: Stage) -> None:
    """Completed uploads stay, abandoned ones go, and a second plan has nothing left to do."""
    kept, abandoned = stage.completed(), stage.upload()
    never = stage.presign().key
    stage.advance(hours=25)
    report = stage.sweep()
    assert {outcome.action.key for outcome in report.deleted} == {abandoned}
    assert stage.keys() == {kept}
    assert (stage.row(kept).status, stage.tag(kept)) == (Status.COMPLETED, Tag.COMPLETED)
    assert stage.row(abandoned).status is stage.row(never).status is Status.DELETED
    assert stage.plan().actions == ()
