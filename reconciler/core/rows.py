"""Which rows, and what becomes of them: every read and every conditional write on the table, as data.

A Move is one compare-and-set: it names the state a row must be in and what it then becomes. This is where races are
decided, so all of the protocol's transitions stand here, side by side, and each adapter only has to know how to carry out
a Move, not which ones there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from reconciler.core.actions import Reason
from reconciler.core.model import ObjectEntry, ObjectFacts, ObjectVersion, Status, Upload
from reconciler.core.timing import Timing

COLUMNS = tuple(column.name for column in fields(Upload))
DISPUTABLE = (Status.PENDING, Status.QUARANTINED, Status.DELETED)
LIVE = (Status.PENDING, Status.COMPLETED, Status.DELETING, Status.QUARANTINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which rows. Every condition must hold.

    Attributes:
        statuses: the row's status is one of these; empty means any.
        equals: columns that equal a value; None means NULL.
        until: columns at or before a moment.
        after: columns later than a moment.
    """

    statuses: tuple[Status, ...] = ()
    equals: Mapping[str, Any] = field(default_factory=dict)
    until: Mapping[str, datetime] = field(default_factory=dict)
    after: Mapping[str, datetime] = field(default_factory=dict)

    def holds(self, row: Upload) -> bool:
        """Say whether one row meets every condition."""
        return (
            (not self.statuses or row.status in self.statuses)
            and all(getattr(row, name) == value for name, value in self.equals.items())
            and all(_at(row, name) is not None and _at(row, name) <= end for name, end in self.until.items())
            and all(_at(row, name) is not None and _at(row, name) > start for name, start in self.after.items())
        )


