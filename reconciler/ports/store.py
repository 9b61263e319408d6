"""S3: objects, read and written apart, and signatures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.core.model import Binding, ObjectEntry, ObjectFacts, ObjectVersion


@dataclass(frozen=True, slots=True)
class Target:
    """One exact key to delete; with an etag, only while the object still has it (where the store honours that)."""

    key: str
    etag: str | None = None


class ObjectReader(Protocol):
    """What may be asked of the bucket."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    def pages(self, prefix: str, *, start_after: str = "") -> Iterator[Sequence[ObjectEntry]]:
        """List the prefix in key order, page by page, beginning behind `start_after`."""
        ...

    def head(self, key: str) -> ObjectFacts:
        """Return the current object's facts, or raise ObjectNotFoundError."""
        ...

    def peek(self, key: str, *, length: int) -> ObjectFacts:
        """Return the facts and the first bytes in one request.

        Raises ObjectNotFoundError, or EmptyObjectError where there are no bytes.
        """
        ...

    def tags(self, key: str, *, version_id: str | None = None) -> Mapping[str, str]:
        """Return the tag set of the current object, or of one version; raise ObjectNotFoundError where there is none."""
        ...

    def versions(self, key: str) -> Sequence[ObjectVersion]:
        """Return every version of exactly this key, newest first, delete markers left out.

        Raises NotVersionedError where the bucket has never kept versions.
        """
        ...

    def marker(self, key: str) -> tuple[Binding | None, datetime | None]:
        """Return the binding the marker object holds (None where there is none), and S3's own time."""
        ...


class ObjectWriter(Protocol):
    """What may be done to the bucket's objects. Only exact keys, never a prefix."""

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        """Replace the whole tag set, or raise ObjectNotFoundError."""
        ...

    def copy_back(self, key: str, version_id: str, *, tags: Mapping[str, str]) -> str:
        """Put the bytes of one version on top again, with its type and metadata and these tags; return the new etag.

        The version must have been tagged so before: some stores copy its tags, whatever they are told. Raises
        ObjectNotFoundError where there is no such version.
        """
        ...

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        """Delete the objects and return an error text for each key that was *not* confirmed as gone.

        An absent key counts as gone. Idempotent. A request that fails as a whole may raise, or name every key.
        """
        ...

    def put_marker(self, key: str, binding: Binding, *, overwrite: bool) -> None:
        """Write the marker object, tagged `system`; without `overwrite` only where there is none."""
        ...


class Objects(ObjectReader, ObjectWriter, Protocol):
    """Both sides of the bucket, for those who complete and apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a signer hands back: for PUT the headers that must be sent, for POST the form fields."""

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Mapping[str, str]


class Signer(Protocol):
    """Signs uploads with SigV4. Local: no request is sent (a refresh of role credentials apart)."""

    def put(self, key: str, *, content_type: str, size: int, seconds: int) -> SignedRequest:
        """Sign a PUT of exactly this size and type, tagged pending, that creates and never overwrites."""
        ...

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        """Sign a form POST of this type and a size in this range, tagged pending."""
        ...

    def object_url(self, key: str) -> str:
        """Return the object's address, without any signature."""
        ...
