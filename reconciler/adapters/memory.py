"""S3, table and signer in memory: for tests of your own, and the reference that the conformance suites compare with.

They behave as the real ones do where the protocol looks: tags are replaced whole, an absent key is an error, an empty object
has no first byte, a Move is atomic, a transaction that fails leaves nothing behind.
"""

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from reconciler.core.documents import Rule
from reconciler.core.model import Binding, ObjectEntry, ObjectFacts, Run, Upload
from reconciler.core.rows import Move, Where
from reconciler.errors import (
    BucketNotFoundError,
    EmptyObjectError,
    ObjectNotFoundError,
    TableNotInitialisedError,
    TransactionError,
)
from reconciler.ports import Clock, SignedRequest, Target

PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    content_type: str
    tags: Mapping[str, str]
    last_modified: datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


class MemoryObjects:
    """A bucket in memory. `put` stands for what a browser or anybody else does to it."""

    def __init__(self, bucket: str, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._objects: dict[str, _Object] = {}
        self._markers: dict[str, Binding] = {}
        self.exists = True

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def put(self, key: str, body: bytes, *, content_type: str = "", tags: Mapping[str, str] | None = None) -> None:
        """Store an object, overwriting what was there, tags and all."""
        self._objects[key] = _Object(body, content_type, dict(tags or {}), self._clock.now())

    def body(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self._found(key).body

    def pages(self, prefix: str, *, start_after: str = "") -> Iterator[Sequence[ObjectEntry]]:
        """List the prefix in key order, page by page."""
        self._check_bucket()
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > start_after)
        for start in range(0, len(keys), PAGE):
            yield [self._entry(key) for key in keys[start : start + PAGE] if key in self._objects]

    def head(self, key: str) -> ObjectFacts:
        """Return the current object's facts."""
        return self._facts(key)

    def peek(self, key: str, *, length: int) -> ObjectFacts:
        """Return the facts and the first bytes."""
        facts = self._facts(key)
        if not facts.size:
            raise EmptyObjectError
        return replace(facts, head=self._found(key).body[:length])

    def tags(self, key: str) -> Mapping[str, str]:
        """Return the current object's tag set."""
        return dict(self._found(key).tags)

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:  # noqa: ARG002
        """Replace the whole tag set."""
        self._objects[key] = replace(self._found(key), tags=dict(tags))

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        """Delete the objects; one whose etag has changed stays."""
        self._check_bucket()
        errors = {}
        for target in targets:
            found = self._objects.get(target.key)
            if found and target.etag and found.etag != target.etag:
                errors[target.key] = "PreconditionFailed"
            else:
                self._objects.pop(target.key, None)
        return errors

    def marker(self, key: str) -> tuple[Binding | None, datetime | None]:
        """Return what the marker object says."""
        self._check_bucket()
        return self._markers.get(key), self._clock.now()

    def put_marker(self, key: str, binding: Binding, *, overwrite: bool) -> None:
        """Write the marker object."""
        self._check_bucket()
        if overwrite or key not in self._markers:
            self._markers[key] = binding
            self.put(key, binding.instance_id.encode(), tags={"status": "system"})

    def _check_bucket(self) -> None:
        if not self.exists:
            raise BucketNotFoundError

    def _found(self, key: str) -> _Object:
        self._check_bucket()
        try:
            return self._objects[key]
        except KeyError as error:
            raise ObjectNotFoundError(f"looking at {key}: NoSuchKey") from error

    def _entry(self, key: str) -> ObjectEntry:
        found = self._objects[key]
        return ObjectEntry(key, len(found.body), found.etag, found.last_modified)

    def _facts(self, key: str) -> ObjectFacts:
        found = self._found(key)
        return ObjectFacts(
            key=key,
            size=len(found.body),
            etag=found.etag,
            last_modified=found.last_modified,
            content_type=found.content_type,
            tag_count=len(found.tags) or None,
        )


class MemoryLifecycle:
    """A bucket's lifecycle configuration in memory."""

    def __init__(self, rules: Sequence[Rule] = (), *, versioned: bool = False) -> None:
        self._rules = list(rules)
        self._is_versioned = versioned

    def versioned(self) -> bool:
        """Say what the bucket was made as."""
        return self._is_versioned

    def rules(self) -> list[Rule]:
        """Return every rule."""
        return list(self._rules)

    def put_rules(self, rules: Sequence[Rule]) -> None:
        """Replace every rule."""
        self._rules = list(rules)


class MemorySigner:
    """Makes requests that look signed, to addresses that do not exist."""

    def __init__(self, bucket: str) -> None:
        self._base = f"https://{bucket}.s3.invalid/"

    def put(self, key: str, *, content_type: str, size: int, seconds: int) -> SignedRequest:  # noqa: ARG002
        """Return a PUT request."""
        signed = "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-tagging"
        query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={seconds}&X-Amz-SignedHeaders={signed}"
        headers = {"Content-Type": content_type, "If-None-Match": "*", "x-amz-tagging": "status=pending"}
        return SignedRequest(method="PUT", url=f"{self.object_url(key)}?{query}", headers=headers, fields={})

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        """Refuse: a policy that nobody signed would promise what nobody checks."""
        raise NotImplementedError

    def object_url(self, key: str) -> str:
        """Return an address."""
        return self._base + quote(key)


class MemoryTransaction:
    """A transaction over copied rows; they take the table's place when it commits."""

    def __init__(self, rows: dict[str, Upload]) -> None:
        self.rows = rows
        self.callbacks: list[Callable[[], object]] = []

    def get(self, key: str) -> Upload | None:
        """Return one row as this transaction sees it."""
        return self.rows.get(key)

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move."""
        moved = {key for key in keys if key in self.rows and move.where.holds(self.rows[key])}
        for key in moved:
            self.rows[key] = replace(self.rows[key], **move.sets)
        return moved

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Call back once the transaction has committed."""
        self.callbacks.append(callback)
        return True


class MemoryTable:
    """The state table in memory. One transaction at a time."""

    def __init__(self) -> None:
        self._rows: dict[str, Upload] = {}
        self._binding: Binding | None = None
        self._disputed = False
        self._lock = threading.RLock()
        self.runs: dict[str, Run] = {}

    def get(self, key: str) -> Upload | None:
        """Return one row."""
        return self._rows.get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, Upload]:
        """Return the rows that exist, by key."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    def select(self, where: Where, *, order: str = "key", after: Upload | None = None, limit: int) -> list[Upload]:
        """Return a page of rows in the order of a column and then the key."""

        def place(row: Upload) -> tuple[Any, str]:
            return getattr(row, order), row.key

        found = sorted((row for row in self._rows.values() if where.holds(row)), key=place)
        return [row for row in found if after is None or place(row) > place(after)][:limit]

    def between(self, after: str, upto: str | None, *, limit: int) -> list[Upload]:
        """Return a page of a range of keys."""
        keys = sorted(key for key in self._rows if after < key and (upto is None or key <= upto))
        return [self._rows[key] for key in keys[:limit]]

    def count(self, where: Where) -> int:
        """Count the rows."""
        return sum(where.holds(row) for row in self._rows.values())

    def binding(self) -> Binding | None:
        """Return what this table is bound to."""
        return self._binding

    def insert(self, row: Upload, *, also: tuple[str, Move] | None = None) -> bool:
        """Insert a new row, and move another in the same transaction."""
        with self.begin() as transaction:
            if row.key in transaction.rows:
                return False
            transaction.rows[row.key] = row
            if also is not None:
                transaction.move([also[0]], also[1])
            return True

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move."""
        with self.begin() as transaction:
            return transaction.move(keys, move)

    def forget(self, keys: Collection[str], where: Where) -> set[str]:
        """Remove rows."""
        with self.begin() as transaction:
            gone = {key for key in keys if key in transaction.rows and where.holds(transaction.rows[key])}
            for key in gone:
                del transaction.rows[key]
            return gone

    def bind(self, binding: Binding, *, overwrite: bool) -> Binding:
        """Write what this table is bound to."""
        if overwrite or self._binding is None:
            self._binding = binding
        return self._binding

    def disputed(self) -> bool:
        """Say whether a dispute was noted."""
        return self._disputed

    def note_dispute(self, *, disputed: bool) -> None:
        """Note a dispute, or that it is over."""
        self._disputed = disputed

    def record_run(self, run: Run) -> None:
        """Keep one run."""
        self.runs[run.id] = run

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        """Begin a transaction of our own."""
        with self._lock:
            transaction = MemoryTransaction(dict(self._rows))
            yield transaction
            self._rows = transaction.rows
        for callback in transaction.callbacks:
            callback()

    def join(self, session: Any) -> MemoryTransaction:
        """Take part in a transaction that `begin` of this table gave."""
        if self._binding is None:
            raise TableNotInitialisedError
        if not isinstance(session, MemoryTransaction):
            raise TransactionError(f"session is a {type(session).__name__}", hint="hand over what begin() gave")
        return session
