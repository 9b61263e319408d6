"""Restoring: undoing a deletion on a bucket that keeps versions. The row first, then the object.

Two steps with a value between them: `find` reads both sides and chooses the version, `restore` writes. The version's bytes are
copied on top of the delete marker (or of what took the completed object's place), so nothing is ever removed for it: no role of
ours may delete a version. The version is tagged `completing` before it is copied, so that the lifecycle rule sees neither it nor
the copy; after the copy the object is settled, as complete does. A crash in between leaves a completed row that is not settled:
the sweep settles it where the object is back, and reports it missing where it is not; restoring again goes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core import rows
from reconciler.core.keys import parse_reference
from reconciler.core.model import UNTRACKED_OWNER, ObjectFacts, ObjectVersion, Status, Tag, Upload, with_status
from reconciler.core.requests import check_owner
from reconciler.core.versions import choose_version
from reconciler.errors import NothingToRestoreError, ObjectChangedError, ReconcilerError, RetryTransactionError
from reconciler.ports import Clock, Journal, Objects, Signer, Table
from reconciler.reading import bound, find
from reconciler.settling import settle

_NEVER_DELETED: Mapping[Status, str] = {
    Status.PENDING: "a pending upload is completed by the application, not restored",
    Status.DELETING: "before its grace is over `reconcile adopt KEY` takes it back, after the next sweep `reconcile restore KEY`",
    Status.QUARANTINED: "`reconcile adopt KEY` takes it out of quarantine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What would be restored: which bytes, for whom, and the row as it was read (None where it was forgotten)."""

    key: str
    row: Upload | None
    version: ObjectVersion
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """Brings back what was deleted, one key at a time, by the operator's word."""

    objects: Objects
    table: Table
    signer: Signer
    clock: Clock
    journal: Journal
    prefix: str

    def find(self, reference: str, *, owner: str | None = None, version_id: str | None = None) -> Restoration:
        """Find out what there is to restore; writes nothing.

        A tombstone, a completed row whose object is gone or not the completed one, or a key whose row was forgotten (then
        `owner` says whose it is). Raises NothingToRestoreError, or NotVersionedError where the bucket keeps no versions.
        """
        bound(self.table, bucket=self.objects.bucket, prefix=self.prefix)
        key = parse_reference(reference, bucket=self.objects.bucket, prefix=self.prefix)
        row = self.table.get(key)
        _check(key, row, find(self.objects, key))
        version = choose_version(key, self.objects.versions(key), row, version_id=version_id)
        whose = owner or (row.owner if row is not None and row.owner != UNTRACKED_OWNER else None)
        if whose is None:
            raise NothingToRestoreError(f"nobody knows whose {key} is: its row is gone", hint="say whose it is with --owner")
        return Restoration(key=key, row=row, version=version, owner=check_owner(whose))

    def restore(self, found: Restoration) -> Upload:
        """Bring it back: completed, settled, pinned to the new version. Journalled before and after.

        Raises RetryTransactionError where the row has moved since, ObjectChangedError where another object came meanwhile.
        """
        tags = self.objects.tags(found.key, version_id=found.version.version_id)
        self.journal.write([self._line(found, "restoring")])
        try:
            self._take(found)
            self._bring_back(found, tags)
        except ReconcilerError as error:
            self.journal.write([{**self._line(found, "restored"), "outcome": "failed", "error": error.message}])
            raise
        self.journal.write([{**self._line(found, "restored"), "outcome": "restored"}])
        return self._row(found.key)

    def _take(self, found: Restoration) -> None:
        """Say in the table that the object is completed: from here nothing of ours deletes it."""
        now = self.clock.now()
        if found.row is None:
            moved = self.table.insert(self._new_row(found))
        else:
            moved = bool(self.table.move([found.key], rows.restore(found.row, found.version, owner=found.owner, now=now)))
        if not moved:
            raise RetryTransactionError(f"the row of {found.key} has moved meanwhile", hint="look again: `reconcile show KEY`")

    def _bring_back(self, found: Restoration, tags: Mapping[str, str]) -> None:
        """Copy the version on top, pin the row to the copy, and settle."""
        completing, version_id = with_status(tags, Tag.COMPLETING), found.version.version_id
        self.objects.put_tags(found.key, completing, version_id=version_id)
        etag = self.objects.copy_back(found.key, version_id, tags=completing)
        facts = self.objects.head(found.key)
        if facts.etag != etag:
            raise ObjectChangedError(f"another object came to {found.key} while it was restored", hint="restore it again")
        # Encrypted with KMS, or sent in parts, the same bytes have another etag as a copy.
        if self.table.move([found.key], rows.accept(facts, was=found.version.etag, now=self.clock.now())):
            settle(self.objects, self.table, self.clock, key=found.key, tags=tags, version_id=facts.version_id)

    def _row(self, key: str) -> Upload:
        row = self.table.get(key)
        if row is None or row.status is not Status.COMPLETED:
            raise RetryTransactionError(f"{key} was let go again while it was restored", hint="look again: `reconcile show KEY`")
        return row

    def _new_row(self, found: Restoration) -> Upload:
        now, version = self.clock.now(), found.version
        return Upload(
            key=found.key,
            bucket=self.objects.bucket,
            object_url=self.signer.object_url(found.key),
            status=Status.COMPLETED,
            owner=found.owner,
            created_at=now,
            expires_at=now,
            due_at=now,
            etag=version.etag,
            version_id=version.pin,
            size=version.size,
            last_modified=version.last_modified,
            stored_at=now,
            completed_at=now,
        )

    def _line(self, found: Restoration, event: str) -> dict[str, Any]:
        version = found.version
        row = found.row and {
            "status": found.row.status.value,
            "reason": found.row.reason,
            "deleted_at": found.row.deleted_at and found.row.deleted_at.isoformat(),
        }
        return {
            "at": self.clock.now().isoformat(),
            "event": event,
            "key": found.key,
            "version_id": version.version_id,
            "etag": version.etag,
            "size": version.size,
            "owner": found.owner,
            "row": row,
        }


def _check(key: str, row: Upload | None, facts: ObjectFacts | None) -> None:
    """Raise NothingToRestoreError unless something of this key was deleted, or was put in another object's place."""
    if row is not None and row.status in _NEVER_DELETED:
        raise NothingToRestoreError(f"{key} is {row.status}: it was not deleted", hint=_NEVER_DELETED[row.status])
    if facts is None:
        return
    if row is None:
        raise NothingToRestoreError(f"an object without a row lies at {key}", hint="`reconcile adopt KEY --owner OWNER` keeps it")
    if row.status is Status.DELETED:
        raise NothingToRestoreError(
            f"another object came to {key} after it was deleted",
            hint="`reconcile show KEY --why` says what becomes of it; restore when it is gone",
        )
    if facts.etag == row.etag:
        raise NothingToRestoreError(f"{key} is completed, and its object is there")
