"""Completing: a two-phase commit with the row as the commit record and the object as the participant.

Verify the object, prepare it (tag `completing`: the lifecycle rule no longer sees it), look again, and only then move the row
in the caller's own transaction. After the commit the object is told (tag `completed`). A crash anywhere in between leaves
either a completed row and an object that is safe, or a pending row that is swept like any other.
"""

import hmac
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Any

from reconciler.core import rows, sniff
from reconciler.core.actions import Reason
from reconciler.core.documents import pending_rule_id
from reconciler.core.keys import parse_reference
from reconciler.core.model import STATUS_TAG, ObjectFacts, Status, Tag, Upload, tag_of
from reconciler.core.timing import Timing
from reconciler.errors import (
    AccessDeniedError,
    EmptyObjectError,
    NotCompletedError,
    NotUploadedError,
    ObjectChangedError,
    ObjectNotFoundError,
    RetryTransactionError,
    TableError,
    TableUnavailableError,
    UnknownUploadError,
    UploadExpiredError,
    UploadReleasedError,
    WrongSizeError,
    WrongTypeError,
)
from reconciler.logs import get_logger
from reconciler.ports import Clock, Objects, Table, Transaction
from reconciler.settling import settle

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedUpload(Upload):
    """A completed row, and `settle()`: tell S3 so.

    With a Session, or without one, settling happens by itself after the commit. Whoever completes on a bare Connection calls
    it after committing; forgetting to does no harm, the sweep settles. It never raises, and returns whether S3 was told.
    """

    settle: Callable[[], bool] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Prepared:
    facts: ObjectFacts
    foreign: Mapping[str, str]


def verify(row: Upload, facts: ObjectFacts) -> None:
    """Raise unless the object is what was signed: size, declared type, and first bytes."""
    if facts.size == 0:
        raise EmptyObjectError
    if not (row.min_size or 1) <= facts.size <= (row.max_size or facts.size):
        wanted = f"{row.min_size}" if row.min_size == row.max_size else f"{row.min_size} to {row.max_size}"
        raise WrongSizeError(f"the uploaded object has {facts.size} bytes, {wanted} were declared")
    declared = row.declared_type
    if declared is None:
        return
    if (facts.content_type or "").lower() != declared:
        raise WrongTypeError(f"the object was uploaded as {facts.content_type}, {declared} was declared")
    if not sniff.agrees(declared, facts.head):
        found = sniff.sniff(facts.head)
        seen = f"those of {found}" if found else "of no known image type"
        raise WrongTypeError(f"the object's first bytes are {seen}, but {declared} was declared")


