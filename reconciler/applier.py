"""Applying: the only writer on the reconcile path. It carries out a plan, action by action, and says what became of each.

Before it writes it reads again: the guards' world, each row, each object. What moved since the plan was made is skipped, never
forced. One key's failure is that key's alone. Harmless work comes first, deletions after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_never

from reconciler.core import rows
from reconciler.core.actions import (
    Confirm,
    Delete,
    DeleteLateArrival,
    DeleteUntracked,
    FinishDeletion,
    Forget,
    HoldBack,
    MarkChanged,
    Quarantine,
    Reason,
    RecordStored,
    Settle,
    Tombstone,
    Writing,
)
from reconciler.core.guards import Limits, World, refusals
from reconciler.core.keys import is_system
from reconciler.core.model import UNTRACKED_OWNER, ObjectEntry, Status, Tag, Upload, tag_of, with_status
from reconciler.core.plan import Finder, Plan
from reconciler.core.report import Fate, Outcome, RunReport
from reconciler.core.timing import Timing
from reconciler.deleting import MOVED, Deleter
from reconciler.errors import BindingError, JournalError, ObjectNotFoundError, ReconcilerError, RefusedError, TableError
from reconciler.logs import get_logger
from reconciler.ports import Clock, Journal, Objects, Signer, Table
from reconciler.reading import bound, world
from reconciler.settling import settle

log = get_logger()

BATCH = 1000  # what DeleteObjects takes at once, API reference

ORDER = (
    RecordStored,
    Settle,
    Confirm,
    MarkChanged,
    HoldBack,
    Quarantine,
    Tombstone,
    Delete,
    DeleteUntracked,
    FinishDeletion,
    DeleteLateArrival,
    Forget,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Carries out plans."""

    objects: Objects
    table: Table
    signer: Signer
    clock: Clock
    journal: Journal
    timing: Timing
    prefix: str

    def check(self, plan: Plan, *, limits: Limits) -> list[RefusedError]:
        """Return every reason for which `apply` would refuse the plan now."""
        outside = [action.key for action in plan.writing if not self._is_ours(action.key)]
        if outside:
            return [BindingError(f"the plan names keys outside {self.prefix!r}, such as {outside[0]!r}", hint="plan again")]
        if not plan.writing and not plan.stopped:
            return []
        return refusals(plan, world=self._world(plan), limits=limits, plan_life=self.timing.plan_life)

    def _world(self, plan: Plan) -> World:
        """Read what the plan is compared with; the bucket's marker only where the plan ends anything."""
        if plan.endings:
            return world(self.objects, self.table, self.clock, prefix=self.prefix)
        binding = bound(self.table, bucket=self.objects.bucket, prefix=self.prefix)
        return World(binding=binding, marker=None, now=self.clock.now(), store_time=None)

    def apply(self, plan: Plan, *, limits: Limits, on_outcome: Callable[[Outcome], object] = lambda _: None) -> RunReport:
        """Carry out the plan, or raise the RefusedError that stands against it.

        Applying a plan twice changes nothing more: the second time every action has moved.
        """
        refusals = self.check(plan, limits=limits)
        binding = self.table.binding()
        ours = binding is not None and plan.instance_id == binding.instance_id
        if ours and self._is_disputed(plan):
            self.table.note_dispute(disputed=True)  # whatever else speaks against the plan
        for refusal in refusals:
            raise refusal
        if ours and plan.options.accept_restored and not plan.disputed:
            self.table.note_dispute(disputed=False)
        if plan.deletions:
            self.journal.write([])  # one that cannot be written is known before anything is done
        started_at = self.clock.now()
        outcomes = []
        for outcome in self._carry_out(plan):
            outcomes.append(outcome)
            log.debug(
                "acted",
                action=outcome.action.kind,
                key=outcome.action.key,
                fate=outcome.fate.value,
                detail=outcome.detail,
            )
            on_outcome(outcome)
        report = RunReport(plan=plan, started_at=started_at, ended_at=self.clock.now(), outcomes=tuple(outcomes))
        self._record(report)
        return report

    def _is_disputed(self, plan: Plan) -> bool:
        """Say whether any key of the plan is disputed still: a row may have been completed between its reading and its tag's."""
        keys = [action.key for action in plan.actions if action.reason is Reason.DISPUTED]
        found = self.table.get_many(keys)
        return any(key not in found or found[key].status is not Status.COMPLETED for key in keys)

    def _record(self, report: RunReport) -> None:
        """Keep the run; what it did must be told even where that cannot be written down. A batch of events is none."""
        if report.plan.finder is Finder.EVENTS:
            return
        try:
            self.table.record_run(report.as_run())
        except TableError as error:
            log.warning("run_not_recorded", run=report.plan.id, error=error.message)

    def _is_ours(self, key: str) -> bool:
        return key.startswith(self.prefix) and not is_system(key, prefix=self.prefix)

    def _carry_out(self, plan: Plan) -> Iterator[Outcome]:
        deleter = Deleter(
            objects=self.objects,
            table=self.table,
            clock=self.clock,
            journal=self.journal,
            timing=self.timing,
            run=plan.id,
            track=lambda action: self._track(action, Status.DELETING, timedelta()),
        )
        for kind in ORDER:
            actions = [action for action in plan.writing if type(action) is kind]
            for start in range(0, len(actions), BATCH):
                yield from self._batch(deleter, actions[start : start + BATCH])

    def _batch(self, deleter: Deleter, batch: Sequence[Writing]) -> Iterator[Outcome]:
        """Carry out up to a thousand actions of one kind; what the batch's failure leaves open has failed."""
        told = set()
        try:
            for outcome in self._dispatch(deleter, batch):
                told.add(outcome.action.key)
                yield outcome
        except JournalError:
            raise
        except ReconcilerError as error:
            yield from (Outcome(action, Fate.FAILED, error.message) for action in batch if action.key not in told)

    def _dispatch(self, deleter: Deleter, batch: Sequence[Any]) -> Iterator[Outcome]:
        kind: Writing = batch[0]
        match kind:
            case Tombstone():
                yield from deleter.tombstone(batch)
            case Delete():
                yield from deleter.delete(batch)
            case DeleteUntracked():
                yield from deleter.untracked(batch)
            case FinishDeletion():
                yield from deleter.finish(batch)
            case DeleteLateArrival():
                yield from deleter.late(batch)
            case Forget():
                yield from deleter.forget(batch)
            case RecordStored() | Settle() | Confirm() | MarkChanged() | HoldBack() | Quarantine():
                yield from (self._alone(action) for action in batch)
            case _:  # pragma: no cover
                assert_never(kind)

    def _alone(self, action: RecordStored | Settle | Confirm | MarkChanged | HoldBack | Quarantine) -> Outcome:
        try:
            match action:
                case RecordStored():
                    return self._record_stored(action)
                case Settle() | Confirm() | MarkChanged():
                    return self._tend(action)
                case HoldBack():
                    now = self.clock.now()
                    moved = self.table.move([action.key], rows.hold_back(due_at=now + self.timing.retention, now=now))
                    return _done(action) if moved else _moved_on(action)
                case Quarantine():
                    return self._quarantine(action)
                case _:  # pragma: no cover
                    assert_never(action)
        except ReconcilerError as error:
            return Outcome(action, Fate.FAILED, error.message)

    def _record_stored(self, action: RecordStored) -> Outcome:
        facts = action.facts
        entry = ObjectEntry(action.key, facts.size, facts.etag, facts.last_modified)
        moved = self.table.move([action.key], rows.record_stored(entry, now=self.clock.now()))
        return _done(action) if moved else _moved_on(action)

    def _tend(self, action: Settle | Confirm | MarkChanged) -> Outcome:
        """Look after a completed object's tag, if the row still says completed and the object is there."""
        row = self.table.get(action.key)
        if row is None or row.status is not Status.COMPLETED:
            return _moved_on(action)
        try:
            return self._confirm(action, row) if isinstance(action, Confirm) else self._mend(action, row)
        except ObjectNotFoundError:
            return Outcome(action, Fate.REPORTED, "missing: the row is completed, the object is gone")

    def _confirm(self, action: Confirm, row: Upload) -> Outcome:
        if row.settled_at is None or row.settled_at > action.facts.seen_at:
            return _moved_on(action)
        if not self._is_fresh(action) and tag_of(self.objects.tags(row.key)) is not Tag.COMPLETED:
            return self._mend(action, row)
        moved = self.table.move([row.key], rows.confirmed(settled_at=row.settled_at, now=self.clock.now()))
        return _done(action) if moved else _moved_on(action)

    def _is_fresh(self, action: Confirm) -> bool:
        """Say whether the tag was seen a moment ago."""
        return action.facts.tag is Tag.COMPLETED and self.timing.is_fresh(action.facts.seen_at, now=self.clock.now())

    def _mend(self, action: Settle | Confirm | MarkChanged, row: Upload) -> Outcome:
        """Tag the object by what it is now: the completed one, or another."""
        facts, tags = self.objects.head(row.key), self.objects.tags(row.key)
        if facts.etag == row.etag:
            return self._settle(action, row, tags, facts.version_id)
        if tag_of(tags) is not Tag.CHANGED:
            self.objects.put_tags(row.key, with_status(tags, Tag.CHANGED), version_id=facts.version_id)
        return Outcome(action, Fate.REPORTED, "changed: the object is not the one that was completed")

    def _settle(
        self, action: Settle | Confirm | MarkChanged, row: Upload, tags: Mapping[str, str], version_id: str | None
    ) -> Outcome:
        settled_since = row.settled_at is not None and row.settled_at >= action.facts.seen_at
        if settled_since and tag_of(tags) is Tag.COMPLETED:
            return _moved_on(action)
        told = settle(self.objects, self.table, self.clock, key=row.key, tags=tags, version_id=version_id)
        return _done(action) if told else _moved_on(action)

    def _quarantine(self, action: Quarantine) -> Outcome:
        if self.table.get(action.key) is not None:
            return Outcome(action, Fate.SKIPPED, "it has a row now")
        tags = self.objects.tags(action.key)
        if tag_of(tags).remembers or tag_of(tags) is Tag.COMPLETING:
            return Outcome(action, Fate.REPORTED, "disputed: it has been tagged completed since the plan was made")
        if not self.table.insert(self._track(action, Status.QUARANTINED, self.timing.release_grace)):
            return Outcome(action, Fate.SKIPPED, "it has a row now")
        self.objects.put_tags(action.key, with_status(tags, Tag.QUARANTINED))
        return _done(action)

    def _track(self, action: Quarantine | DeleteUntracked, status: Status, grace: timedelta) -> Upload:
        """Return the row that claims an untracked object."""
        now = self.clock.now()
        return Upload(
            key=action.key,
            bucket=self.objects.bucket,
            object_url=self.signer.object_url(action.key),
            status=status,
            owner=UNTRACKED_OWNER,
            created_at=now,
            expires_at=now,
            due_at=now + grace,
            etag=action.facts.etag,
            size=action.facts.size,
            last_modified=action.facts.last_modified,
            reason=action.reason.value,
        )


def _done(action: Writing) -> Outcome:
    return Outcome(action, Fate.DONE)


def _moved_on(action: Writing) -> Outcome:
    return Outcome(action, Fate.SKIPPED, MOVED)
