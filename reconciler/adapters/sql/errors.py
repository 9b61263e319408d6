"""What SQLAlchemy's errors mean here: in our own statements, and in the caller's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from reconciler.errors import (
    ReconcilerError,
    RetryTransactionError,
    TableBusyError,
    TableError,
    TableNotInitialisedError,
    TableUnavailableError,
)

_BUSY = ("database is locked", "database table is locked", "database schema is locked")
_MISSING = "no such table"  # SQLite's words; a driver with SQLSTATEs says it by state
_MISSING_STATES = ("42P01", "3F000")  # undefined_table, invalid_schema_name
_UNWRITABLE = ("readonly database", "attempt to write", "disk is full", "database or disk is full")
# SQLSTATE 40001 serialization_failure, 40P01 deadlock_detected, 55P03 lock_not_available (PostgreSQL manual, appendix A)
_RETRY_STATES = ("40001", "40P01", "55P03")


@contextmanager
def mapped(*, joined: bool = False) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ours; `joined` in the caller's transaction, where being busy means: run it again."""
    try:
        yield
    except PoolTimeoutError as error:
        raise TableUnavailableError("no database connection became free in time") from error
    except DBAPIError as error:
        raise _meaning(error, joined=joined) from error


def _meaning(error: DBAPIError, *, joined: bool) -> ReconcilerError:
    text = str(error.orig).strip()
    plain = text.splitlines()[0] if text else type(error.orig).__name__
    state = getattr(error.orig, "sqlstate", None)
    if any(words in plain.lower() for words in _BUSY) or state in _RETRY_STATES:
        return RetryTransactionError(f"the transaction met another writer: {plain}") if joined else TableBusyError()
    if _MISSING in plain.lower() or state in _MISSING_STATES:
        return TableNotInitialisedError()
    if any(words in plain.lower() for words in _UNWRITABLE):
        return TableError(f"the table cannot be written: {plain}")
    if isinstance(error, OperationalError | InterfaceError):
        return TableUnavailableError(f"the table's database cannot be used: {plain}")
    return TableError(f"the table refused the statement: {plain}")
