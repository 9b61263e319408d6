"""What lies at each key of a bucket in memory, and, once it keeps versions, what lay there before.

A bucket that never kept versions has one version of each object, called `null`. Where versions are kept each put adds one, and a
delete adds a marker; where that is suspended both replace the version `null` and leave the others alone (S3 user guide, "Working
with objects in a versioning-suspended bucket").
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from reconciler.core.model import ObjectVersion

NULL = "null"


@dataclass(frozen=True, slots=True)
class MemoryObject:
    """One version of an object."""

    body: bytes
    content_type: str
    tags: Mapping[str, str]
    last_modified: datetime
    version_id: str = NULL

    @property
    def etag(self) -> str:
        """The MD5 of the bytes, as S3 has it for what one PUT has stored."""
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


class History:
    """The versions of every key, oldest first. `enabled` is None while the bucket has never kept versions.

    A delete marker is a None at the end: what lies below it is noncurrent.
    """

    def __init__(self) -> None:
        self.enabled: bool | None = None
        self._stacks: dict[str, list[MemoryObject | None]] = {}
        self._numbers = count(1)

    def present(self) -> Iterable[str]:
        """Return the keys of all current objects."""
        return [key for key in list(self._stacks) if self.current(key)]

    def current(self, key: str) -> MemoryObject | None:
        """Return what lies at the key now."""
        stack = self._stacks.get(key)
        return stack[-1] if stack else None

    def version(self, key: str, version_id: str) -> MemoryObject | None:
        """Return one version, current or not."""
        return next((each for each in self._stacks.get(key, []) if each and each.version_id == version_id), None)

    def versions(self, key: str) -> Sequence[ObjectVersion]:
        """Return every version, newest first."""
        stack = self._stacks.get(key, [])
        return [
            ObjectVersion(
                version_id=each.version_id,
                etag=each.etag,
                size=len(each.body),
                last_modified=each.last_modified,
                current=each is stack[-1],
            )
            for each in reversed(stack)
            if each
        ]

    def put(self, key: str, given: MemoryObject) -> None:
        """Put an object on top."""
        version_id = f"v{next(self._numbers)}" if self.enabled else NULL
        self._stacks[key] = [*self._kept(key), replace(given, version_id=version_id)]

    def change(self, key: str, before: MemoryObject, after: MemoryObject) -> None:
        """Put another value in one version's place."""
        self._stacks[key] = [after if each is before else each for each in self._stacks[key]]

    def delete(self, key: str) -> None:
        """Delete what lies at the key: for good, or under a marker where versions are kept."""
        kept = self._kept(key)
        if kept:
            self._stacks[key] = [*kept, None]
        else:
            self._stacks.pop(key, None)

    def _kept(self, key: str) -> list[MemoryObject | None]:
        """Return what a put or a delete leaves in place."""
        stack = [each for each in self._stacks.get(key, []) if each]
        return [each for each in stack if self.enabled or each.version_id != NULL]
