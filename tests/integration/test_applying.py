"""Applying: the guards, the journal, and every race with what happens meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from integration_support import (
    UNTRACKED_KEY,
    Around,
    around_objects,
    around_table,
    disputed,
    is_there,
    put,
    remove,
    rows,
    state,
    tag_as,
    untracked,
)
from support import JPEG, OWNER, PNG, PREFIX, Stage

from reconciler.adapters.memory import MemoryTable
from reconciler.core.actions import Delete, Reason
from reconciler.core.decide import Untracked
from reconciler.core.guards import Limits
from reconciler.core.keys import marker_key
from reconciler.core.model import Binding, Status, Tag
from reconciler.core.plan import Plan
from reconciler.core.report import Fate, RunReport
from reconciler.errors import (
    BindingError,
    ClockSkewError,
    JournalError,
    NotUploadedError,
    RefusedError,
    StalePlanError,
    StoreUnavailableError,
    TooManyDeletionsError,
    TooManyDisputesError,
    UploadError,
    UploadExpiredError,
    WrongTableError,
)
from reconciler.ports import Target

MARKER = marker_key(PREFIX)


def fates(report: RunReport) -> dict[str, Fate]:
    return {outcome.action.key: outcome.fate for outcome in report.outcomes}


def abandoned(stage: Stage, count: int = 1) -> list[str]:
    """Make uploads that are due."""
    keys = [stage.upload() for _ in range(count)]
    stage.advance(hours=25)
    return keys


def refused(stage: Stage, plan: Plan, error: type[RefusedError], **limits: Any) -> RefusedError:
    """Expect the plan to be refused as a whole, with nothing changed on either side."""
    before = state(stage)
    with pytest.raises(error) as caught:
        stage.apply(plan, limits=Limits(**limits))
    assert state(stage) == before
    assert stage.journal.lines == []
    return caught.value


# Guards


def test_mass_deletion_is_refused(memory: Stage) -> None:
    """More than 50 deletions that are more than 15 % of the rows are refused, and the error names the way out."""
    abandoned(memory, 51)
    error = refused(memory, memory.planner.sweep(), TooManyDeletionsError)
    assert "51" in str(error)
    assert "--max-delete 51" in error.hint


def test_the_operators_word_allows_mass_deletion(memory: Stage) -> None:
    """--max-delete allows exactly that many, for one run."""
    abandoned(memory, 51)
    plan = memory.planner.sweep()
    refused(memory, plan, TooManyDeletionsError, max_delete=50)
    assert len(memory.apply(plan, limits=Limits(max_delete=51)).deleted) == 51


def test_fifty_deletions_are_always_allowed(memory: Stage) -> None:
    """A small deployment may lose all it has."""
    abandoned(memory, 50)
    assert len(memory.sweep().deleted) == 50


def test_a_small_share_is_allowed(memory: Stage) -> None:
    """Beyond fifty, the share decides."""
    for _ in range(300):
        memory.presign()
    memory.advance(hours=24)
    memory.sweep()
    abandoned(memory, 51)
    assert len(memory.sweep().deleted) == 51


def test_the_cap_is_refused(memory: Stage) -> None:
    """However small the share, one run deletes no more than the cap."""
    abandoned(memory, 3)
    refused(memory, memory.planner.sweep(), TooManyDeletionsError, cap=2)


def test_an_empty_table_is_refused(memory: Stage) -> None:
    """Objects are listed, but the table knows nothing: it is the wrong one."""
    untracked(memory)
    refused(memory, memory.plan(untracked=Untracked.DELETE), WrongTableError)


def test_a_table_that_knows_too_few_objects_is_refused(memory: Stage) -> None:
    """Of a hundred listed objects at least half must have a row."""
    for number in range(100):
        put(memory, f"{PREFIX}2026/11/20/{number}.jpg")
    memory.upload()
    memory.advance(hours=25)
    error = refused(memory, memory.plan(), WrongTableError, max_delete=1000)
    assert "1 of 101" in str(error)


def test_another_instances_marker_is_refused(stage: Stage) -> None:
    """A bucket whose marker names another instance loses nothing."""
    abandoned(stage)
    stage.objects.put_marker(MARKER, Binding("another", stage.objects.bucket, PREFIX), overwrite=True)
    before = stage.keys()
    for plan in (stage.planner.sweep, stage.plan):
        with pytest.raises(BindingError, match="another table"):
            plan()
    assert stage.keys() == before


def test_a_bucket_without_a_marker_is_refused(s3: Stage) -> None:
    """A bucket that nobody bound loses nothing."""
    abandoned(s3)
    s3.objects.delete([Target(MARKER)])
    refused(s3, s3.plan(), BindingError)


def test_a_plan_of_another_instance_is_refused(memory: Stage) -> None:
    """A plan is good for the table, bucket and prefix it was made for."""
    abandoned(memory)
    plan = memory.plan()
    for other in ({"instance_id": "another"}, {"bucket": "videos"}, {"prefix": "other/"}):
        refused(memory, replace(plan, **other), BindingError)


@pytest.mark.parametrize("key", ["elsewhere/a.jpg", "uploads2/a.jpg", f"{PREFIX}.reconciler/instance.json", "uploads", ""])
def test_a_plan_that_names_keys_outside_is_refused(memory: Stage, key: str) -> None:
    """One action outside the prefix, or on reconciler's own objects, refuses the whole plan."""
    abandoned(memory)
    plan = memory.plan()
    (action,) = plan.deletions
    refused(memory, replace(plan, actions=(action, replace(action, key=key))), BindingError)


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_that_disagree_are_refused(memory: Stage, hours: int) -> None:
    """More than 15 minutes between the table's clock and S3's refuse the plan."""
    abandoned(memory)
    plan = memory.plan()

    def skewed(marker: Any, key: str) -> Any:
        binding, moment = marker(key)
        return binding, moment + timedelta(hours=hours)

    around_objects(memory).instead("marker", skewed)
    refused(memory, plan, ClockSkewError)


