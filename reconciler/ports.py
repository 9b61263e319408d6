"""The borders of the use cases, as Protocols: what they need of S3, of the table, of a clock and of a journal.

Reading and writing are apart, so that a planner which writes is a type error. Every adapter passes the conformance suites
of `reconciler.testing`. Unless a verb says otherwise, each may raise StoreUnavailableError, AccessDeniedError and
BucketNotFoundError (the S3 ports) or TableError and its children (the table ports).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from reconciler.core.dialects import Findings
from reconciler.core.model import Binding, ObjectEntry, ObjectFacts, ObjectVersion, Run, Upload
from reconciler.core.parts import Configuration, PartName
from reconciler.core.rows import Move, Where


class Clock(Protocol):
    """The time that the table's conditions are compared with. Any number of threads may ask at once."""

    def now(self) -> datetime:
        """Return the present moment as aware UTC, cheaply: a plan asks for every key. May raise TableError."""
        ...


# S3


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


class BucketConfiguration(Protocol):
    """The bucket's own configuration, part by part. Each verb may raise NotSupportedError, where the store does not know such."""

    def read(self, name: PartName) -> Configuration:
        """Return a part as it is now, in the store's words. A denied read raises; it is never an empty configuration."""
        ...

    def write(self, name: PartName, configuration: Configuration) -> None:
        """Replace a part as a whole, with what else it holds. One without items is removed."""
        ...

    def versioning(self) -> str:
        """Return `Enabled`, `Suspended`, or nothing where versions were never kept."""
        ...

    def access_block(self) -> Mapping[str, bool]:
        """Return the switches of block-public-access by S3's names; none where nothing was set."""
        ...

    def ownership(self) -> str:
        """Return who owns new objects, in S3's word; nothing where nothing was set."""
        ...


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


# The table


class TableReader(Protocol):
    """What may be asked of the table, always of its primary."""

    def get(self, key: str) -> Upload | None:
        """Return one row."""
        ...

    def get_many(self, keys: Collection[str]) -> dict[str, Upload]:
        """Return the rows that exist, by key."""
        ...

    def select(self, where: Where, *, order: str = "key", after: Upload | None = None, limit: int) -> list[Upload]:
        """Return a page of rows in the order of a column and then the key, beginning behind `after`.

        The column must hold a value in every row that `where` selects.
        """
        ...

    def between(self, after: str, upto: str | None, *, limit: int) -> list[Upload]:
        """Return a page of rows with `after < key <= upto` in key order (bytes of UTF-8, as S3 sorts)."""
        ...

    def count(self, where: Where) -> int:
        """Count the rows."""
        ...

    def binding(self) -> Binding | None:
        """Return what this table is bound to; None before it is bound."""
        ...

    def disputed(self) -> bool:
        """Say whether a dispute was met since somebody last said that the table is no old backup."""
        ...


class TableWriter(Protocol):
    """What may be done to the table. Each verb is its own transaction, committed when it returns."""

    def insert(self, row: Upload, *, also: tuple[str, Move] | None = None) -> bool:
        """Insert a new row, and move another one in the same transaction. False where the key is taken."""
        ...

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move on those of the keys that meet its condition, and return them.

        One with `skip_locked` leaves out rows that another open transaction has locked, where the table locks rows at all.
        """
        ...

    def forget(self, keys: Collection[str], where: Where) -> set[str]:
        """Remove those rows that meet the condition, and return their keys."""
        ...

    def bind(self, binding: Binding, *, overwrite: bool) -> Binding:
        """Write what this table is bound to, unless it is bound and not to be overwritten; return what it is bound to now."""
        ...

    def note_dispute(self, *, disputed: bool) -> None:
        """Note that a dispute was met, or that the operator accepts the table as it is."""
        ...

    def record_run(self, run: Run) -> None:
        """Keep one run."""
        ...


class Transaction(Protocol):
    """A transaction that completions take part in: the caller's, or our own."""

    def get(self, key: str) -> Upload | None:
        """Return one row as this transaction sees it."""
        ...

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move inside the transaction."""
        ...

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Call back once the outermost transaction has committed; False where it cannot be known when."""
        ...


class Table(TableReader, TableWriter, Protocol):
    """The whole table."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction of our own, committed when the block ends well."""
        ...

    def join(self, session: Any) -> Transaction:
        """Take part in the caller's transaction.

        Raises WrongDatabaseError where it belongs to another database, AutocommitError where it is none.
        """
        ...


# The journal


class Journal(Protocol):
    """Where every deletion, and every restoration, is written down: the intent before it, the outcome after it."""

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write lines and flush them to disk before returning; raises JournalError."""
        ...


# Events


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an event source: the source's own handle for it, and what it says."""

    id: str
    body: str


class EventQueue(Protocol):
    """Where events come from, at least once and in any order. Any number of threads may use it at once.

    Each verb may raise EventSourceError.
    """

    @property
    def name(self) -> str:
        """What metrics and logs call it: sqs, webhook, file."""
        ...

    @property
    def patience(self) -> float | None:
        """For how many seconds received messages are ours alone, unless `keep` says more; None for as long as it takes."""
        ...

    def receive(self) -> Sequence[Message] | None:
        """Wait some seconds at most for messages; empty where none came, None where there will never be any more."""
        ...

    def done(self, messages: Sequence[Message]) -> None:
        """Take messages off the queue: they were handled."""
        ...

    def failed(self, messages: Sequence[Message]) -> None:
        """Give messages back: they come again later, until the source puts them where it puts what fails."""
        ...

    def keep(self, messages: Sequence[Message]) -> None:
        """Say that messages are still being worked on."""
        ...

    def close(self) -> None:
        """Take in nothing more; what was taken in and not yet received is still handed over."""
        ...


# Trying a store out


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What S3 answered, be it a refusal: status, the code of an error, and what else came with it."""

    status: int
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300  # noqa: PLR2004  what HTTP calls successful

    @property
    def denied(self) -> bool:
        """Whether it was refused for want of a permission; HEAD has no body, so no code but its status."""
        return self.status == 403 and self.code in ("AccessDenied", "403", "AllAccessDisabled")  # noqa: PLR2004

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip() if self.code != str(self.status) else str(self.status)


class RawStore(Protocol):
    """One bucket, asked directly. A refusal is an answer; only what keeps every request from being answered raises.

    That is StoreUnavailableError where nothing answers, BucketNotFoundError, CredentialsError, SettingsError.
    """

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    @property
    def endpoint(self) -> str:
        """The address of the store."""
        ...

    @property
    def is_aws(self) -> bool:
        """Whether the store is AWS's own."""
        ...

    def ask(self, operation: str, *, old: bool = False, **parameters: Any) -> Answer:
        """Send one request of S3's API about the bucket, such as put_object; signed with SigV2 where `old`."""
        ...

    def presigned(self, operation: str, *, seconds: int = 60, **parameters: Any) -> str:
        """Return the URL of one signed request, with just what the parameters name signed into it."""
        ...

    def form(self, key: str) -> SignedRequest:
        """Sign a form POST to this key, of any size and type and without a tag."""
        ...

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", fields: Any = None
    ) -> Answer:
        """Send a request as a browser would: without any signature but the one in the URL or the form."""
        ...


class FindingsStore(Protocol):
    """Where a bucket keeps what its store makes of the bucket policy, so that nobody has to try it out to know."""

    def read(self) -> Findings | None:
        """Return what was kept; None where nothing was. StoreError where it cannot be understood."""
        ...

    def write(self, findings: Findings) -> None:
        """Keep these instead."""
        ...
