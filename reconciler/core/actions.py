"""What can be done about one key: a closed union of frozen values, each with its reason and the facts behind it.

An action is decided by `core.decide`, kept in a plan, and carried out by the applier alone. The facts are what the applier
compares with the world before it writes: an action whose facts no longer hold is skipped.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from reconciler.core.model import ObjectEntry, Status, Tag, Upload


class Reason(StrEnum):
    """Why an action was decided."""

    TOO_YOUNG = "too-young"
    AWAITING_UPLOAD = "awaiting-upload"
    AWAITING_COMPLETION = "awaiting-completion"
    IN_SYNC = "in-sync"
    RELEASED = "released"
    QUARANTINED = "quarantined"
    TOMBSTONE = "tombstone"
    STORED = "stored"
    UNSETTLED = "unsettled"
    UNCONFIRMED = "unconfirmed"
    NEVER_UPLOADED = "never-uploaded"
    ABANDONED = "abandoned"
    LATE_ARRIVAL = "late-arrival"
    GRACE_OVER = "grace-over"
    OUTLIVED = "outlived"
    TAG_NEEDED = "tag-needed"
    UNTRACKED = "untracked"
    DISPUTED = "disputed"
    HELD_BACK = "held-back"
    WAS_COMPLETING = "was-completing"
    CHANGED = "changed"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The two sides of one key as they were when the decision was made. `status` None means: no row."""

    status: Status | None
    present: bool
    tag: Tag
    seen_at: datetime
    etag: str | None = None
    size: int | None = None
    last_modified: datetime | None = None

    @classmethod
    def of(cls, row: Upload | None, entry: ObjectEntry | None, *, tag: Tag, now: datetime) -> "Facts":
        """Gather the facts of one key."""
        status = row.status if row else None
        if entry is None:
            return cls(status=status, present=False, tag=tag, seen_at=now)
        return cls(
            status=status,
            present=True,
            tag=tag,
            seen_at=now,
            etag=entry.etag,
            size=entry.size,
            last_modified=entry.last_modified,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    key: str
    reason: Reason
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(_Action):
    """Leave everything as it is."""

    kind: Literal["keep"] = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtTag(_Action):
    """Nothing can be decided before the tag is known: the planner reads it and decides again."""

    kind: Literal["look-at-tag"] = "look-at-tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(_Action):
    """Tell somebody; write nothing."""

    kind: Literal["report"] = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStored(_Action):
    """Note in the pending row that its object has arrived."""

    kind: Literal["record-stored"] = "record-stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(_Action):
    """Tell S3 that the row is completed: tag the object so."""

    kind: Literal["settle"] = "settle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(_Action):
    """Look at a settled object's tag once more, and mend it if another tagger undid ours."""

    kind: Literal["confirm"] = "confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkChanged(_Action):
    """Tag an overwritten completed object `changed`, so that the lifecycle rule leaves it alone, and report it."""

    kind: Literal["mark-changed"] = "mark-changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack(_Action):
    """Give a due upload that was being completed one more retention, so that a restored backup shows itself first."""

    kind: Literal["hold-back"] = "hold-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine(_Action):
    """Claim an untracked object by inserting its row, and tag it `quarantined`; it is deleted when that row is due."""

    kind: Literal["quarantine"] = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone(_Action):
    """Claim a due row whose object never came."""

    kind: Literal["tombstone"] = "tombstone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(_Action):
    """Claim a due row, delete its object, leave a tombstone."""

    kind: Literal["delete"] = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteUntracked(_Action):
    """Claim an untracked object by inserting its row, delete it, leave a tombstone."""

    kind: Literal["delete-untracked"] = "delete-untracked"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishDeletion(_Action):
    """Delete the object of a row that was claimed or released before; the vote was cast then."""

    kind: Literal["finish-deletion"] = "finish-deletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLateArrival(_Action):
    """Delete an object that came after its row was deleted."""

    kind: Literal["delete-late-arrival"] = "delete-late-arrival"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(_Action):
    """Remove the row of an outlived tombstone, where S3 has said that there is no object."""

    kind: Literal["forget"] = "forget"


Deletion = Delete | DeleteUntracked | FinishDeletion | DeleteLateArrival
Ending = Deletion | Quarantine | Tombstone | Forget
Writing = RecordStored | Settle | Confirm | MarkChanged | HoldBack | Quarantine | Tombstone | Deletion | Forget
Planned = Writing | Report
Action = Keep | LookAtTag | Planned
