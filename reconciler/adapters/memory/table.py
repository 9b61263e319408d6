"""The state table in memory: one transaction at a time, over copied rows."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from reconciler.core.model import Binding, Run, Upload
from reconciler.core.rows import Move, Where
from reconciler.errors import TableNotInitialisedError, TransactionError


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
