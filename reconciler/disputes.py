"""The operator's word: adopt, release, accept. What the protocol can only report, a person settles with one of these.

Each reads both sides first and refuses where nothing waits for a word; each write is conditional on what was read.
"""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core import rows
from reconciler.core.actions import Reason
from reconciler.core.keys import parse_reference
from reconciler.core.model import UNTRACKED_OWNER, ObjectFacts, Status, Tag, Upload, tag_of, with_status
from reconciler.core.requests import check_owner
from reconciler.core.timing import Timing
from reconciler.errors import NothingToSettleError, NotUploadedError, ObjectChangedError, RetryTransactionError
from reconciler.ports import Clock, Objects, Signer, Table
from reconciler.reading import bound, find, vote
from reconciler.settling import settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Settles what is disputed, changed, missing or untracked, one key at a time."""

    objects: Objects
    table: Table
    signer: Signer
    clock: Clock
    timing: Timing
    prefix: str

    def adopt(self, reference: str, *, owner: str | None = None) -> Upload:
        """Take an object for completed: a disputed one, or one without a row (then `owner` says whose it is)."""
        key = self._key(reference)
        row = self.table.get(key)
        facts = self._there(key)
        if row is not None and not self._may_adopt(row):
            raise NothingToSettleError(
                f"{key} is {row.status} and not disputed",
                hint="adopt takes what is disputed, held back, quarantined, released but not yet due, or without a row",
            )
        whose = owner or (row.owner if row and row.owner != UNTRACKED_OWNER else None)
        if whose is None:
            raise NothingToSettleError(f"nobody knows whose {key} is", hint="say whose it is with --owner")
        check_owner(whose)
        self._prepare(facts)
        if row is None:
            self._insert(key, facts, owner=whose, status=Status.COMPLETED)
        elif not self.table.move([key], self._adopting(row, facts, whose)):
            raise RetryTransactionError(f"{key} is being deleted, or has moved", hint="look again: `reconcile show KEY`")
        self._settle(facts)
        return self._row(key)

    def _may_adopt(self, row: Upload) -> bool:
        return row.status in (Status.DELETING, Status.QUARANTINED) or self._is_disputed(row)

    def _prepare(self, facts: ObjectFacts) -> None:
        """Tag the object before the row says completed, as complete does: the lifecycle rule must not see it any more."""
        tags = self.objects.tags(facts.key)
        if not tag_of(tags).remembers:
            self.objects.put_tags(facts.key, with_status(tags, Tag.COMPLETING), version_id=facts.version_id)
        now = self._there(facts.key)
        if (now.etag, now.version_id) != (facts.etag, facts.version_id):
            raise ObjectChangedError(hint="run it again")

    def _adopting(self, row: Upload, facts: ObjectFacts, owner: str) -> rows.Move:
        now = self.clock.now()
        if row.status is Status.DELETING:
            return rows.take_back(facts, owner=owner, now=now, timing=self.timing)
        return rows.adopt(facts, owner=owner, now=now)

    def release(self, reference: str) -> Upload:
        """Let an object go after the release grace: a completed one, or a disputed one in favour of the table."""
        key = self._key(reference)
        row = self.table.get(key)
        due_at = self.clock.now() + self.timing.release_grace
        if row is None:
            self._release_untracked(key, due_at)
        elif not self._release(row, due_at):
            raise NothingToSettleError(
                f"{key} is {row.status}; only a completed or a disputed upload can be released",
                hint="a pending upload is swept after its deadline by itself",
            )
        return self._row(key)

    def _release(self, row: Upload, due_at: datetime) -> bool:
        if row.status is Status.COMPLETED:
            return bool(self.table.move([row.key], rows.release(owner=None, due_at=due_at)))
        return self._is_disputed(row) and bool(self.table.move([row.key], rows.release_disputed(due_at=due_at)))

    def accept(self, reference: str) -> Upload:
        """Take the object that replaced a completed one for the completed one."""
        key = self._key(reference)
        row = self.table.get(key)
        facts = self._there(key)
        if row is None or row.status is not Status.COMPLETED or row.etag == facts.etag:
            raise NothingToSettleError(f"{key} is not a completed upload whose object has changed")
        if not self.table.move([key], rows.accept(facts, was=row.etag, now=self.clock.now())):
            raise RetryTransactionError("the row moved while it was being accepted", hint="look again: `reconcile show KEY`")
        self._settle(facts)
        return self._row(key)

    def _settle(self, facts: ObjectFacts) -> None:
        """Tell S3, whatever the tag says now: the operator has spoken."""
        tags = self.objects.tags(facts.key)
        settle(self.objects, self.table, self.clock, key=facts.key, tags=tags, version_id=facts.version_id)

    def _key(self, reference: str) -> str:
        bound(self.table, bucket=self.objects.bucket, prefix=self.prefix)
        return parse_reference(reference, bucket=self.objects.bucket, prefix=self.prefix)

    def _is_disputed(self, row: Upload) -> bool:
        """Say whether the object's tag remembers more than the row: a completion, or one that was under way."""
        if row.status not in rows.DISPUTABLE:
            return False
        tag = vote(self.objects, row.key)
        if tag is None or not (tag.remembers or (tag is Tag.COMPLETING and self.table.disputed())):
            return False
        # The operator settles one; others like it may not be due yet.
        self.table.note_dispute(disputed=True)
        return True

    def _there(self, key: str) -> ObjectFacts:
        facts = find(self.objects, key)
        if facts is None:
            raise NotUploadedError(
                f"there is no object at {key}",
                hint="`reconcile release KEY` ends a completed row without an object, `reconcile restore KEY` brings it back",
            )
        return facts

    def _row(self, key: str) -> Upload:
        row = self.table.get(key)
        if row is None:
            raise RetryTransactionError(f"the row of {key} has gone meanwhile", hint="look again: `reconcile show KEY`")
        return row

    def _release_untracked(self, key: str, due_at: datetime) -> None:
        tag = vote(self.objects, key)
        if tag is None or not tag.remembers:
            raise NothingToSettleError(
                f"{key} has no row and is not disputed",
                hint="`reconcile apply --untracked delete` deletes such objects",
            )
        self._insert(key, self._there(key), owner=UNTRACKED_OWNER, status=Status.DELETING, due_at=due_at)

    def _insert(
        self,
        key: str,
        facts: ObjectFacts,
        *,
        owner: str,
        status: Status,
        due_at: datetime | None = None,
    ) -> None:
        now = self.clock.now()
        completed = status is Status.COMPLETED
        row = Upload(
            key=key,
            bucket=self.objects.bucket,
            object_url=self.signer.object_url(key),
            status=status,
            owner=check_owner(owner),
            declared_type=facts.content_type,
            created_at=now,
            expires_at=now,
            due_at=due_at or now,
            etag=facts.etag,
            version_id=facts.version_id,
            size=facts.size,
            content_type=facts.content_type,
            last_modified=facts.last_modified,
            stored_at=now,
            completed_at=now if completed else None,
            reason=None if completed else Reason.RELEASED.value,
        )
        if not self.table.insert(row):
            raise RetryTransactionError(f"{key} has a row now", hint="look again: `reconcile show KEY`")
