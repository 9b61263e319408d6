"""What a database driver's errors mean here, made by hand: SQLite's words, and PostgreSQL's states."""

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, PendingRollbackError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from reconciler.adapters.sql.errors import mapped
from reconciler.errors import (
    ReconcilerError,
    RetryTransactionError,
    TableBusyError,
    TableError,
    TableNotInitialisedError,
    TableUnavailableError,
    TransactionError,
)


class DriverError(Exception):
    """As a driver raises it; PostgreSQL's carry a state."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def meaning(kind: type[DBAPIError], text: str, sqlstate: str | None = None, *, joined: bool = False) -> ReconcilerError:
    error = kind("SELECT 1", {}, DriverError(text, sqlstate))
    with pytest.raises(ReconcilerError) as caught, mapped(joined=joined):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param((OperationalError, "no such table: upload_status"), TableNotInitialisedError, id="sqlite-no-table"),
        pytest.param(
            (ProgrammingError, 'relation "upload_status" does not exist\nLINE 1: SELECT', "42P01"),
            TableNotInitialisedError,
            id="postgresql-no-table",
        ),
        pytest.param(
            (OperationalError, 'connection failed: FATAL:  database "photos" does not exist', "3D000"),
            TableUnavailableError,
            id="postgresql-no-database",
        ),
        pytest.param((OperationalError, "attempt to write a readonly database"), TableError, id="sqlite-read-only"),
        pytest.param((OperationalError, "in a read-only transaction", "25006"), TableError, id="postgresql-replica"),
        pytest.param((OperationalError, "database or disk is full"), TableError, id="sqlite-disk-full"),
        pytest.param((OperationalError, "unable to open database file"), TableUnavailableError, id="sqlite-cannot-open"),
        pytest.param((OperationalError, "connection refused\nIs the server running?"), TableUnavailableError, id="no-server"),
        pytest.param((InterfaceError, "connection already closed"), TableUnavailableError, id="connection-closed"),
        pytest.param((IntegrityError, "NOT NULL constraint failed: upload_status.owner"), TableError, id="integrity"),
        pytest.param((OperationalError, ""), TableUnavailableError, id="without-words"),
    ],
)
def test_an_error_means_one_of_ours(error: tuple[Any, ...], kind: type[ReconcilerError]) -> None:
    """Exactly this one, in one line."""
    found = meaning(*error)
    assert type(found) is kind
    assert "\n" not in found.message


BUSY = [("database is locked", None), ("database table is locked: upload_status", None)]
BUSY += [("could not serialize access", "40001"), ("deadlock detected", "40P01")]
BUSY += [("canceling statement due to lock timeout", "55P03"), ("canceling statement due to statement timeout", "57014")]


@pytest.mark.parametrize(("text", "state"), BUSY, ids=[state or text for text, state in BUSY])
def test_another_writer_means_busy_or_again(text: str, state: str | None) -> None:
    """Busy in a statement of our own; in the caller's transaction: run it again."""
    found = [type(meaning(OperationalError, text, state, joined=joined)) for joined in (False, True)]
    assert found == [TableBusyError, RetryTransactionError]


LOST = [("terminating connection due to administrator command", "57P01"), ("the database system is starting up", "57P03")]
LOST += [("connection failure", "08006"), ("terminating connection due to idle-session timeout", "57P05")]


@pytest.mark.parametrize(("text", "state"), LOST, ids=[state for _, state in LOST])
def test_a_lost_connection_means_unavailable_or_again(text: str, state: str) -> None:
    """Unavailable in a statement of our own; in the caller's transaction: run it again, on another connection."""
    found = [type(meaning(OperationalError, text, state, joined=joined)) for joined in (False, True)]
    assert found == [TableUnavailableError, RetryTransactionError]


def test_a_connection_that_sqlalchemy_gave_up_is_lost() -> None:
    """Whatever the driver called it."""
    error = OperationalError("SELECT 1", {}, DriverError("consuming input failed"), connection_invalidated=True)
    with pytest.raises(RetryTransactionError, match="lost"), mapped(joined=True):
        raise error


def test_a_server_that_cannot_be_reached_is_no_reason_to_run_again_at_once() -> None:
    """A connection that never came about is unavailable in the caller's transaction too."""
    assert type(meaning(OperationalError, "connection refused", joined=True)) is TableUnavailableError


def test_psycopg_2_calls_its_states_otherwise() -> None:
    """An application's own session may speak through it."""
    error = DriverError("deadlock detected")
    error.pgcode = "40P01"  # type: ignore[attr-defined]
    with pytest.raises(RetryTransactionError), mapped(joined=True):
        raise OperationalError("SELECT 1", {}, error)


def test_a_transaction_that_failed_before_is_said_so() -> None:
    """By PostgreSQL, or by SQLAlchemy, which knows it already."""
    assert type(meaning(OperationalError, "current transaction is aborted", "25P02", joined=True)) is TransactionError
    with pytest.raises(TransactionError, match="earlier statement"), mapped(joined=True):
        raise PendingRollbackError("roll back first")


def test_a_pool_without_a_free_connection_is_unavailable() -> None:
    """SQLAlchemy's own time-out is no driver's error."""
    with pytest.raises(TableUnavailableError), mapped():
        raise PoolTimeoutError


def test_an_unknown_error_passes_through() -> None:
    """A bug is not dressed up as a database's failure."""
    with pytest.raises(ZeroDivisionError), mapped():
        raise ZeroDivisionError
