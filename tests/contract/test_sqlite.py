"""SQLite as the table's database: migrations, versions, locks, and files that cannot be used."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session
from support import sqlite_table
from unit.builders import upload

from reconciler.adapters.sql import SqlTable, begin_immediate, make_engine, migrate, tables_as_used
from reconciler.adapters.sql.schema import UPLOADS, VERSIONS
from reconciler.core.model import Binding
from reconciler.core.rows import COLUMNS, EVERY, Move
from reconciler.errors import (
    AutocommitError,
    RetryTransactionError,
    SettingsError,
    TableBusyError,
    TableError,
    TableNotInitialisedError,
    TableUnavailableError,
    TableVersionError,
    TransactionError,
    WrongDatabaseError,
)

TOUCH = Move(where=EVERY, sets={"reason": "touched"})
BINDING = Binding("instance-1", "photos", "uploads/")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqlTable]:
    """A created, bound table that does not wait long for a lock."""
    made = sqlite_table(tmp_path)
    event.listen(made.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    made.engine.dispose()
    made.bind(BINDING, overwrite=False)
    yield made
    made.engine.dispose()


@pytest.fixture
def lock(table: SqlTable) -> Iterator[None]:
    """Another writer holds the lock."""
    other = sqlite3.connect(str(table.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


def database(table: SqlTable) -> str:
    return str(table.engine.url.database)


def fresh(table: SqlTable) -> SqlTable:
    """The same database, as another process sees it."""
    return SqlTable(table.engine)


# Migrations


def test_the_migrations_arrive_at_the_schema(table: SqlTable) -> None:
    """Tables, columns, types, keys and indexes: alembic finds no difference."""
    with table.engine.connect() as connection:
        options = {"version_table": VERSIONS, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables_as_used()) == []


def test_a_difference_would_be_found(table: SqlTable) -> None:
    """The comparison above sees a missing index."""
    metadata = tables_as_used()
    dropped = metadata.tables[UPLOADS].indexes.pop()
    with table.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"version_table": VERSIONS}), metadata)
    assert [(what, index.name) for what, index in found] == [("remove_index", dropped.name)]


def test_the_known_revisions_are_the_scripts() -> None:
    """Oldest first."""
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migrate.REVISIONS


def test_the_table_has_a_column_for_every_field() -> None:
    """And none besides."""
    assert set(tables_as_used().tables[UPLOADS].columns.keys()) == set(COLUMNS)


def test_creating_twice_keeps_everything(table: SqlTable) -> None:
    """Safe to run again."""
    table.insert(upload())
    table.create()
    assert (table.binding(), table.get(upload().key)) == (BINDING, upload())


def test_migrations_go_back_as_well(table: SqlTable) -> None:
    """Down to nothing, and up again."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with table.engine.begin() as connection:
        config.attributes.update(connection=connection, schema=None)
        command.downgrade(config, "base")
    table.create()
    assert table.binding() is None


# Versions


def at_revision(table: SqlTable, revision: str) -> SqlTable:
    with table.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '{revision}'"))  # noqa: S608  our own constant
    return fresh(table)


def test_a_newer_schema_is_refused(table: SqlTable) -> None:
    """By every use, and by create: a newer program has made it."""
    newer = at_revision(table, "9999")
    for call in (newer.binding, newer.create):
        with pytest.raises(TableVersionError, match="9999") as caught:
            call()
        assert "upgrade" in caught.value.hint