class Completer:
    """Completes and releases uploads for the application that refers to them."""

    def __init__(self, *, objects: Objects, table: Table, clock: Clock, timing: Timing, prefix: str) -> None:
        self._objects = objects
        self._table = table
        self._clock = clock
        self._timing = timing
        self._prefix = prefix

    def complete(self, reference: str, *, owner: str, session: Any = None) -> CompletedUpload:
        """Complete one upload; see `Uploads.complete`."""
        row = self._owned(self._key(reference), owner)
        if row.status is Status.COMPLETED:
            return self._completed(row, None)
        if row.status is not Status.PENDING or row.due_at <= self._clock.now():
            raise _too_late(row)
        joined = None if session is None else self._table.join(session)
        try:
            prepared = self._prepare(row)
        except AccessDeniedError:
            # The bucket policy lets nobody tag a settled object back: another request may have been quicker.
            found = self._found_completed(row)
            if found is None:
                raise
            return self._completed(found, None)
        if joined is not None:
            return self._commit(joined, row, prepared)
        return self._complete_alone(row, prepared)

    def release(self, reference: str, *, owner: str, session: Any = None) -> None:
        """Release one completed upload; see `Uploads.release`."""
        key = self._key(reference)
        due_at = self._clock.now() + self._timing.release_grace
        with self._table.begin() if session is None else nullcontext(self._table.join(session)) as transaction:
            if transaction.move([key], rows.release(owner=owner, due_at=due_at)):
                return
            row = transaction.get(key)
            _check_owner(row, owner)
            if row and row.status is Status.PENDING:
                raise NotCompletedError

    def find(self, reference: str, *, owner: str) -> Upload:
        """Return one row of this owner."""
        return self._owned(self._key(reference), owner)

    def _key(self, reference: str) -> str:
        return parse_reference(reference, bucket=self._objects.bucket, prefix=self._prefix)

    def _owned(self, key: str, owner: str) -> Upload:
        return _check_owner(self._table.get(key), owner)

    def _prepare(self, row: Upload) -> _Prepared:
        try:
            facts = self._objects.peek(row.key, length=sniff.SNIFF_BYTES)
            verify(row, facts)
            foreign = self._foreign_tags(facts)
            tags = {**foreign, STATUS_TAG: Tag.COMPLETING.value}
            self._objects.put_tags(row.key, tags, version_id=facts.version_id)
            self._look_again(facts)
        except ObjectNotFoundError as error:
            raise NotUploadedError from error
        return _Prepared(facts, foreign)

    def _foreign_tags(self, facts: ObjectFacts) -> Mapping[str, str]:
        # One tag, and S3 says that our rule sees it: then it is ours. Anything else costs a request to know.
        if facts.tag_count == 1 and facts.expiring_rule == pending_rule_id(self._prefix):
            return {}
        tags = self._objects.tags(facts.key)
        return {name: value for name, value in tags.items() if name != STATUS_TAG}

    def _look_again(self, before: ObjectFacts) -> None:
        """Make sure that the object which was verified is the one that was tagged, and that the rule lets go of it."""
        after = self._objects.head(before.key)
        if (after.etag, after.version_id) != (before.etag, before.version_id):
            raise ObjectChangedError
        rule = pending_rule_id(self._prefix)
        if after.expiring_rule == rule:
            raise ObjectChangedError("the object is still up for expiry: its tag was reset while it was completed")
        # A store that named the rule before and names it no more has proved it; any other is asked for the tag.
        if before.expiring_rule != rule and not self._tagged(before.key):
            raise ObjectChangedError("the object's tag was reset while it was being completed")

    def _tagged(self, key: str) -> bool:
        return tag_of(self._objects.tags(key)) in (Tag.COMPLETING, Tag.COMPLETED)

    def _complete_alone(self, row: Upload, prepared: _Prepared) -> CompletedUpload:
        """Complete in a transaction of our own; where its connection was lost, find out whether it was committed."""
        try:
            with self._table.begin() as transaction:
                return self._commit(transaction, row, prepared)
        except TableUnavailableError as error:
            found = self._found_completed(row)
            if found is None:
                raise TableUnavailableError(
                    f"whether {row.key} was completed is unknown: {error.message}",
                    hint="call complete again: that is safe, and finds out",
                ) from error
        done = self._completed(found, prepared.foreign)
        done.settle()
        return done

    def _found_completed(self, row: Upload) -> Upload | None:
        """Read the row again, on a connection that is not the lost one; None unless it says completed, whatever the reason."""
        try:
            found = self._table.get(row.key)
        except TableError:
            return None
        return found if found is not None and found.status is Status.COMPLETED and found.owner == row.owner else None

    def _commit(self, transaction: Transaction, row: Upload, prepared: _Prepared) -> CompletedUpload:
        now = self._clock.now()
        move = rows.complete(prepared.facts, owner=row.owner, now=now)
        if transaction.move([row.key], move):
            if row.replaces:
                release = rows.release(owner=row.owner, due_at=now + self._timing.release_grace)
                transaction.move([row.replaces], release)
            done = self._completed(replace(row, **move.sets), prepared.foreign)
        else:
            done = self._completed_elsewhere(transaction, row, prepared)
        transaction.after_commit(done.settle)
        return done

    def _completed_elsewhere(self, transaction: Transaction, row: Upload, prepared: _Prepared) -> CompletedUpload:
        # Completed by another request after we looked: our retag undid its settling, so it is settled again.
        found = transaction.get(row.key)
        if found is None and self._table.get(row.key) is not None:
            raise RetryTransactionError("the transaction began before the upload did, and cannot see it")
        if found is None or found.status is not Status.COMPLETED:
            raise _too_late(found or row)
        return self._completed(found, prepared.foreign)

    def _completed(self, row: Upload, foreign: Mapping[str, str] | None) -> CompletedUpload:
        def settle_quietly() -> bool:
            try:
                return settle(
                    self._objects,
                    self._table,
                    self._clock,
                    key=row.key,
                    tags=foreign,
                    version_id=row.version_id,
                )
            except Exception as error:  # noqa: BLE001  the caller has committed: the sweep settles what this could not
                log.warning("settling_left_to_the_sweep", key=row.key, error=str(error))
                return False

        values = {column.name: getattr(row, column.name) for column in fields(Upload)}
        return CompletedUpload(**values, settle=settle_quietly)


def _too_late(row: Upload) -> UploadExpiredError:
    return UploadReleasedError() if row.reason == Reason.RELEASED.value else UploadExpiredError()


def _check_owner(row: Upload | None, owner: str) -> Upload:
    if row is None or not hmac.compare_digest(row.owner.encode(), str(owner).encode()):
        raise UnknownUploadError
    return row
