"""Scenes in which reviewers once broke a promise; each stays here so that it holds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from integration_support import around_objects, is_there, put, tag_as, untracked
from support import OWNER, PNG, PREFIX, Stage

from reconciler.adapters.journal import FileJournal
from reconciler.adapters.plan_file import read_plan, write_plan
from reconciler.binding import initialise
from reconciler.core import rows
from reconciler.core.actions import Delete, Reason
from reconciler.core.decide import Untracked
from reconciler.core.guards import Limits
from reconciler.core.model import ObjectEntry, Status, Tag
from reconciler.core.plan import PlanOptions
from reconciler.core.report import Fate
from reconciler.errors import (
    AccessDeniedError,
    BindingError,
    InvalidOwnerError,
    PlanFileError,
    RetryTransactionError,
    TooManyDeletionsError,
    UploadReleasedError,
)
from reconciler.testing import MemoryTable
from reconciler.wiring import new_id


def test_a_prefix_inside_anothers_is_refused(stage: Stage) -> None:
    """A plan of the outer deployment could delete the inner one's objects."""
    with pytest.raises(BindingError, match="another deployment has the prefix"):
        initialise(stage.objects, MemoryTable(), prefix=f"{PREFIX}avatars/", new_id=new_id)


def test_a_plan_that_meets_another_deployment_stops(memory: Stage) -> None:
    """Where the inner one was there first, its marker is met while listing."""
    memory.objects.put(f"{PREFIX}avatars/.reconciler/instance.json", b"{}", tags={"status": "system"})
    with pytest.raises(BindingError, match="another deployment lives below"):
        memory.plan()


def test_a_released_upload_can_be_taken_back_in_time(stage: Stage) -> None:
    """Adopting completes it again, and no later sweep deletes it."""
    key = stage.completed()
    stage.uploads.release(key, owner=OWNER)
    stage.advance(days=6)
    assert stage.operator.adopt(key).status is Status.COMPLETED
    stage.advance(days=3)
    stage.sweep()
    assert (stage.keys(), stage.tag(key)) == ({key}, Tag.COMPLETED)


def test_a_quarantined_object_can_be_adopted(memory: Stage) -> None:
    """That is what the quarantine is for."""
    memory.completed()
    key = untracked(memory)
    memory.apply(memory.plan(untracked=Untracked.QUARANTINE))
    assert memory.operator.adopt(key, owner=OWNER).owner == OWNER
    memory.advance(days=9)
    memory.sweep()
    assert is_there(memory, key)


def test_adopting_tags_before_the_row_says_completed(memory: Stage) -> None:
    """A crash in between leaves no completed row whose object the lifecycle rule still sees."""
    memory.completed()
    key = untracked(memory, status="pending")
    tags_at_insert = []
    insert = memory.table.insert
    memory.table.insert = lambda row, **given: tags_at_insert.append(memory.tag(key)) or insert(row, **given)
    memory.operator.adopt(key, owner=OWNER)
    assert tags_at_insert == [Tag.COMPLETING]


def test_an_untracked_key_belongs_to_nobody_once_its_object_is_deleted(memory: Stage) -> None:
    """What another program writes there later is only reported, and not before it is old."""
    memory.completed()
    key = untracked(memory)
    memory.apply(memory.plan(untracked=Untracked.DELETE))
    put(memory, key, PNG)
    memory.apply()
    memory.sweep()
    assert is_there(memory, key)


def replayed(stage: Stage, key: str) -> None:
    """Complete, while the form is sent once more between the second look and the commit."""
    with stage.table.begin() as transaction:
        done = stage.uploads.complete(key, owner=OWNER, session=transaction)
        put(stage, key, b"<html>", status="pending")
    assert done.status is Status.COMPLETED
    stage.advance(hours=3)


def test_a_replay_before_the_commit_is_noticed_by_the_sweep(memory: Stage) -> None:
    """Bytes of a form POST that nobody verified are reported as changed and never confirmed."""
    key = put(memory, f"{PREFIX}2026/11/22/posted.jpg", status="pending")
    memory.table.insert(replace(memory.row(memory.upload()), key=key, min_size=1))
    replayed(memory, key)
    memory.sweep()
    assert (memory.row(key).confirmed_at, memory.tag(key)) == (None, Tag.CHANGED)
    assert [action.reason for action in memory.planner.sweep().reports] == [Reason.CHANGED]