def test_too_many_disputes_are_refused(memory: Stage) -> None:
    """Eleven due uploads tagged completed, of twelve, look like a restored backup: the twelfth is kept too."""
    for _ in range(11):
        disputed(memory)
    abandoned(memory)
    refused(memory, memory.planner.sweep(), TooManyDisputesError)
    refused(memory, memory.plan(), TooManyDisputesError)


def test_a_stale_plan_is_refused(memory: Stage) -> None:
    """After the plan life, or from the future, a plan that deletes is a StalePlanError."""
    abandoned(memory)
    plan = memory.plan()
    memory.advance(hours=6)
    assert memory.applier.check(plan, limits=Limits()) == []
    memory.advance(seconds=1)
    refused(memory, plan, StalePlanError)
    refused(memory, replace(plan, created_at=plan.created_at + timedelta(days=1)), StalePlanError)


def test_every_refusal_is_told_at_once(memory: Stage) -> None:
    """Check returns all the reasons, so that the operator sees them together."""
    abandoned(memory, 51)
    plan = memory.plan()
    memory.advance(hours=7)
    memory.objects._markers.clear()
    found = [type(error) for error in memory.applier.check(plan, limits=Limits())]
    assert found == [BindingError, StalePlanError, TooManyDeletionsError]


def test_a_plan_without_deletions_is_never_refused(memory: Stage) -> None:
    """Settling goes on although clocks, marker and age are wrong."""
    key = memory.upload()
    refuse_settling(around_objects(memory))
    memory.uploads.complete(key, owner=OWNER)
    memory.objects.mend()
    plan = memory.planner.sweep()
    memory.objects.inner._markers.clear()
    memory.advance(days=3)
    assert fates(memory.apply(plan)) == {key: Fate.DONE}


