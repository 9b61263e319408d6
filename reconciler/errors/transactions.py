"""The caller's transaction cannot be joined."""

from reconciler.errors.base import ReconcilerError


class TransactionError(ReconcilerError):
    """The caller's transaction cannot be joined."""


class RetryTransactionError(TransactionError):
    """The transaction met another writer."""

    default_hint = "roll back and run the whole transaction again; on SQLite begin it with BEGIN IMMEDIATE"


class WrongDatabaseError(TransactionError):
    """The session speaks to another database than the one that holds the upload table."""

    default_hint = "hand over a session of the database named by RECONCILER_TABLE_URL"


class AutocommitError(TransactionError):
    """The connection is in autocommit mode, so the completion could not be rolled back with your changes."""

    default_hint = "hand over a connection that is inside a transaction"