def test_a_replay_where_the_store_takes_it_is_noticed_by_the_plan(memory: Stage) -> None:
    """A PUT can be replayed only on a store that ignores If-None-Match; the listing shows what it did."""
    key = memory.upload()
    replayed(memory, key)
    memory.sweep()
    memory.apply()
    assert memory.tag(key) is Tag.CHANGED
    assert [action.reason for action in memory.plan().reports] == [Reason.CHANGED]


def test_completing_again_does_not_hide_that_the_object_was_changed(memory: Stage) -> None:
    """The tag `changed` stays until the operator has settled it."""
    key = memory.completed()
    put(memory, key, b"another", status="pending")
    memory.apply(memory.plan(tags=True))
    assert memory.uploads.complete(key, owner=OWNER).settle() is False
    assert memory.tag(key) is Tag.CHANGED


def test_completing_what_was_released_says_so(memory: Stage) -> None:
    """The user is not told that the form was open for too long."""
    key = memory.completed()
    memory.uploads.release(key, owner=OWNER)
    with pytest.raises(UploadReleasedError):
        memory.uploads.complete(key, owner=OWNER)


def test_a_line_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    """After a full disk the journal goes on in a line of its own."""
    path = tmp_path / "journal.jsonl"
    path.write_text('{"key": "cut sh')
    FileJournal(path).write([{"key": "next"}])
    assert json.loads(path.read_text().splitlines()[1]) == {"key": "next"}


def test_a_plan_that_names_a_key_twice_is_no_plan(memory: Stage, tmp_path: Path) -> None:
    """It would count one deletion twice."""
    memory.upload()
    memory.advance(hours=25)
    path = tmp_path / "plan.json"
    write_plan(memory.plan(), path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "actions": content["actions"] * 2}))
    with pytest.raises(PlanFileError, match="twice"):
        read_plan(path)


def test_one_unreadable_object_does_not_stop_the_others(memory: Stage) -> None:
    """A scanner that denies one object leaves it unknown; the abandoned ones go."""
    locked, gone = memory.upload(), memory.upload()
    memory.advance(hours=25)
    tags = memory.objects.tags

    def denied(key: str) -> object:
        if key == locked:
            raise AccessDeniedError
        return tags(key)

    memory.objects.tags = denied
    report = memory.sweep()
    memory.objects.tags = tags
    assert (memory.keys(), report.plan.complete) == ({locked}, False)
    assert not is_there(memory, gone)


def test_the_grace_of_what_was_completing_is_one_retention(memory: Stage) -> None:
    """Not more: a rolled-back completion is abandoned after all."""
    key = memory.upload()
    tag_as(memory, key, "completing")
    memory.advance(hours=25)
    memory.sweep()
    assert memory.row(key).due_at == memory.clock.now() + timedelta(hours=24)


@pytest.mark.parametrize("refuse", ["another table's", "too many"])
def test_a_refused_plan_does_not_say_that_the_table_is_no_backup(memory: Stage, refuse: str) -> None:
    """What is refused changes nothing: the dispute stays noted, and what it holds back stays held back."""
    memory.table.note_dispute(disputed=True)
    abandoned = memory.upload()
    memory.advance(days=2)
    plan = memory.planner.sweep(PlanOptions(accept_restored=True))
    assert {action.key for action in plan.deletions} == {abandoned}
    if refuse == "too many":
        with pytest.raises(TooManyDeletionsError):
            memory.apply(plan, limits=Limits(max_delete=0))
    else:
        with pytest.raises(BindingError):
            memory.apply(replace(plan, instance_id="another"))
    assert memory.table.disputed()


def test_another_tables_empty_plan_does_not_either(memory: Stage) -> None:
    """A plan without an action is never refused, and says nothing of this table."""
    memory.table.note_dispute(disputed=True)
    plan = memory.planner.sweep(PlanOptions(accept_restored=True))
    memory.apply(replace(plan, instance_id="another"))
    assert memory.table.disputed()
    memory.apply(plan)
    assert not memory.table.disputed()