def refuse_settling(objects: Around) -> None:
    def step(put_tags: Any, key: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        if tags["status"] == "completed":
            raise StoreUnavailableError
        put_tags(key, tags, **kwargs)

    objects.instead("put_tags", step)


def test_a_plan_that_forgets_is_guarded_too(memory: Stage) -> None:
    """Forgetting a tombstone sends a delete to S3: a bucket that is not ours must not receive it."""
    (key,) = abandoned(memory)
    memory.sweep()
    memory.advance(days=9)
    put(memory, key, status="pending")
    plan = memory.planner.sweep()
    memory.objects.put_marker(MARKER, Binding("another", "photos", PREFIX), overwrite=True)
    with pytest.raises(BindingError):
        memory.apply(plan)
    assert is_there(memory, key)


# The journal


class Recorder:
    """Writes down what happens to journal, bucket and table, in one order."""

    def __init__(self, stage: Stage) -> None:
        self.events: list[str] = []
        self._journal = stage.journal
        around_objects(stage).instead("delete", self._told("delete"))
        around_table(stage).instead("move", self._told_move)
        stage.journal = self  # type: ignore[assignment]

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.events += [line["event"] for line in lines]
        self._journal.write(lines)

    def _told(self, event: str) -> Callable[..., Any]:
        def step(original: Any, *args: Any, **kwargs: Any) -> Any:
            self.events.append(event)
            return original(*args, **kwargs)

        return step

    def _told_move(self, move: Any, keys: Any, what: Any) -> Any:
        self.events.append(f"row {what.sets['status']}")
        return move(keys, what)


def test_the_intent_is_on_disk_before_the_deletion(memory: Stage) -> None:
    """Claim, intent, delete, outcome, tombstone: in this order."""
    abandoned(memory)
    recorder = Recorder(memory)
    memory.sweep()
    assert recorder.events == ["row deleting", "intent", "delete", "outcome", "row deleted"]


def test_the_journal_says_what_was_deleted_and_why(memory: Stage) -> None:
    """The intent holds run, key, reason and the row; the outcome holds what became of it."""
    (key,) = abandoned(memory)
    report = memory.sweep()
    intent, outcome = memory.journal.lines
    assert {**intent, "at": ""} == {
        "at": "",
        "run": report.plan.id,
        "event": "intent",
        "key": key,
        "reason": "abandoned",
        "etag": None,
        "size": len(JPEG),
        "version_id": None,
        "row": {
            "status": "deleting",
            "owner": OWNER,
            "filename": "me.jpg",
            "created_at": memory.row(key).created_at.isoformat(),
            "reason": "abandoned",
        },
    }
    assert {**outcome, "at": ""} == {"at": "", "run": report.plan.id, "event": "outcome", "key": key, "outcome": "deleted"}


def test_a_journal_that_cannot_be_written_stops_everything(memory: Stage) -> None:
    """JournalError, and nothing is deleted; the claimed rows are finished once the journal works again."""
    keys = abandoned(memory, 2)
    journal = memory.journal
    memory.journal = Around(journal).failing("write", JournalError())  # type: ignore[assignment]
    with pytest.raises(JournalError):
        memory.sweep()
    assert memory.keys() == set(keys)
    memory.journal = journal
    assert len(memory.sweep().deleted) == 2
    assert memory.keys() == set()


def test_every_deletion_is_journalled_even_when_a_tombstone_is_forgotten(memory: Stage) -> None:
    """What forgetting deletes at the tombstone's key appears in the journal as well."""
    (key,) = abandoned(memory)
    memory.sweep()
    memory.advance(days=9)
    put(memory, key, status="pending")
    memory.journal.lines.clear()
    memory.sweep()
    assert not is_there(memory, key)
    assert [line["event"] for line in memory.journal.lines] == ["intent", "outcome"]


# Failures


def failing_for(key: str) -> Callable[..., Mapping[str, str]]:
    def step(delete: Any, targets: Sequence[Target]) -> Mapping[str, str]:
        return {**delete([target for target in targets if target.key != key]), key: "InternalError: try again"}

    return step


def test_one_keys_failure_is_that_keys_alone(memory: Stage) -> None:
    """A key that S3 does not confirm stays `deleting` and is reported as failed; the others are gone; the next run finishes."""
    bad, good = sorted(abandoned(memory, 2))
    objects = around_objects(memory).instead("delete", failing_for(bad))
    report = memory.sweep()
    assert fates(report) == {bad: Fate.FAILED, good: Fate.DONE}
    assert (memory.row(bad).status, memory.row(good).status) == (Status.DELETING, Status.DELETED)
    assert [line.get("outcome") for line in memory.journal.lines[2:]] == ["failed", "deleted"]
    objects.mend()
    assert fates(memory.sweep()) == {bad: Fate.DONE}
    assert memory.keys() == set()


def test_a_failed_request_leaves_every_key_for_the_next_run(memory: Stage) -> None:
    """If S3 does not answer the bulk delete, nothing is buried."""
    keys = abandoned(memory, 3)
    objects = around_objects(memory).failing("delete", StoreUnavailableError("down"))
    assert set(fates(memory.sweep()).values()) == {Fate.FAILED}
    assert {memory.row(key).status for key in keys} == {Status.DELETING}
    objects.mend()
    assert len(memory.sweep().deleted) == 3


def crash_at_an_intent(original: Callable[..., Any], lines: Sequence[Any]) -> None:
    """Let the journal be tried, and crash at its first line."""
    if lines:
        raise SystemExit
    original(lines)


@pytest.mark.parametrize("verb", ["delete", "write"])
def test_a_crash_after_the_claim_is_finished_by_the_next_sweep(memory: Stage, verb: str) -> None:
    """Whatever kills the process between claim and deletion, the next sweep deletes and buries."""
    (key,) = abandoned(memory)
    journal, objects = memory.journal, around_objects(memory)
    if verb == "write":
        memory.journal = Around(journal).instead("write", crash_at_an_intent)  # type: ignore[assignment]
    else:
        objects.failing("delete", SystemExit())  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        memory.sweep()
    assert memory.row(key).status is Status.DELETING
    objects.mend()
    memory.journal = journal
    assert fates(memory.sweep()) == {key: Fate.DONE}
    assert (memory.keys(), memory.row(key).status) == (set(), Status.DELETED)


def test_a_crash_after_the_deletion_is_finished_by_the_next_sweep(memory: Stage) -> None:
    """An object that is gone already counts as deleted."""
    (key,) = abandoned(memory)
    objects = around_objects(memory)

    def delete_and_die(delete: Any, targets: Any) -> Any:
        delete(targets)
        raise SystemExit

    objects.instead("delete", delete_and_die)
    with pytest.raises(SystemExit):
        memory.sweep()
    objects.mend()
    assert fates(memory.sweep()) == {key: Fate.DONE}
    assert memory.row(key).status is Status.DELETED


def test_the_run_is_kept_in_the_table(memory: Stage) -> None:
    """One row a run says which finder, what became of it, and how many bytes were freed; a failure makes it partial."""
    bad, _ = abandoned(memory, 2)
    objects = around_objects(memory).instead("delete", failing_for(bad))
    first = memory.sweep()
    objects.mend()
    second = memory.apply()
    runs = memory.table.runs
    assert [(runs[r.plan.id].finder, runs[r.plan.id].outcome) for r in (first, second)] == [
        ("sweep", "partial"),
        ("listing", "done"),
    ]
    assert runs[first.plan.id].counts == {"delete: done": 1, "delete: failed": 1}
    assert runs[first.plan.id].bytes_deleted == len(JPEG)


def test_the_run_is_kept_in_sql_too(s3: Stage) -> None:
    """The same, read back from the database."""
    abandoned(s3)
    s3.sweep()
    with s3.table.engine.connect() as connection:
        ((finder, outcome, freed),) = connection.exec_driver_sql("SELECT finder, outcome, bytes_deleted FROM upload_runs").all()
    assert (finder, outcome, freed) == ("sweep", "done", len(JPEG))


def test_outcomes_are_told_as_they_happen(memory: Stage) -> None:
    """on_outcome hears of each action once, in the order they are carried out."""
    abandoned(memory, 3)
    told: list[Any] = []
    report = memory.applier.apply(memory.plan(), limits=Limits(), on_outcome=told.append)
    assert tuple(told) == report.outcomes


# What moved since the plan


@pytest.mark.parametrize("how", [Untracked.DELETE, Untracked.QUARANTINE])
def test_a_row_inserted_since_is_skipped(memory: Stage, how: Untracked) -> None:
    """An untracked object that has its row by now is neither deleted nor quarantined."""
    memory.completed()
    key = untracked(memory)
    plan = memory.plan(untracked=how)
    memory.operator.adopt(key, owner=OWNER)
    assert fates(memory.apply(plan))[key] is Fate.SKIPPED
    assert (memory.row(key).status, memory.tag(key)) == (Status.COMPLETED, Tag.COMPLETED)


def test_an_untracked_object_overwritten_since_is_not_deleted(memory: Stage) -> None:
    """It is given up: deleted neither by this run nor by the ones after it."""
    memory.completed()
    key = untracked(memory)
    plan = memory.plan(untracked=Untracked.DELETE)
    put(memory, key, PNG, status="completed")
    assert fates(memory.apply(plan))[key] is Fate.SKIPPED
    memory.sweep()
    assert is_there(memory, key)
    assert memory.table.get(key) is None


def test_an_untracked_object_completed_since_is_not_quarantined(memory: Stage) -> None:
    """An object that was tagged completed since the plan keeps that tag: it is a dispute."""
    memory.completed()
    key = untracked(memory)
    plan = memory.plan(untracked=Untracked.QUARANTINE)
    memory.advance(hours=5)
    tag_as(memory, key, "completed")
    memory.apply(plan)
    assert memory.tag(key) is Tag.COMPLETED


def test_a_row_completed_since_is_skipped(stage: Stage) -> None:
    """A due upload that the operator adopted after planning keeps its object."""
    key = disputed(stage)
    stage.advance(hours=25)
    (report,) = stage.plan().actions
    voted = replace(report.facts, tag=Tag.PENDING)
    plan = replace(stage.plan(), actions=(Delete(key=key, reason=report.reason, facts=voted),))
    stage.operator.adopt(key)
    assert fates(stage.apply(plan)) == {key: Fate.SKIPPED}
    assert stage.keys() == {key}


def test_an_old_vote_is_read_again(stage: Stage) -> None:
    """An object tagged completed since the plan, more than the vote's life ago, is reported and kept."""
    (key,) = abandoned(stage)
    plan = stage.plan()
    tag_as(stage, key, "completed")
    stage.advance(minutes=20)
    assert fates(stage.apply(plan)) == {key: Fate.REPORTED}
    assert (stage.keys(), stage.row(key).status) == ({key}, Status.PENDING)


def test_a_vote_that_cannot_be_read_again_fails_alone(memory: Stage) -> None:
    """If S3 does not answer for it, the key is kept and its row stays pending."""
    (key,) = abandoned(memory)
    plan = memory.plan()
    memory.advance(minutes=20)
    around_objects(memory).failing("tags", StoreUnavailableError())
    assert fates(memory.apply(plan)) == {key: Fate.FAILED}
    assert (memory.keys(), memory.row(key).status) == ({key}, Status.PENDING)


def test_an_object_gone_since_is_buried(memory: Stage) -> None:
    """If the object went meanwhile, the deletion is done all the same."""
    (key,) = abandoned(memory)
    plan = memory.plan()
    remove(memory, key)
    memory.advance(minutes=20)
    memory.apply(plan)
    assert memory.row(key).status is Status.DELETED


def test_a_released_row_is_not_settled(memory: Stage) -> None:
    """Settling is skipped where the row is no longer completed."""
    key = memory.upload()
    refuse_settling(around_objects(memory))
    memory.uploads.complete(key, owner=OWNER)
    memory.objects.mend()
    plan = memory.plan()
    memory.uploads.release(key, owner=OWNER)
    assert fates(memory.apply(plan)) == {key: Fate.SKIPPED}
    assert memory.tag(key) is Tag.COMPLETING


def test_forgetting_never_deletes_what_is_completed_by_now(memory: Stage) -> None:
    """A key whose tombstone is forgotten and whose object was then adopted survives the same plan applied again."""
    (key,) = abandoned(memory)
    memory.sweep()
    memory.advance(days=9)
    plan = memory.planner.sweep()
    memory.apply(plan)
    put(memory, key)
    memory.operator.adopt(key, owner=OWNER)
    memory.apply(plan)
    assert (memory.keys(), memory.row(key).status) == ({key}, Status.COMPLETED)


def test_forgetting_never_deletes_what_is_tagged_completed(memory: Stage) -> None:
    """An object tagged completed under a tombstone is a dispute, also when the tombstone has outlived every URL."""
    (key,) = abandoned(memory)
    memory.sweep()
    put(memory, key, status="completed")
    memory.advance(days=9)
    assert memory.plan().counts() == {"report (disputed)": 1}
    memory.sweep()
    assert is_there(memory, key)


# Complete and sweep at once


def behind(stage: Stage) -> Stage:
    """Return the same deployment as a backend sees it whose clock has stood still since the upload."""
    late = replace(stage, clock=type(stage.clock)(stage.clock.now()))
    late.objects = getattr(stage.objects, "inner", stage.objects)
    return late


def test_completing_before_the_claim_wins(stage: Stage) -> None:
    """If the row is completed between vote and claim, the sweep skips it and the object stays."""
    key = stage.upload()
    backend = behind(stage)
    stage.advance(hours=25)
    plan = stage.planner.sweep()
    assert [type(action) for action in plan.actions] == [Delete]
    backend.uploads.complete(key, owner=OWNER)
    assert fates(stage.apply(plan)) == {key: Fate.SKIPPED}
    assert (stage.row(key).status, stage.keys()) == (Status.COMPLETED, {key})


def test_claiming_before_the_retag_is_seen_wins(stage: Stage) -> None:
    """If the sweep claims and deletes after complete has looked, complete is told that it is too late."""
    verb = "put_tags"
    key = stage.upload()
    backend = behind(stage)
    sweeper = replace(stage)
    sweeper.advance(hours=25)
    backend.objects = Around(backend.objects).before(verb, sweeper.sweep)
    with pytest.raises((UploadExpiredError, NotUploadedError)):
        backend.uploads.complete(key, owner=OWNER)
    assert (stage.row(key).status, stage.keys()) == (Status.DELETED, set())


def test_claiming_before_the_retag_wins(memory: Stage) -> None:
    """If the sweep deletes between the first look and the retag, there is nothing left to complete."""
    key = memory.upload()
    backend = behind(memory)
    memory.advance(hours=25)
    backend.objects = Around(backend.objects).before("put_tags", memory.sweep)
    with pytest.raises(NotUploadedError):
        backend.uploads.complete(key, owner=OWNER)
    assert memory.row(key).status is Status.DELETED


def test_completing_between_claim_and_deletion_loses(memory: Stage) -> None:
    """Once a row is claimed nobody completes it, although its object is still there."""
    key = memory.upload()
    backend = behind(memory)
    memory.advance(hours=25)
    told: list[str] = []

    def too_late() -> None:
        with pytest.raises(UploadExpiredError):
            backend.uploads.complete(key, owner=OWNER)
        told.append("too late")

    around_objects(memory).before("delete", too_late)
    memory.sweep()
    assert (told, memory.row(key).status) == (["too late"], Status.DELETED)


def test_many_completions_race_with_many_sweeps(stage: Stage) -> None:
    """Whoever wins each race, every row is either completed with its object or deleted without."""
    keys = [stage.upload() for _ in range(8)]
    backend, sweeper = behind(stage), replace(stage)
    sweeper.advance(hours=25)

    def complete(key: str) -> bool:
        try:
            backend.uploads.complete(key, owner=OWNER)
        except UploadError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        swept = [pool.submit(sweeper.sweep) for _ in range(2)]
        won = dict(zip(keys, pool.map(complete, keys), strict=True))
        for future in swept:
            future.result()
    sweeper.sweep()
    assert stage.keys() == {key for key in keys if won[key]}
    assert {key for key in keys if stage.row(key).status is Status.COMPLETED} == stage.keys()
    assert {row.status for row in rows(stage)} <= {Status.COMPLETED, Status.DELETED}


def test_two_sweeps_at_once_delete_once(stage: Stage) -> None:
    """Two runs of the same plan: the second one finds that everything has moved."""
    keys = abandoned(stage, 3)
    plans = stage.planner.sweep(), stage.planner.sweep()
    first, second = (stage.apply(plan) for plan in plans)
    assert (len(first.deleted), set(fates(second).values())) == (3, {Fate.SKIPPED})
    assert sorted(line["key"] for line in stage.journal.lines if line["event"] == "intent") == sorted(keys)


# Late arrivals and tombstones


def test_a_late_arrival_is_deleted_and_its_tombstone_lives_anew(stage: Stage) -> None:
    """An upload that arrives after its row was deleted goes with the next plan, and the key is watched for longer."""
    ticket = stage.presign()
    stage.advance(hours=25)
    stage.sweep()
    stage.advance(days=3)
    put(stage, ticket.key, status="pending")
    report = stage.apply()
    assert report.plan.counts() == {"delete-late-arrival (late-arrival)": 1}
    assert (stage.keys(), stage.row(ticket.key).status) == (set(), Status.DELETED)
    stage.advance(days=5)
    assert stage.sweep().outcomes == ()
    stage.advance(days=3)
    assert stage.sweep().plan.counts() == {"forget (outlived)": 1}


def test_an_outlived_tombstone_is_forgotten(stage: Stage) -> None:
    """Eight days later the rows are gone, once one LIST has said that nothing lies at their keys; no delete is sent."""
    keys = abandoned(stage, 3)
    stage.sweep()
    stage.advance(days=7)
    assert stage.sweep().outcomes == ()
    stage.advance(hours=2)
    objects = around_objects(stage)
    stage.sweep()
    assert stage.table.get_many(keys) == {}
    assert [call.verb for call in objects.calls if call.verb != "marker"] == ["pages"]


def test_an_outlived_tombstone_with_an_object_is_no_tombstone_yet(memory: Stage) -> None:
    """What came late is deleted first, and if that fails the row stays, so that the key remains ours."""
    (key,) = abandoned(memory)
    memory.sweep()
    memory.advance(days=9)
    put(memory, key, status="pending")
    around_objects(memory).instead("delete", failing_for(key))
    assert fates(memory.sweep()) == {key: Fate.FAILED}
    assert memory.row(key).status is Status.DELETING


# Completed objects


def test_confirming_mends_what_another_tagger_undid(stage: Stage) -> None:
    """The second look, after every URL has died, puts the tag right and looks again an hour later."""
    key = stage.completed()
    tag_as(stage, key, "pending")
    stage.advance(hours=2)
    assert stage.sweep().plan.counts() == {"settle (unsettled)": 1}
    assert (stage.tag(key), stage.row(key).confirmed_at) == (Tag.COMPLETED, None)
    stage.advance(hours=2)
    stage.sweep()
    assert stage.row(key).confirmed_at is not None
    assert stage.sweep().outcomes == ()


def test_a_changed_object_is_tagged_once_and_reported_until_settled(stage: Stage) -> None:
    """Another object under a completed key is tagged `changed`, once; from then on plans only report it."""
    key = stage.completed()
    put(stage, key, PNG, status="pending", scan="clean")
    report = stage.apply()
    assert (fates(report), stage.objects.tags(key)) == ({key: Fate.REPORTED}, {"status": "changed", "scan": "clean"})
    again = stage.plan()
    assert (again.counts(), again.writing) == ({"report (changed)": 1}, ())
    stage.operator.accept(key)
    assert (stage.plan().actions, stage.tag(key)) == ((), Tag.COMPLETED)


def test_an_unsettled_upload_whose_object_is_gone_is_reported(memory: Stage) -> None:
    """The sweep says that it is missing, and writes nothing."""
    key = memory.upload()
    refuse_settling(around_objects(memory))
    memory.uploads.complete(key, owner=OWNER)
    memory.objects.mend()
    remove(memory, key)
    before = state(memory)
    report = memory.sweep()
    assert [(action.key, action.reason) for action in report.plan.reports] == [(key, Reason.MISSING)]
    assert report.outcomes == ()
    assert state(memory) == before


# Untracked objects


def test_untracked_objects_are_only_reported_unless_asked(memory: Stage) -> None:
    """A listing reports them and touches nothing."""
    key = untracked(memory)
    before = state(memory)
    assert memory.plan().counts() == {"report (untracked)": 1}
    memory.apply()
    assert state(memory) == before
    assert is_there(memory, key)


def test_a_quarantined_object_is_deleted_after_the_grace(stage: Stage) -> None:
    """It is tagged and kept for the release grace; then the sweep deletes it."""
    stage.completed()
    key = untracked(stage, scan="clean")
    stage.apply(stage.plan(untracked=Untracked.QUARANTINE))
    assert stage.objects.tags(key) == {"status": "quarantined", "scan": "clean"}
    stage.advance(days=6)
    stage.sweep()
    assert is_there(stage, key)
    stage.advance(days=2)
    stage.sweep()
    assert not is_there(stage, key)
    assert stage.table.get(key) is None


def test_an_untracked_object_is_deleted_where_asked_for(stage: Stage) -> None:
    """Its row is claimed first and goes with it: no URL was ever issued for its key, which is nobody's any more."""
    stage.completed()
    key = untracked(stage)
    report = stage.apply(stage.plan(untracked=Untracked.DELETE))
    assert [outcome.action.key for outcome in report.deleted] == [key]
    assert stage.table.get(key) is None
    assert not is_there(stage, key)


@pytest.mark.parametrize("how", [Untracked.DELETE, Untracked.QUARANTINE])
def test_an_untracked_object_tagged_completed_is_never_touched(memory: Stage, how: Untracked) -> None:
    """The tag remembers a completion: it is a dispute, whatever was asked for."""
    memory.completed()
    key = untracked(memory, status="completed")
    plan = memory.plan(untracked=how)
    assert plan.counts()["report (disputed)"] == 1
    memory.apply(plan)
    assert (memory.table.get(key), memory.tag(key)) == (None, Tag.COMPLETED)


def test_a_lost_table_deletes_nothing(memory: Stage) -> None:
    """With a new, empty table bound by the operator's word, even asking to delete what is untracked is refused."""
    memory.completed()
    put(memory, UNTRACKED_KEY)
    memory.table = MemoryTable()
    memory.objects._markers.clear()
    memory.bind()
    memory.advance(days=2)
    refused(memory, memory.plan(untracked=Untracked.DELETE), WrongTableError)
