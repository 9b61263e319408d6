"""Rows, objects, actions and plans for unit tests: sensible by default, and only what a test is about is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.actions import Delete, Facts, Reason, Report
from reconciler.core.model import Binding, ObjectEntry, ObjectFacts, Status, Tag, Upload
from reconciler.core.plan import Finder, Plan, PlanOptions, Seen

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
BUCKET = "photos"
PREFIX = "uploads/"
KEY = "uploads/2026/11/20/0b5c3c1e-6f0e-4c53-9f0a-3f6f1a2b3c4d.jpg"
ETAG = "etag-of-what-was-completed"
OTHER_ETAG = "etag-of-something-else"
BINDING = Binding("instance-1", BUCKET, PREFIX)


def upload(status: Status = Status.PENDING, **given: Any) -> Upload:
    """A row of two days ago, past its deadline, its URL long dead."""
    values: dict[str, Any] = {
        "key": KEY,
        "bucket": BUCKET,
        "object_url": f"https://photos.invalid/{KEY}",
        "owner": "user:42",
        "created_at": NOW - 2 * DAY,
        "expires_at": NOW - 2 * DAY + 15 * MINUTE,
        "due_at": NOW - DAY,
        "etag": ETAG,
    }
    return Upload(status=status, **{**values, **given})


def completed(**given: Any) -> Upload:
    """A row completed, settled and confirmed yesterday."""
    moments = {"completed_at": NOW - DAY, "settled_at": NOW - DAY, "confirmed_at": NOW - DAY + 2 * HOUR}
    return upload(Status.COMPLETED, **{**moments, **given})


def listed(etag: str | None = ETAG, **given: Any) -> ObjectEntry:
    """An object stored two days ago, as a listing shows it."""
    return ObjectEntry(**{"key": KEY, "size": 1000, "etag": etag, "last_modified": NOW - 2 * DAY, **given})


def looked_at(**given: Any) -> ObjectFacts:
    """The same object as a HEAD shows it."""
    values = {"key": KEY, "size": 1000, "etag": ETAG, "last_modified": NOW - 2 * DAY, "content_type": "image/jpeg"}
    return ObjectFacts(**{**values, **given})


def facts(**given: Any) -> Facts:
    """What a deletion is usually decided on."""
    return Facts(**{"status": Status.PENDING, "present": True, "tag": Tag.PENDING, "seen_at": NOW, "size": 1000, **given})


def deletion(number: int = 0, **given: Any) -> Delete:
    return Delete(key=f"{PREFIX}{number:05}", reason=Reason.ABANDONED, facts=facts(**given))


def report(number: int = 0, reason: Reason = Reason.DISPUTED) -> Report:
    return Report(key=f"{PREFIX}r{number:05}", reason=reason, facts=facts(tag=Tag.COMPLETED))


def plan(*actions: Any, finder: Finder = Finder.SWEEP, seen: Seen | None = None, **given: Any) -> Plan:
    """A plan made now for the table and bucket of BINDING, by a finder that saw a thousand rows."""
    values = {"options": PlanOptions(), "instance_id": BINDING.instance_id, "bucket": BUCKET, "prefix": PREFIX, "created_at": NOW}
    return Plan(id="plan-1", finder=finder, seen=seen or Seen(rows=1000), actions=actions, **{**values, **given})