def test_a_thousand_foreign_keys_before_a_tombstone_do_not_stop_the_sweep(memory: Stage) -> None:
    """The tombstone is asked for by name, and what is abandoned goes."""
    for number in range(1, 2000):
        memory.objects.put(f"{PREFIX}{number}", b"x", content_type="image/jpeg", tags={})
    key = f"{PREFIX}2"
    memory.operator.adopt(key, owner=OWNER)
    memory.operator.release(key)
    memory.advance(days=8)
    memory.sweep()
    abandoned = memory.upload()
    memory.advance(days=9)
    memory.sweep()
    assert (memory.table.get(key), is_there(memory, abandoned)) == (None, False)


@pytest.mark.parametrize("names", [["b", "a", "z"], []], ids=["out of order", "denied"])
def test_an_old_tombstone_is_asked_for_by_name_where_the_listing_is_no_help(memory: Stage, names: list[str]) -> None:
    """A listing out of order, or none, never makes an object absent: what lies at the key is found."""
    keys = [memory.upload() for _ in range(3)]
    memory.advance(hours=25)
    memory.sweep()
    memory.advance(days=9)
    put(memory, min(keys), status="completed")

    def listed(*_: Any, **__: Any) -> Iterator[Any]:
        if not names:
            raise AccessDeniedError
        yield [ObjectEntry(f"{PREFIX}{name}") for name in names]

    around_objects(memory).instead("pages", listed)
    plan = memory.planner.sweep()
    assert [action.key for action in plan.reports if action.reason is Reason.DISPUTED] == [min(keys)]


def test_adopting_for_an_impossible_owner_touches_nothing(memory: Stage) -> None:
    """The owner is looked at before the tag is written."""
    key = untracked(memory, status="pending")
    with pytest.raises(InvalidOwnerError):
        memory.operator.adopt(key, owner="o" * 300)
    assert memory.tag(key) is Tag.PENDING


def test_a_plan_edited_into_a_deletion_is_voted_on_again(memory: Stage) -> None:
    """A tag that was read, and forbids the deletion, is no vote for it, however fresh."""
    key = memory.upload()
    tag_as(memory, key, "completed")
    memory.advance(hours=25)
    plan = memory.planner.sweep()
    (report,) = plan.reports
    edited = replace(plan, actions=(Delete(key=key, reason=Reason.ABANDONED, facts=report.facts),))
    memory.apply(edited)
    assert is_there(memory, key)


def test_what_was_settled_since_the_look_is_not_confirmed_by_it(memory: Stage) -> None:
    """A second look is one that comes after the last time S3 was told."""
    key = memory.completed()
    memory.advance(hours=3)
    plan = memory.planner.sweep()
    assert plan.counts() == {"confirm (unconfirmed)": 1}
    memory.advance(minutes=1)
    memory.table.move([key], rows.settled(etag=memory.row(key).etag, version_id=None, now=memory.clock.now()))
    memory.apply(plan)
    assert memory.row(key).confirmed_at is None


def test_what_is_being_completed_since_the_plan_is_not_quarantined(memory: Stage) -> None:
    """Its row may have been lost with a restored backup: it is reported, and its tag stays."""
    key = untracked(memory, status="pending")
    plan = memory.plan(untracked=Untracked.QUARANTINE)
    tag_as(memory, key, "completing")
    (outcome,) = memory.apply(plan).outcomes
    assert (outcome.fate, memory.tag(key), memory.table.get(key)) == (Fate.REPORTED, Tag.COMPLETING, None)


@pytest.mark.parametrize(("minutes", "taken"), [(14, False), (16, True)])
def test_a_release_is_taken_back_only_while_no_sweep_can_have_begun(memory: Stage, minutes: int, taken: bool) -> None:
    """Closer to the deadline than clocks may differ, another sweep may be deleting already."""
    key = memory.completed()
    memory.uploads.release(key, owner=OWNER)
    memory.advance(minutes=7 * 24 * 60 - minutes)
    if taken:
        assert memory.operator.adopt(key).status is Status.COMPLETED
    else:
        with pytest.raises(RetryTransactionError):
            memory.operator.adopt(key)
        assert memory.row(key).status is Status.DELETING
