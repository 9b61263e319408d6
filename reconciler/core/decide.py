"""The decision table: one pure function says what to do about one key, whoever asks.

It sees the row (or none), the object as listed (or none), the object's tag (perhaps unknown), and the time. It never
counts, logs, reads or writes. The table in the README is generated from `TABLE`, and a test walks both.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, assert_never

from reconciler.core.actions import (
    Action,
    Confirm,
    Delete,
    DeleteLateArrival,
    DeleteUntracked,
    Facts,
    FinishDeletion,
    Forget,
    HoldBack,
    Keep,
    LookAtTag,
    MarkChanged,
    Quarantine,
    Reason,
    RecordStored,
    Report,
    Settle,
    Tombstone,
)
from reconciler.core.model import ObjectEntry, Status, Tag, Upload
from reconciler.core.timing import Timing


class Untracked(StrEnum):
    """What to do about objects without a row. Only REPORT happens unasked."""

    REPORT = "report"
    QUARANTINE = "quarantine"
    DELETE = "delete"


class _Case(NamedTuple):
    """One key with everything the ladders below look at."""

    key: str
    row: Upload | None
    entry: ObjectEntry | None
    tag: Tag
    now: datetime
    timing: Timing
    untracked: Untracked
    restored: bool
    accept_restored: bool

    def say(self, action: Callable[..., Action], reason: Reason) -> Action:
        facts = Facts.of(self.row, self.entry, tag=self.tag, now=self.now)
        return action(key=self.key, reason=reason, facts=facts)


def decide(
    row: Upload | None,
    entry: ObjectEntry | None,
    *,
    tag: Tag,
    now: datetime,
    timing: Timing,
    untracked: Untracked = Untracked.REPORT,
    restored: bool = False,
    accept_restored: bool = False,
) -> Action:
    """Decide what to do about one key.

    `entry` None means that the object is known to be absent (NoSuchKey, 404, or not in a listing; for a completed row the
    caller has confirmed it by HEAD). An unknown tag never leads to a deletion: the answer is then LookAtTag. `restored` means
    that a dispute was met and nobody has yet said that the table is no old backup; `accept_restored` says it.
    """
    known = row or entry
    if known is None:
        raise ValueError("decide needs a row or an object")
    case = _Case(known.key, row, entry, tag, now, timing, untracked, restored, accept_restored)
    if row is None:
        return _untracked(case)
    match row.status:
        case Status.PENDING:
            return _pending(case, row)
        case Status.COMPLETED:
            return _completed(case, row)
        case Status.DELETING:
            return _deleting(case, row)
        case Status.QUARANTINED:
            return _quarantined(case, row)
        case Status.DELETED:
            return _deleted(case, row)
        case _:  # pragma: no cover
            assert_never(row.status)


def _untracked(case: _Case) -> Action:
    entry = case.entry
    # Unknown age counts as young: its row may be a moment away.
    if entry is None or entry.last_modified is None or case.now - entry.last_modified < case.timing.retention:
        return case.say(Keep, Reason.TOO_YOUNG)
    # Somebody completed it, but the table does not know: a lost commit, never garbage.
    if case.tag.remembers:
        return case.say(Report, Reason.DISPUTED)
    # Another deployment's own object is nobody's garbage either.
    if case.untracked is Untracked.REPORT or case.tag is Tag.SYSTEM:
        return case.say(Report, Reason.UNTRACKED)
    # Asked to act, but not without a known tag.
    if case.tag is Tag.UNKNOWN:
        return case.say(LookAtTag, Reason.TAG_NEEDED)
    # Its row may have been lost with a restored backup while it was being completed.
    if case.tag is Tag.COMPLETING:
        return case.say(Report, Reason.HELD_BACK)
    return case.say(DeleteUntracked if case.untracked is Untracked.DELETE else Quarantine, Reason.UNTRACKED)


def _pending(case: _Case, row: Upload) -> Action:
    if case.now < row.due_at:
        if case.entry is None:
            return case.say(Keep, Reason.AWAITING_UPLOAD)
        # Only a listing knows the facts worth recording.
        if row.stored_at is None and case.entry.etag is not None:
            return case.say(RecordStored, Reason.STORED)
        return case.say(Keep, Reason.AWAITING_COMPLETION)
    if case.entry is None:
        return case.say(Tombstone, Reason.NEVER_UPLOADED)
    if case.tag is Tag.COMPLETING:
        return _was_completing(case, row)
    return _due(case, Reason.ABANDONED)


def _was_completing(case: _Case, row: Upload) -> Action:
    # A completion that was rolled back, or one whose commit a restored backup has lost. They look alike.
    if case.accept_restored:
        return case.say(Delete, Reason.ABANDONED)
    if case.restored:
        return case.say(Report, Reason.HELD_BACK)
    # One more retention: by then every upload of the backup's time is due, and a dispute would have shown itself.
    if row.reason != Reason.WAS_COMPLETING.value:
        return case.say(HoldBack, Reason.WAS_COMPLETING)
    return case.say(Delete, Reason.ABANDONED)


def _due(case: _Case, reason: Reason, deletion: Callable[..., Action] = Delete) -> Action:
    # Two votes to delete: the row has spoken, now the tag.
    if case.tag is Tag.UNKNOWN:
        return case.say(LookAtTag, Reason.TAG_NEEDED)
    # The tag remembers a completion that the row does not: the table lost a commit.
    if case.tag.remembers:
        return case.say(Report, Reason.DISPUTED)
    return case.say(deletion, reason)


def _completed(case: _Case, row: Upload) -> Action:
    entry = case.entry
    if entry is None:
        return case.say(Report, Reason.MISSING)
    # The object is not the one that was completed: keep it from the lifecycle rule, tell somebody.
    if entry.etag is not None and entry.etag != row.etag:
        return _changed(case)
    if row.settled_at is None or _touched(case, row) or case.tag not in (Tag.UNKNOWN, Tag.COMPLETED):
        return case.say(Settle, Reason.UNSETTLED)
    confirm_at = case.timing.confirm_at(row)
    if row.confirmed_at is None and confirm_at is not None and confirm_at <= case.now:
        return case.say(Confirm, Reason.UNCONFIRMED)
    return case.say(Keep, Reason.IN_SYNC)


def _changed(case: _Case) -> Action:
    if case.tag is Tag.UNKNOWN:
        return case.say(LookAtTag, Reason.TAG_NEEDED)
    return case.say(Report if case.tag is Tag.CHANGED else MarkChanged, Reason.CHANGED)


def _touched(case: _Case, row: Upload) -> bool:
    """Say whether the object was written again, with the same bytes, after it was settled."""
    known = [moment for moment in (row.completed_at, row.settled_at) if moment is not None]
    modified = case.entry.last_modified if case.entry else None
    return modified is not None and bool(known) and modified > max(known) + case.timing.skew


def _deleting(case: _Case, row: Upload) -> Action:
    if case.now < row.due_at:
        return case.say(Keep, Reason.RELEASED)
    return case.say(FinishDeletion, Reason.GRACE_OVER)


def _quarantined(case: _Case, row: Upload) -> Action:
    if case.now < row.due_at:
        return case.say(Keep, Reason.QUARANTINED)
    if case.entry is None:
        return case.say(Tombstone, Reason.UNTRACKED)
    return _due(case, Reason.UNTRACKED)


def _deleted(case: _Case, row: Upload) -> Action:
    if case.entry is not None:
        return _due(case, Reason.LATE_ARRIVAL, DeleteLateArrival)
    forget_at = case.timing.forget_at(row)
    if forget_at is not None and forget_at <= case.now:
        return case.say(Forget, Reason.OUTLIVED)
    return case.say(Keep, Reason.TOMBSTONE)


class Rung(NamedTuple):
    """One line of the published table, and an example that must lead to it."""

    row: str
    object: str
    condition: str
    action: type[Any]
    reason: Reason


TABLE = (
    Rung("none", "there", "younger than the minimum age, or age unknown", Keep, Reason.TOO_YOUNG),
    Rung("none", "there", "older, tag completed or changed", Report, Reason.DISPUTED),
    Rung("none", "there", "older, any other tag", Report, Reason.UNTRACKED),
    Rung("none", "there", "older, quarantine or delete asked for, tag unknown", LookAtTag, Reason.TAG_NEEDED),
    Rung("none", "there", "older, quarantine or delete asked for, tag completing", Report, Reason.HELD_BACK),
    Rung("none", "there", "older, quarantine asked for, tag known", Quarantine, Reason.UNTRACKED),
    Rung("none", "there", "older, delete asked for, tag known", DeleteUntracked, Reason.UNTRACKED),
    Rung("pending", "none", "before due_at", Keep, Reason.AWAITING_UPLOAD),
    Rung("pending", "none", "due", Tombstone, Reason.NEVER_UPLOADED),
    Rung("pending", "there", "before due_at, not yet recorded as stored", RecordStored, Reason.STORED),
    Rung("pending", "there", "before due_at, recorded", Keep, Reason.AWAITING_COMPLETION),
    Rung("pending", "there", "due, tag unknown", LookAtTag, Reason.TAG_NEEDED),
    Rung("pending", "there", "due, tag completed or changed", Report, Reason.DISPUTED),
    Rung("pending", "there", "due, tag completing, for the first time", HoldBack, Reason.WAS_COMPLETING),
    Rung("pending", "there", "due, tag completing, for the second time", Delete, Reason.ABANDONED),
    Rung("pending", "there", "due, tag completing, a dispute was met", Report, Reason.HELD_BACK),
    Rung("pending", "there", "due, any other tag", Delete, Reason.ABANDONED),
    Rung("completed", "none", "confirmed by HEAD 404", Report, Reason.MISSING),
    Rung("completed", "other etag", "tag unknown", LookAtTag, Reason.TAG_NEEDED),
    Rung("completed", "other etag", "not yet tagged changed", MarkChanged, Reason.CHANGED),
    Rung("completed", "other etag", "tagged changed", Report, Reason.CHANGED),
    Rung(
        "completed",
        "same etag",
        "not settled, written again since, or tag known and not completed",
        Settle,
        Reason.UNSETTLED,
    ),
    Rung("completed", "same etag", "settled, not confirmed, time to confirm", Confirm, Reason.UNCONFIRMED),
    Rung("completed", "same etag", "confirmed, or not yet time to", Keep, Reason.IN_SYNC),
    Rung("deleting", "any", "before its grace is over", Keep, Reason.RELEASED),
    Rung("deleting", "any", "grace over", FinishDeletion, Reason.GRACE_OVER),
    Rung("quarantined", "any", "before due_at", Keep, Reason.QUARANTINED),
    Rung("quarantined", "none", "due", Tombstone, Reason.UNTRACKED),
    Rung("quarantined", "there", "due, tag unknown", LookAtTag, Reason.TAG_NEEDED),
    Rung("quarantined", "there", "due, tag completed or changed", Report, Reason.DISPUTED),
    Rung("quarantined", "there", "due, any other tag", Delete, Reason.UNTRACKED),
    Rung("deleted", "there", "tag unknown", LookAtTag, Reason.TAG_NEEDED),
    Rung("deleted", "there", "tag completed or changed", Report, Reason.DISPUTED),
    Rung("deleted", "there", "any other tag", DeleteLateArrival, Reason.LATE_ARRIVAL),
    Rung("deleted", "none", "a URL could still be in use", Keep, Reason.TOMBSTONE),
    Rung("deleted", "none", "tombstone outlived every URL", Forget, Reason.OUTLIVED),
)
