"""What SQLAlchemy's errors mean here: in our own statements, and in the caller's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from reconciler.errors import (
    ReconcilerError,
    RetryTransactionError,
    TableBusyError,
    TableError,
    TableNotInitialisedError,
    TableUnavailableError,
    TransactionError,
)

# SQLite has words, PostgreSQL has states (PostgreSQL manual, appendix A).
_BUSY = ("database is locked", "database table is locked", "database schema is locked")
# serialization_failure, deadlock_detected, lock_not_available, query_canceled (by statement_timeout, or by a person)
_BUSY_STATES = ("40001", "40P01", "55P03", "57014")
_MISSING = "no such table"
_MISSING_STATES = ("42P01", "3F000")  # undefined_table, invalid_schema_name
_UNWRITABLE = ("readonly database", "attempt to write", "disk is full", "database or disk is full")
_READ_ONLY_STATE = "25006"  # read_only_sql_transaction: a replica, most likely
_FAILED_STATE = "25P02"  # in_failed_sql_transaction
_LOST_STATES = ("57P01", "57P02", "57P03", "57P05")  # the server ends the session, or is starting; beside class 08
_AGAIN = "roll back and run the whole transaction again"


@contextmanager
def mapped(*, joined: bool = False) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ours; `joined` in the caller's transaction: busy or cut off there means run it again."""
    try:
        yield
    except PoolTimeoutError as error:
        raise TableUnavailableError("no database connection became free in time") from error
    except PendingRollbackError as error:
        raise _failed() from error
    except DBAPIError as error:
        raise _meaning(error, joined=joined) from error


def _meaning(error: DBAPIError, *, joined: bool) -> ReconcilerError:
    text = str(error.orig).strip()
    plain = text.splitlines()[0] if text else type(error.orig).__name__
    state = _state(error)
    if any(words in plain.lower() for words in _BUSY):
        return RetryTransactionError(f"the transaction met another writer: {plain}") if joined else TableBusyError()
    if state in _BUSY_STATES:
        again = RetryTransactionError(f"the transaction met another writer: {plain}", hint=_AGAIN)
        return again if joined else TableBusyError(f"the upload table is busy: {plain}")
    if joined and _is_lost(error, state):
        return RetryTransactionError(f"the transaction's connection was lost: {plain}", hint=_AGAIN)
    return _refusal(error, plain, state)


def _refusal(error: DBAPIError, plain: str, state: str) -> ReconcilerError:
    """Return what an error means that no waiting mends."""
    if state == _FAILED_STATE:
        return _failed()
    if _MISSING in plain.lower() or state in _MISSING_STATES:
        return TableNotInitialisedError()
    if state == _READ_ONLY_STATE or any(words in plain.lower() for words in _UNWRITABLE):
        hint = "RECONCILER_TABLE_URL must name the primary, not a replica" if state else ""
        return TableError(f"the table cannot be written: {plain}", hint=hint)
    if isinstance(error, OperationalError | InterfaceError) or _is_lost(error, state):
        return TableUnavailableError(f"the table's database cannot be used: {plain}")
    return TableError(f"the table refused the statement: {plain}")


def _state(error: DBAPIError) -> str:
    # psycopg 3 calls it by the standard's name; psycopg 2, through which an application's own session may speak, does not.
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""


def _is_lost(error: DBAPIError, state: str) -> bool:
    return error.connection_invalidated or state in _LOST_STATES or state.startswith("08")


def _failed() -> TransactionError:
    return TransactionError("an earlier statement has failed, so nothing more can be done in this transaction", hint=_AGAIN)
