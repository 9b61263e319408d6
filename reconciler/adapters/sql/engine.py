"""Engines: how the table's database is opened."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from reconciler.errors import SettingsError

OWN = "reconciler_own"  # the execution option that marks reconciler's own connections
BUSY_SECONDS = 5  # how long one of our own writers waits for another
CONNECT_SECONDS = 10  # for a PostgreSQL server's answer, unless the URL says otherwise; libpq's default is for ever

_EXAMPLES = "such as sqlite:///uploads.db or postgresql+psycopg://user@host/name"
_NO_PSYCOPG = "PostgreSQL needs psycopg: install reconciler with its extra [postgres], or pip install 'psycopg[binary]'"


def make_engine(url: str) -> Engine:
    """Return an engine for a table URL.

    A SQLite file is opened in WAL mode, so that readers never wait for the writer; one in memory is refused, because each
    connection would see another one. PostgreSQL is spoken to through psycopg 3 unless the URL names another driver; a pooled
    connection is tried before it is used, so that a server which was restarted fails no request. Raises SettingsError where
    the URL, its driver, or the file's folder is unusable.
    """
    try:
        parsed = _with_driver(make_url(url))
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite:
            check_file(parsed)
        engine = create_engine(parsed, **_options(parsed))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        said = str(error).splitlines()[0].replace(url or "\0", "it")
        raise SettingsError(
            f"RECONCILER_TABLE_URL is not a database URL that can be used: {said}",
            hint=_NO_PSYCOPG if getattr(error, "name", None) == "psycopg" else _EXAMPLES,
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _with_driver(url: URL) -> URL:
    # What a bare postgresql:// stands for depends on SQLAlchemy's version; postgres:// is libpq's other name for it.
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _options(url: URL) -> dict[str, Any]:
    match url.get_backend_name():
        case "sqlite":
            return {"connect_args": {"timeout": BUSY_SECONDS}}
        case "postgresql":
            waiting = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
            return {"pool_pre_ping": True, "connect_args": waiting}
        case _:
            return {}


def check_file(url: URL) -> None:
    """Raise SettingsError unless a SQLite database is a file in a folder that exists."""
    name = (url.database or "").removeprefix("file:")
    if name in ("", ":memory:") or url.query.get("mode") == "memory" or "mode=memory" in name:
        raise SettingsError(
            "RECONCILER_TABLE_URL names a SQLite database in memory, which no two connections share",
            hint="name a file, such as sqlite:///uploads.db; for tests there is reconciler.testing.MemoryTable",
        )
    folder = Path(name).parent
    if not folder.is_dir():
        raise SettingsError(f"RECONCILER_TABLE_URL: the folder {folder} does not exist", hint="create it first")


def begin_immediate(engine: Engine) -> Engine:
    """Make every transaction of a SQLite engine begin with BEGIN IMMEDIATE, and return the engine.

    For the engine of your own sessions: a transaction that reads first and writes later can otherwise fail with a busy
    snapshot, which waiting does not cure (SQLAlchemy documentation, "SQLite: transactional isolation").
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_beginning_to_us)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _leave_beginning_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_immediate(connection: Connection) -> None:
    # Our own statements on this engine may not wait for the lock that the caller's transaction holds.
    deferred = connection.get_execution_options().get(OWN, False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
