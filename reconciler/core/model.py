"""The nouns: an upload (one row), an object as S3 shows it, and the states both can be in.

The row is the authority. The object's tag `status` is how S3 (and its lifecycle rule) is told. Everything here is plain,
frozen data; nothing reads a clock, an environment or a network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

STATUS_TAG = "status"
UNTRACKED_OWNER = "reconcile:untracked"  # of rows that stand for objects nobody knows the owner of


class Status(StrEnum):
    """What a row says of its upload."""

    PENDING = "pending"
    COMPLETED = "completed"
    DELETING = "deleting"
    DELETED = "deleted"
    QUARANTINED = "quarantined"


class Tag(StrEnum):
    """What the object's tag `status` says; UNKNOWN means that it was not read, NONE that it is not there."""

    UNKNOWN = "unknown"
    NONE = "none"
    PENDING = "pending"
    COMPLETING = "completing"
    COMPLETED = "completed"
    QUARANTINED = "quarantined"
    CHANGED = "changed"
    SYSTEM = "system"
    OTHER = "other"

    @property
    def remembers(self) -> bool:
        """Whether the tag remembers a completion: only completed objects are ever tagged completed, or changed."""
        return self in (Tag.COMPLETED, Tag.CHANGED)


_TAG_VALUES = {tag.value: tag for tag in Tag if tag not in (Tag.UNKNOWN, Tag.NONE, Tag.OTHER)}


def tag_of(tags: Mapping[str, str]) -> Tag:
    """Return what a tag set says; a value that is not ours is OTHER."""
    value = tags.get(STATUS_TAG)
    return Tag.NONE if value is None else _TAG_VALUES.get(value, Tag.OTHER)


def with_status(tags: Mapping[str, str], tag: Tag) -> dict[str, str]:
    """Return the tag set with our tag set and every foreign tag kept."""
    return {**tags, STATUS_TAG: tag.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One row: the intent to put one object at one key. Times are aware UTC, sizes are bytes.

    For PUT `min_size` equals `max_size`: the size that was signed.
    """

    key: str
    bucket: str
    object_url: str
    status: Status
    owner: str
    filename: str | None = None
    declared_type: str | None = None
    min_size: int | None = None
    max_size: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime
    expires_at: datetime
    due_at: datetime
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None
    content_type: str | None = None
    last_modified: datetime | None = None
    stored_at: datetime | None = None
    completed_at: datetime | None = None
    settled_at: datetime | None = None
    confirmed_at: datetime | None = None
    deleted_at: datetime | None = None
    reason: str | None = None
    multipart_id: str | None = None
    replaces: str | None = None

    @property
    def replayable(self) -> bool:
        """Whether it was signed as a form POST, which names a size range and can be sent again until its URL expires."""
        return self.min_size != self.max_size

    @property
    def known_size(self) -> int | None:
        """The object's bytes as far as the row knows: what was stored, or else the exact size that was signed."""
        if self.size is not None:
            return self.size
        return self.max_size if self.min_size == self.max_size else None


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One line of a listing. A finder that does not list knows only the key: the rest is None."""

    key: str
    size: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """One object as a HEAD or a ranged GET shows it; `head` holds its first bytes if they were asked for.

    `expiring_rule` is the lifecycle rule that S3 says will expire the object, if it says so.
    """

    key: str
    size: int
    etag: str
    last_modified: datetime
    content_type: str | None = None
    version_id: str | None = None
    tag_count: int | None = None
    expiring_rule: str | None = None
    head: bytes = b""

    @property
    def entry(self) -> ObjectEntry:
        """The same object as a listing would show it."""
        return ObjectEntry(self.key, self.size, self.etag, self.last_modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of an object on a bucket that keeps versions; a delete marker is none.

    `version_id` is S3's own name for it, `null` for what was stored while no versions were kept. `current`: it is what lies at
    the key now.
    """

    version_id: str
    etag: str
    size: int
    last_modified: datetime
    current: bool = False

    @property
    def pin(self) -> str | None:
        """The version id as rows and facts hold it: None for `null`."""
        return None if self.version_id == "null" else self.version_id


@dataclass(frozen=True, slots=True)
class Binding:
    """Which table belongs to which bucket and prefix."""

    instance_id: str
    bucket: str
    prefix: str


def is_another(marker: Binding | None, binding: Binding) -> bool:
    """Say whether the bucket's marker names another deployment than the table's."""
    return marker is not None and marker != binding


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One application of a plan, kept in the table."""

    id: str
    finder: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    counts: Mapping[str, int]
    bytes_deleted: int