def _at(row: Upload, name: str) -> Any:
    return getattr(row, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One conditional write: rows that meet `where` get the values of `sets`.

    Attributes:
        where: the state that a row must be in.
        sets: what it becomes.
        skip_locked: leave out, and never wait for, a row that another open transaction has locked. For what can as well be
            done by the next run: a completion that is about to be committed must not hold up a sweep, nor the other way
            round. Tables that lock as a whole, or not at all, take no notice.
    """

    where: Where
    sets: Mapping[str, Any]
    skip_locked: bool = False


EVERY = Where()


# Which rows a sweep looks at


def due(now: datetime) -> Where:
    """Rows past their deadline that nobody has claimed."""
    return Where(statuses=(Status.PENDING, Status.QUARANTINED), until={"due_at": now})


def unfinished(now: datetime) -> Where:
    """Claimed or released rows whose grace is over."""
    return Where(statuses=(Status.DELETING,), until={"due_at": now})


def untracked() -> Where:
    """Claimed rows that stand for objects which had none."""
    return Where(statuses=(Status.DELETING,), equals={"reason": Reason.UNTRACKED.value})


def unsettled() -> Where:
    """Completed rows that S3 was not told of."""
    return Where(statuses=(Status.COMPLETED,), equals={"settled_at": None})


def unconfirmed(now: datetime, timing: Timing) -> Where:
    """Settled rows whose tag is to be looked at once more."""
    return Where(
        statuses=(Status.COMPLETED,),
        equals={"confirmed_at": None},
        until={"settled_at": now - timing.settle_wait, "expires_at": now - timing.slowest_transfer},
    )


def outlived(now: datetime, timing: Timing) -> Where:
    """Tombstones that have outlived every URL for their key."""
    oldest = now - timing.tombstone_life - timing.slowest_transfer
    return Where(statuses=(Status.DELETED,), until={"deleted_at": oldest, "expires_at": oldest})


# What becomes of them


def complete(facts: ObjectFacts, *, owner: str, now: datetime) -> Move:
    """Pending to completed, before the deadline: the commit record of the two-phase commit."""
    return Move(
        where=Where(statuses=(Status.PENDING,), equals={"owner": owner}, after={"due_at": now}),
        sets={"status": Status.COMPLETED, "completed_at": now, **_stored(facts, now)},
    )


def adopt(facts: ObjectFacts, *, owner: str, now: datetime) -> Move:
    """To completed by the operator's word, deadline or not: the table had lost a commit."""
    return Move(where=Where(statuses=DISPUTABLE), sets=_adopted(facts, owner, now))


def take_back(facts: ObjectFacts, *, owner: str, now: datetime, timing: Timing) -> Move:
    """Released to completed by the operator's word, while no sweep can have begun to delete it."""
    return Move(where=Where(statuses=(Status.DELETING,), after={"due_at": now + timing.skew}), sets=_adopted(facts, owner, now))


def accept(facts: ObjectFacts, *, was: str | None, now: datetime) -> Move:
    """Take the object that replaced the completed one for the completed one."""
    return Move(
        where=Where(statuses=(Status.COMPLETED,), equals={"etag": was}),
        sets={**_stored(facts, now), "settled_at": None, "confirmed_at": None},
    )


def restore(row: Upload, version: ObjectVersion, *, owner: str, now: datetime) -> Move:
    """A tombstone, or a completed row whose object is gone or another, to completed with the bytes of one version; unsettled.

    Row first: a crash before the object is back leaves a completed row without it, which is reported and restored again.
    """
    return Move(
        where=Where(statuses=(row.status,), equals={"etag": row.etag, "deleted_at": row.deleted_at}),
        sets={
            "status": Status.COMPLETED,
            "owner": owner,
            "completed_at": row.completed_at or now,
            "settled_at": None,
            "confirmed_at": None,
            "deleted_at": None,
            "reason": None,
            "etag": version.etag,
            "version_id": version.pin,
            "size": version.size,
            "last_modified": version.last_modified,
            "stored_at": row.stored_at or now,
        },
    )


def supersede(*, owner: str, due_at: datetime) -> Move:
    """Bring a pending predecessor's deadline forward."""
    return Move(
        where=Where(statuses=(Status.PENDING,), equals={"owner": owner}, after={"due_at": due_at}),
        sets={"due_at": due_at},
        skip_locked=True,  # the caller himself may be about to complete it: waiting for him would be for ever
    )


def release(*, owner: str | None, due_at: datetime) -> Move:
    """Completed to deleting: the application no longer refers to the object. Without an owner it is the operator's word."""
    return Move(
        where=Where(statuses=(Status.COMPLETED,), equals={} if owner is None else {"owner": owner}),
        sets={"status": Status.DELETING, "due_at": due_at, "reason": Reason.RELEASED.value},
    )


def release_disputed(*, due_at: datetime) -> Move:
    """To deleting, although the tag says completed: the operator takes the table's side."""
    return Move(
        where=Where(statuses=DISPUTABLE),
        sets={"status": Status.DELETING, "due_at": due_at, "reason": Reason.RELEASED.value},
    )


def claim(reason: Reason, *, now: datetime) -> Move:
    """Due to deleting: from here the deletion is ours, and complete can no longer win."""
    return Move(where=due(now), sets={"status": Status.DELETING, "reason": reason.value}, skip_locked=True)


def bury_absent(reason: Reason, *, now: datetime) -> Move:
    """Due to deleted, where no object ever came."""
    return Move(where=due(now), sets={"status": Status.DELETED, "deleted_at": now, "reason": reason.value}, skip_locked=True)


def bury(*, now: datetime) -> Move:
    """Deleting to deleted, after S3 has confirmed the deletion. What is a fact already is worth waiting for a lock."""
    return Move(where=Where(statuses=(Status.DELETING,)), sets={"status": Status.DELETED, "deleted_at": now})


def claim_late(*, now: datetime) -> Move:
    """Deleted to deleting once more, for an object that came after its row was deleted."""
    return Move(
        where=Where(statuses=(Status.DELETED,)),
        sets={"status": Status.DELETING, "due_at": now, "reason": Reason.LATE_ARRIVAL.value},
        skip_locked=True,
    )


def hold_back(*, due_at: datetime, now: datetime) -> Move:
    """Give a due upload that was being completed one more retention, and note that it had it."""
    return Move(
        where=Where(statuses=(Status.PENDING,), equals={"reason": None}, until={"due_at": now}),
        sets={"reason": Reason.WAS_COMPLETING.value, "due_at": due_at, "stored_at": now},
        skip_locked=True,
    )


def record_stored(entry: ObjectEntry, *, now: datetime) -> Move:
    """Note that the object has arrived, once."""
    return Move(
        where=Where(statuses=(Status.PENDING,), equals={"stored_at": None}),
        sets={"stored_at": now, "etag": entry.etag, "size": entry.size, "last_modified": entry.last_modified},
        skip_locked=True,
    )


def settled(*, etag: str | None, version_id: str | None, now: datetime) -> Move:
    """S3 has been told, of this version; whoever confirmed before looks again."""
    return Move(
        where=Where(statuses=(Status.COMPLETED,), equals={"etag": etag}),
        sets={"version_id": version_id, "settled_at": now, "confirmed_at": None},
        skip_locked=True,  # a request may settle while it is about to release the same row: the sweep settles again
    )


def confirmed(*, settled_at: datetime | None, now: datetime) -> Move:
    """The tag was still there when it was looked at once more."""
    return Move(
        where=Where(statuses=(Status.COMPLETED,), equals={"settled_at": settled_at, "confirmed_at": None}),
        sets={"confirmed_at": now},
        skip_locked=True,
    )


def _stored(facts: ObjectFacts, now: datetime) -> dict[str, Any]:
    return {
        "etag": facts.etag,
        "version_id": facts.version_id,
        "size": facts.size,
        "content_type": facts.content_type,
        "last_modified": facts.last_modified,
        "stored_at": now,
    }


def _adopted(facts: ObjectFacts, owner: str, now: datetime) -> dict[str, Any]:
    return {
        "status": Status.COMPLETED,
        "owner": owner,
        "completed_at": now,
        "settled_at": None,
        "confirmed_at": None,
        "deleted_at": None,
        "reason": None,
        **_stored(facts, now),
    }
