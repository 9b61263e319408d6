"""The state table refused or failed."""

from reconciler.errors.base import ReconcilerError


class TableError(ReconcilerError):
    """The upload table failed."""


class TableNotInitialisedError(TableError):
    """The upload table does not exist yet."""

    default_hint = "is RECONCILER_TABLE_URL right, and this the right folder? If so, run `reconcile init`"


class TableVersionError(TableError):
    """The upload table's schema does not fit this version of reconciler."""


class TableBusyError(TableError):
    """The upload table is locked by another writer."""

    default_hint = "try again in a moment"


class TableUnavailableError(TableError):
    """The upload table's database could not be reached."""

    default_hint = "check RECONCILER_TABLE_URL and the database"