def test_an_older_schema_says_run_init(table: SqlTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """This version knows it, and can bring it up to date."""
    monkeypatch.setattr(migrate, "REVISIONS", (*migrate.REVISIONS, "9999"))
    with pytest.raises(TableVersionError) as caught:
        fresh(table).binding()
    assert caught.value.hint.endswith("run `reconcile init`")


def test_an_absent_schema_says_run_init(tmp_path: Path) -> None:
    """Whatever is asked of it."""
    table = SqlTable(make_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
    calls = (table.binding, lambda: table.get("x"), lambda: table.insert(upload()), lambda: table.move(["x"], TOUCH))
    for call in calls:
        with pytest.raises(TableNotInitialisedError) as caught:
            call()
        assert caught.value.hint.endswith("run `reconcile init`")
    table.engine.dispose()


# Locks


@pytest.mark.usefixtures("lock")
def test_another_writer_makes_the_table_busy(table: SqlTable) -> None:
    """Every write says so; nothing is retried behind the caller's back."""
    calls = (
        lambda: table.insert(upload()),
        lambda: table.move(["x"], TOUCH),
        lambda: table.forget(["x"], EVERY),
        lambda: table.bind(BINDING, overwrite=False),
    )
    for call in calls:
        with pytest.raises(TableBusyError):
            call()


@pytest.mark.usefixtures("lock")
def test_another_writer_makes_a_transaction_of_our_own_busy(table: SqlTable) -> None:
    """The same within `begin`."""
    with pytest.raises(TableBusyError), table.begin() as transaction:
        transaction.move(["x"], TOUCH)


@pytest.mark.usefixtures("lock")
def test_another_writer_makes_the_callers_transaction_run_again(table: SqlTable) -> None:
    """In a joined transaction being busy means: roll back and retry."""
    with table.engine.connect() as connection:
        joined = table.join(connection)
        with pytest.raises(RetryTransactionError):
            joined.move(["x"], TOUCH)


@pytest.mark.usefixtures("lock")
def test_readers_never_wait_for_a_writer(table: SqlTable) -> None:
    """The file is in WAL mode."""
    assert (table.count(EVERY), table.binding()) == (0, BINDING)


def test_a_stale_snapshot_makes_the_callers_transaction_run_again(table: SqlTable) -> None:
    """It read, another one wrote, now it cannot write any more: waiting would not cure it."""
    table.insert(upload())
    with table.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        joined = table.join(connection)
        assert joined.get(upload().key) == upload()
        table.move([upload().key], TOUCH)
        with pytest.raises(RetryTransactionError):
            joined.move([upload().key], TOUCH)


# Joining


def test_a_session_is_joined(table: SqlTable) -> None:
    """What it commits is there, with what the caller wrote; the callback comes after the commit."""
    table.insert(upload())
    called: list[str | None] = []
    with Session(table.engine) as session:
        joined = table.join(session)
        joined.move([upload().key], TOUCH)
        assert joined.after_commit(lambda: called.append(table.get(upload().key).reason)) is True
        assert called == []
        session.commit()
    assert called == ["touched"]


def test_a_session_that_rolls_back_calls_nobody(table: SqlTable) -> None:
    """Neither then nor at its next commit."""
    table.insert(upload())
    called: list[str] = []
    with Session(table.engine) as session:
        joined = table.join(session)
        joined.move([upload().key], TOUCH)
        joined.after_commit(lambda: called.append("back"))
        session.rollback()
        session.execute(text("SELECT 1"))
        session.commit()
    assert (called, table.get(upload().key)) == ([], upload())


def test_a_connection_cannot_tell_when_it_has_committed(table: SqlTable) -> None:
    """The caller settles, or the sweep does."""
    with table.engine.connect() as connection:
        assert table.join(connection).after_commit(lambda: None) is False


def test_an_autocommit_connection_is_refused(table: SqlTable) -> None:
    """The completion could not be rolled back."""
    with table.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, pytest.raises(AutocommitError):
        table.join(connection)


def test_a_begin_immediate_engine_is_joined(table: SqlTable) -> None:
    """It has no isolation level of the driver either, but it has begun."""
    engine = begin_immediate(create_engine(table.engine.url))
    table.insert(upload())
    with engine.begin() as connection:
        assert table.join(connection).move([upload().key], TOUCH) == {upload().key}
    engine.dispose()
    assert table.get(upload().key).reason == "touched"


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Engine]:
    """An engine of the application's own database."""
    engine = create_engine(f"sqlite:///{tmp_path / 'application.db'}")
    yield engine
    engine.dispose()


def test_another_database_is_refused(table: SqlTable, foreign: Engine) -> None:
    """One without our tables, and one with another instance."""
    with foreign.connect() as connection, pytest.raises(WrongDatabaseError):
        table.join(connection)
    other = SqlTable(foreign)
    other.create()
    other.bind(Binding("instance-2", "photos", "uploads/"), overwrite=False)
    with Session(foreign) as session, pytest.raises(WrongDatabaseError):
        table.join(session)


@pytest.mark.parametrize("session", [None, "session", object()], ids=["none", "text", "object"])
def test_anything_else_cannot_be_joined(table: SqlTable, session: object) -> None:
    """The error says what it is, and what it should be."""
    with pytest.raises(TransactionError, match=type(session).__name__):
        table.join(session)


# Files and addresses


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&cache=shared&uri=true", "sqlite:///file::memory:?uri=true"],
    ids=["nothing", "memory", "uri-mode", "uri-name"],
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    """No two connections would share it."""
    with pytest.raises(SettingsError, match="in memory"):
        make_engine(url)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """By name, before anything is opened."""
    with pytest.raises(SettingsError, match="absent does not exist"):
        make_engine(f"sqlite:///{tmp_path / 'absent' / 'table.db'}")


@pytest.mark.parametrize(
    "url",
    ["", "uploads.db", "nonsense://x", "sqlite+nonsense:///x.db", "oracle+nodriver://x"],
    ids=["empty", "a-path", "unknown", "unknown-driver", "another-unknown-driver"],
)
def test_an_unusable_url_is_refused(url: str) -> None:
    """One line names the setting, and the hint what would be right."""
    with pytest.raises(SettingsError, match=r"^RECONCILER_TABLE_URL[^\n]*$") as caught:
        make_engine(url)
    assert "sqlite:///uploads.db" in caught.value.hint


def test_a_database_that_cannot_be_written_says_so(table: SqlTable) -> None:
    """Reading goes on."""
    event.listen(table.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    table.engine.dispose()
    with pytest.raises(TableError, match="cannot be written"):
        table.insert(upload())
    assert table.count(EVERY) == 0


def test_a_file_that_may_only_be_read_says_so(table: SqlTable) -> None:
    """The operator mounted it read-only, or it belongs to another user."""
    file = database(table)
    table.engine.dispose()
    readonly = SqlTable(make_engine(f"sqlite:///file:{file}?mode=ro&uri=true"))
    with pytest.raises(TableError, match="cannot be written"):
        readonly.insert(upload())
    readonly.engine.dispose()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    """In one line, and never as an empty table."""
    (tmp_path / "table.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    table = SqlTable(make_engine(f"sqlite:///{tmp_path / 'table.db'}"))
    with pytest.raises((TableError, TableUnavailableError), match=r"^[^\n]*not a database$"):
        table.binding()
    table.engine.dispose()
