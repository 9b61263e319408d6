"""Taking part in a transaction: the caller's Session or Connection, or one of our own."""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, Table, event, select
from sqlalchemy.exc import ResourceClosedError, UnboundExecutionError
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from reconciler.adapters.sql import statements
from reconciler.adapters.sql.errors import mapped
from reconciler.core.model import Upload
from reconciler.core.rows import Move
from reconciler.errors import AutocommitError, TableNotInitialisedError, TransactionError, WrongDatabaseError

_WAITING = "reconciler.after_commit"

Callback = Callable[[], object]


class OwnTransaction:
    """A transaction on a connection of our own; whoever opened it commits it and then calls back."""

    joined = False

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self.callbacks: list[Callback] = []

    def get(self, key: str) -> Upload | None:
        """Return one row as this transaction sees it."""
        with mapped(joined=self.joined):
            found = self._connection.execute(statements.read(self._table, [key])).one_or_none()
        return None if found is None else statements.row_of(found)

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move inside the transaction."""
        with mapped(joined=self.joined):
            return {
                key
                for chunk in statements.chunks(keys)
                for (key,) in self._connection.execute(statements.move(self._table, chunk, move, self._connection.dialect.name))
            }

    def after_commit(self, callback: Callback) -> bool:
        """Call back once the transaction has committed."""
        self.callbacks.append(callback)
        return True


class JoinedConnection(OwnTransaction):
    """The caller's Connection. Its commit event fires before the commit, so nothing can call back after it."""

    joined = True

    def after_commit(self, callback: Callback) -> bool:  # noqa: ARG002  the port's signature
        """Answer that it cannot be known when: the caller settles, or the sweep does."""
        return False


class JoinedSession(JoinedConnection):
    """The caller's Session: calls back after its outermost commit."""

    def __init__(self, session: Session, table: Table) -> None:
        super().__init__(_connection(session, table), table)
        self._session = session

    def after_commit(self, callback: Callback) -> bool:
        """Call back after the outermost commit; a rollback forgets it."""
        if _WAITING not in self._session.info:
            self._session.info[_WAITING] = []
            event.listen(self._session, "after_commit", _call_back)
            event.listen(self._session, "after_transaction_end", _forget)
        self._session.info[_WAITING].append(callback)
        return True


def join(session: Any, table: Table, binding: Table, instance_id: str) -> JoinedConnection:
    """Take part in a Session's, scoped_session's or Connection's transaction."""
    if isinstance(session, scoped_session):
        session = session()
    if not isinstance(session, Session | Connection):
        raise TransactionError(
            f"session is a {type(session).__name__}",
            hint="hand over a SQLAlchemy Session or Connection; with an AsyncSession use run_sync",
        )
    connection = _connection(session, table) if isinstance(session, Session) else session
    _check_same_database(connection, binding, instance_id)
    _check_transaction(connection)
    return JoinedSession(session, table) if isinstance(session, Session) else JoinedConnection(session, table)


def _connection(session: Session, table: Table) -> Connection:
    try:
        with mapped(joined=True):
            return session.connection(bind_arguments={"clause": table})
    except UnboundExecutionError as error:
        raise WrongDatabaseError("the session is bound to no database that holds the upload table") from error


def _check_same_database(connection: Connection, binding: Table, instance_id: str) -> None:
    try:
        with mapped(joined=True):
            found = connection.execute(select(binding.c.instance_id)).scalar_one_or_none()
    except TableNotInitialisedError as error:
        raise WrongDatabaseError from error
    except ResourceClosedError as error:
        raise TransactionError("the connection is closed", hint="hand over one that is inside a transaction") from error
    if found != instance_id:
        raise WrongDatabaseError


def _check_transaction(connection: Connection) -> None:
    if is_autocommit(connection):
        raise AutocommitError
    _check_savepoint(connection)


def _check_savepoint(connection: Connection) -> None:
    """Refuse a savepoint on an engine that lets sqlite3 begin by itself: releasing it would commit (bpo-44092)."""
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and connection.in_nested_transaction() and raw.isolation_level is not None:
        raise TransactionError(
            "a savepoint on this SQLite engine commits when it is released",
            hint="prepare the engine with reconciler.begin_immediate(engine)",
        )


def is_autocommit(connection: Connection) -> bool:
    """Say whether each statement would commit by itself.

    SQLite under `begin_immediate` has no isolation level either, but has begun; that is what tells the two apart.
    """
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        if getattr(raw, "autocommit", None) is True:
            return True
        return raw.isolation_level is None and not raw.in_transaction
    return bool(connection.dialect.detect_autocommit_setting(raw))


def _call_back(session: Session) -> None:
    # after_commit also fires when a savepoint is released: only the outermost commit counts.
    if session.in_nested_transaction():
        return
    callbacks, session.info[_WAITING] = session.info[_WAITING], []
    for callback in callbacks:
        callback()


def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info[_WAITING] = []
