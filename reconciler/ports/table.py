"""The state table: read and written apart, and transactions."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Protocol

from reconciler.core.model import Binding, Run, Upload
from reconciler.core.rows import Move, Where


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
