"""The caller's transaction: completion commits with it, rolls back with it, and S3 is told only after the outermost commit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration_support import Around, around_objects, sql_stage
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, create_engine, event, func, inspect, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from support import OWNER, Stage, sqlite_table

from reconciler import Settings, Uploads
from reconciler.adapters.sql import SqlTable, begin_immediate, metadata_for
from reconciler.core.model import Binding, Status, Tag
from reconciler.errors import (
    AutocommitError,
    RetryTransactionError,
    SettingsError,
    TableBusyError,
    TransactionError,
    WrongDatabaseError,
)
from reconciler.wiring import new_id

METADATA = MetaData()
ORDERS = Table("orders", METADATA, Column("id", Integer, primary_key=True), Column("photo", String))


@dataclass
class Shop:
    """An application: its own engine on the same database as the upload table, and an `orders` table."""

    stage: Stage
    engine: Engine
    objects: Around

    def order(self, session: Any, key: str) -> Any:
        """Do what a request handler does: write the business row, then complete the upload."""
        session.execute(ORDERS.insert().values(photo=key))
        return self.stage.uploads.complete(key, owner=OWNER, session=session)

    def orders(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(ORDERS.c.photo)).scalars())

    def settled(self) -> int:
        """How often an object was tagged completed."""
        return sum(call.verb == "put_tags" and call.args[1]["status"] == "completed" for call in self.objects.calls)


def own_engine(folder: Path, *, timeout: float = 0.1) -> Engine:
    """An engine of the application's own, as SQLAlchemy makes it."""
    return create_engine(f"sqlite:///{folder / 'table.db'}", connect_args={"timeout": timeout})


def begin_deferred(engine: Engine) -> Engine:
    """SQLAlchemy's recipe for transactions that really begin, but without taking the lock."""

    @event.listens_for(engine, "connect")
    def leave(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def open_shop(folder: Path, prepare: Callable[[Engine], Engine]) -> Shop:
    stage = sql_stage(folder)
    engine = prepare(own_engine(folder))
    METADATA.create_all(engine)
    return Shop(stage, engine, around_objects(stage))


@pytest.fixture(params=[begin_immediate, begin_deferred, lambda engine: engine], ids=["immediate", "deferred", "as it comes"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An application under each way of beginning a transaction."""
    opened = open_shop(tmp_path, request.param)
    yield opened
    opened.engine.dispose()
    opened.stage.table.engine.dispose()


@pytest.fixture
def immediate(tmp_path: Path) -> Iterator[Shop]:
    """An application that begins as the documentation says."""
    opened = open_shop(tmp_path, begin_immediate)
    yield opened
    opened.engine.dispose()
    opened.stage.table.engine.dispose()


def is_done(shop: Shop, key: str) -> bool:
    row = shop.stage.row(key)
    return (row.status, row.settled_at is not None, shop.stage.tag(key)) == (Status.COMPLETED, True, Tag.COMPLETED)


def is_undone(shop: Shop, key: str) -> bool:
    row = shop.stage.row(key)
    return (row.status, row.settled_at, shop.stage.tag(key)) == (Status.PENDING, None, Tag.COMPLETING)


# A Session


def test_a_commit_completes_both_rows_together(shop: Shop) -> None:
    """Before the commit nobody else sees either row; after it the upload is completed and settled."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        assert is_undone(shop, key)
        session.commit()
        assert is_done(shop, key)
    assert shop.orders() == [key]


def test_a_rollback_undoes_both(shop: Shop) -> None:
    """After a rollback the row is pending and its object tagged completing; nothing was settled."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
    assert is_undone(shop, key)
    assert (shop.orders(), shop.settled()) == ([], 0)


def test_closing_without_a_commit_is_a_rollback(shop: Shop) -> None:
    """A request that ends with an exception completes nothing."""
    key = shop.stage.upload()
    with pytest.raises(ZeroDivisionError), Session(shop.engine) as session:
        shop.order(session, key)
        raise ZeroDivisionError
    assert is_undone(shop, key)


def test_what_was_rolled_back_is_swept(shop: Shop) -> None:
    """The object that a rolled-back completion leaves behind goes like any other that was abandoned, one retention later."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
    for _ in range(2):
        shop.stage.advance(hours=25)
        shop.stage.sweep()
    assert (shop.stage.keys(), shop.stage.row(key).status) == (set(), Status.DELETED)


def test_what_was_rolled_back_can_be_completed_again(shop: Shop) -> None:
    """The user sends the form once more."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
        shop.order(session, key)
        session.commit()
    assert is_done(shop, key)
    assert (shop.orders(), shop.settled()) == ([key], 1)


def test_the_transaction_sees_its_own_completion(shop: Shop) -> None:
    """Inside the transaction the upload is completed already, and completing it again returns it."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        first = shop.order(session, key)
        again = shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert (again.status, again.completed_at) == (Status.COMPLETED, first.completed_at)
        session.commit()
    assert is_done(shop, key)


def test_two_completions_in_one_session(shop: Shop) -> None:
    """A form with two images completes both, and settles each once."""
    keys = [shop.stage.upload(), shop.stage.upload()]
    with Session(shop.engine) as session, session.begin():
        for key in keys:
            shop.order(session, key)
    assert [is_done(shop, key) for key in keys] == [True, True]
    assert shop.settled() == 2


def test_a_session_is_reused_without_stale_callbacks(shop: Shop) -> None:
    """What waited in a transaction that was rolled back is not settled by the next one's commit."""
    first, second = shop.stage.upload(), shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, first)
        session.rollback()
        shop.order(session, second)
        session.commit()
        session.execute(ORDERS.insert().values(photo="third"))
        session.commit()
    assert shop.settled() == 1
    assert is_undone(shop, first)
    assert is_done(shop, second)


def test_a_scoped_session_is_joined(shop: Shop) -> None:
    """The proxy stands for the session of this thread."""
    key = shop.stage.upload()
    session = scoped_session(sessionmaker(shop.engine))
    shop.order(session, key)
    session.commit()
    session.remove()
    assert is_done(shop, key)


def test_replacing_in_a_session_releases_with_it(shop: Shop) -> None:
    """The predecessor is released by the same commit, and not before."""
    old = shop.stage.completed()
    new = shop.stage.upload(replaces=old)
    with Session(shop.engine) as session:
        shop.order(session, new)
        assert shop.stage.row(old).status is Status.COMPLETED
        session.commit()
    assert (shop.stage.row(old).status, is_done(shop, new)) == (Status.DELETING, True)


def test_a_rolled_back_replacement_releases_nothing(shop: Shop) -> None:
    """The old image stays completed when the transaction that replaced it is rolled back."""
    old = shop.stage.completed()
    new = shop.stage.upload(replaces=old)
    with Session(shop.engine) as session:
        shop.order(session, new)
        session.rollback()
    assert (shop.stage.row(old).status, shop.stage.row(new).status) == (Status.COMPLETED, Status.PENDING)


def test_releasing_joins_a_session(shop: Shop) -> None:
    """A release is undone by a rollback and done by a commit."""
    key = shop.stage.completed()
    with Session(shop.engine) as session:
        shop.stage.uploads.release(key, owner=OWNER, session=session)
        session.rollback()
        assert shop.stage.row(key).status is Status.COMPLETED
        shop.stage.uploads.release(key, owner=OWNER, session=session)
        session.commit()
    assert shop.stage.row(key).status is Status.DELETING


def test_settling_that_fails_does_not_disturb_the_commit(shop: Shop) -> None:
    """If S3 is down after the commit, the commit stands and the sweep settles."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        shop.objects.failing("put_tags", RuntimeError("down"))
        session.commit()
    assert (shop.stage.row(key).status, shop.orders()) == (Status.COMPLETED, [key])
    shop.objects.mend()
    shop.stage.sweep()
    assert is_done(shop, key)


def test_a_crash_before_the_settling_is_mended_by_the_sweep(immediate: Shop) -> None:
    """A process that dies right after the commit leaves a completed row whose object the sweep settles."""
    key = immediate.stage.upload()
    with Session(immediate.engine) as session:
        immediate.order(session, key)
        session.info["reconciler.after_commit"].clear()
        session.commit()
    immediate.stage.advance(days=30)
    immediate.stage.sweep()
    assert is_done(immediate, key)


# Savepoints


def test_a_savepoint_that_would_commit_is_refused(tmp_path: Path) -> None:
    """On an engine that lets sqlite3 begin by itself, releasing a savepoint commits: begin_immediate is named as the way out."""
    shop = open_shop(tmp_path, lambda engine: engine)
    key = shop.stage.upload()
    with Session(shop.engine) as session, session.begin_nested():
        with pytest.raises(TransactionError, match="savepoint") as caught:
            shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert "begin_immediate" in caught.value.hint


def test_a_released_savepoint_settles_nothing(immediate: Shop) -> None:
    """Releasing a savepoint is no commit: rolled back afterwards, the row is pending and was never settled."""
    key = immediate.stage.upload()
    with Session(immediate.engine) as session:
        session.execute(ORDERS.insert().values(photo="first"))
        with session.begin_nested():
            immediate.order(session, key)
        assert immediate.settled() == 0
        session.rollback()
    assert is_undone(immediate, key)
    assert immediate.settled() == 0


def test_a_savepoint_rolled_back_before_the_commit(immediate: Shop) -> None:
    """What was completed in a savepoint that was rolled back stays pending after the outer commit."""
    undone, done = immediate.stage.upload(), immediate.stage.upload()
    with Session(immediate.engine) as session:
        immediate.order(session, done)
        savepoint = session.begin_nested()
        immediate.order(session, undone)
        savepoint.rollback()
        session.commit()
    assert is_undone(immediate, undone)
    assert is_done(immediate, done)
    assert immediate.orders() == [done]


def test_nested_savepoints_settle_once_after_the_outermost_commit(immediate: Shop) -> None:
    """However deep the completion was, S3 is told once, and only after the last commit."""
    key = immediate.stage.upload()
    with Session(immediate.engine) as session:
        session.execute(ORDERS.insert().values(photo="first"))
        with session.begin_nested():
            with session.begin_nested(), session.begin_nested():
                immediate.order(session, key)
            assert immediate.settled() == 0
        assert immediate.settled() == 0
        session.commit()
    assert is_done(immediate, key)
    assert immediate.settled() == 1


def test_a_session_inside_an_outer_connection_settles_nothing_early(immediate: Shop) -> None:
    """Where a test suite wraps the session in a transaction of its own, the session's commit settles nothing."""
    key = immediate.stage.upload()
    with immediate.engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            immediate.order(session, key)
            session.commit()
        outer.rollback()
    assert is_undone(immediate, key)
    assert immediate.settled() == 0


# A Connection


def test_a_connections_caller_settles_by_hand(shop: Shop) -> None:
    """After committing a bare Connection the caller's settle() tells S3; before, it does nothing."""
    key = shop.stage.upload()
    with shop.engine.connect() as connection:
        done = shop.order(connection, key)
        assert done.settle() is False
        connection.commit()
    assert shop.stage.tag(key) is Tag.COMPLETING
    assert done.settle() is True
    assert is_done(shop, key)


def test_a_connections_caller_may_forget_to_settle(shop: Shop) -> None:
    """Otherwise the sweep settles."""
    key = shop.stage.upload()
    with shop.engine.begin() as connection:
        shop.order(connection, key)
    assert (shop.stage.row(key).status, shop.settled()) == (Status.COMPLETED, 0)
    shop.stage.sweep()
    assert is_done(shop, key)


def test_a_connections_rollback_undoes_both(shop: Shop) -> None:
    """After a rollback settle() does nothing."""
    key = shop.stage.upload()
    with shop.engine.connect() as connection:
        done = shop.order(connection, key)
        connection.rollback()
    assert done.settle() is False
    assert is_undone(shop, key)


# What cannot be joined


@pytest.mark.parametrize("wrap", [lambda connection: connection, Session], ids=["Connection", "Session"])
def test_an_autocommit_connection_is_refused(tmp_path: Path, wrap: Callable[[Connection], Any]) -> None:
    """Where every statement commits by itself nothing could be rolled back: refused before S3 is touched."""
    shop = open_shop(tmp_path, lambda engine: engine)
    key = shop.stage.upload()
    with shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, pytest.raises(AutocommitError):
        shop.stage.uploads.complete(key, owner=OWNER, session=wrap(connection))
    assert (shop.stage.row(key).status, shop.stage.tag(key)) == (Status.PENDING, Tag.PENDING)


def test_a_session_of_an_autocommit_engine_is_refused(tmp_path: Path) -> None:
    """The same holds for an engine whose connections all commit by themselves."""
    shop = open_shop(tmp_path, lambda engine: engine)
    key = shop.stage.upload()
    with Session(shop.engine.execution_options(isolation_level="AUTOCOMMIT")) as session, pytest.raises(AutocommitError):
        shop.stage.uploads.complete(key, owner=OWNER, session=session)


def test_a_session_of_another_database_is_refused(immediate: Shop, tmp_path: Path) -> None:
    """A database without our tables is the wrong one; nothing is completed, S3 is not touched."""
    key = immediate.stage.upload()
    immediate.objects.calls.clear()
    with Session(create_engine(f"sqlite:///{tmp_path / 'other.db'}")) as session, pytest.raises(WrongDatabaseError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)
    assert (immediate.stage.row(key).status, immediate.objects.calls) == (Status.PENDING, [])


def test_a_session_of_another_instances_database_is_refused(immediate: Shop, tmp_path: Path) -> None:
    """A database with our tables but another instance's binding is the wrong one as well."""
    key = immediate.stage.upload()
    folder = tmp_path / "other"
    folder.mkdir()
    other = sqlite_table(folder)
    other.bind(Binding(new_id(), "photos", "uploads/"))
    with Session(other.engine) as session, pytest.raises(WrongDatabaseError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)
    assert immediate.stage.row(key).status is Status.PENDING


def test_a_session_of_an_unbound_table_is_refused(immediate: Shop, tmp_path: Path) -> None:
    """So is one whose tables were created but never bound."""
    key = immediate.stage.upload()
    folder = tmp_path / "other"
    folder.mkdir()
    with Session(sqlite_table(folder).engine) as session, pytest.raises(WrongDatabaseError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)


class AsyncSession:
    """Looks like SQLAlchemy's, which speaks through run_sync."""

    async def commit(self) -> None: ...


@pytest.mark.parametrize("session", [AsyncSession(), object(), "session", sessionmaker()], ids=lambda value: type(value).__name__)
def test_anything_else_is_no_transaction(immediate: Shop, session: Any) -> None:
    """What is neither a Session nor a Connection is a TransactionError that names its type, before S3 is touched."""
    key = immediate.stage.upload()
    immediate.objects.calls.clear()
    with pytest.raises(TransactionError, match=type(session).__name__):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)
    assert (immediate.stage.row(key).status, immediate.objects.calls) == (Status.PENDING, [])


def test_an_engine_is_no_transaction(immediate: Shop) -> None:
    """Handing over the engine is a TransactionError too."""
    with pytest.raises(TransactionError, match="Engine"):
        immediate.stage.uploads.complete(immediate.stage.upload(), owner=OWNER, session=immediate.engine)


def test_a_session_without_a_database_is_refused_in_our_words(immediate: Shop) -> None:
    """A Session that is bound to nothing, or to other tables alone, is a TransactionError, not SQLAlchemy's own."""
    key = immediate.stage.upload()
    for session in (Session(), Session(binds={ORDERS: immediate.engine})):
        with session, pytest.raises(TransactionError):
            immediate.stage.uploads.complete(key, owner=OWNER, session=session)


def test_a_closed_connection_is_refused(immediate: Shop) -> None:
    """A Connection that was closed is a TransactionError."""
    key = immediate.stage.upload()
    connection = immediate.engine.connect()
    connection.close()
    with pytest.raises(TransactionError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=connection)


# Other writers


def test_begin_immediate_is_not_taken_for_autocommit(immediate: Shop) -> None:
    """Its connections have no isolation level, but have begun: they are joined, with nothing written before."""
    key = immediate.stage.upload()
    with immediate.engine.begin() as connection:
        assert connection.connection.dbapi_connection.isolation_level is None
        immediate.stage.uploads.complete(key, owner=OWNER, session=connection)
    assert immediate.stage.row(key).status is Status.COMPLETED


def test_a_busy_snapshot_means_to_run_the_transaction_again(tmp_path: Path) -> None:
    """A deferred transaction that has read before somebody else wrote is a RetryTransactionError; again, it succeeds."""
    shop = open_shop(tmp_path, begin_deferred)
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        session.execute(select(func.count()).select_from(ORDERS)).scalar_one()
        with shop.engine.begin() as other:
            other.execute(ORDERS.insert().values(photo="theirs"))
        with pytest.raises(RetryTransactionError) as caught:
            shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert "BEGIN IMMEDIATE" in caught.value.hint
        session.rollback()
        assert is_undone(shop, key)
        shop.order(session, key)
        session.commit()
    assert is_done(shop, key)


def test_a_lock_held_by_another_writer_means_to_run_the_transaction_again(tmp_path: Path) -> None:
    """A deferred transaction that meets an open writer is a RetryTransactionError."""
    shop = open_shop(tmp_path, begin_deferred)
    key = shop.stage.upload()
    with Session(shop.engine) as session, shop.engine.begin() as other:
        other.execute(ORDERS.insert().values(photo="theirs"))
        with pytest.raises(RetryTransactionError):
            shop.stage.uploads.complete(key, owner=OWNER, session=session)


def test_a_session_that_cannot_begin_means_to_run_the_transaction_again(immediate: Shop) -> None:
    """Where complete is what begins an immediate transaction, another writer is a RetryTransactionError as well."""
    key = immediate.stage.upload()
    with immediate.engine.begin() as other:
        other.execute(ORDERS.insert().values(photo="theirs"))
        with Session(immediate.engine) as session, pytest.raises(RetryTransactionError):
            immediate.stage.uploads.complete(key, owner=OWNER, session=session)


def test_presigning_inside_ones_own_write_is_refused_clearly(tmp_path: Path) -> None:
    """On SQLite the row would wait for the caller's own lock: TableBusyError says to presign before."""
    shop = open_shop(tmp_path, begin_immediate)
    shop.stage.table = SqlTable(own_engine(tmp_path))
    with Session(shop.engine) as session:
        session.execute(ORDERS.insert().values(photo="mine"))
        with pytest.raises(TableBusyError) as caught:
            shop.stage.presign()
        assert "presign before you begin" in caught.value.hint
        session.rollback()
    assert shop.stage.presign().key


# Handing things over


def settings_for(folder: Path) -> Settings:
    return Settings(bucket="photos", table_url=f"sqlite:///{folder / 'unused.db'}")


@pytest.mark.parametrize(
    "prepare", [begin_immediate, begin_deferred, lambda engine: engine], ids=["immediate", "deferred", "as it comes"]
)
def test_the_table_may_live_in_the_applications_engine(tmp_path: Path, prepare: Callable[[Engine], Engine]) -> None:
    """With one engine for both, presigning, completing in a session and releasing work, and settle after the commit."""
    shop = open_shop(tmp_path, prepare)
    shop.stage.table = SqlTable(shop.engine)
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.commit()
    assert is_done(shop, key)
    shop.stage.uploads.release(key, owner=OWNER)
    assert shop.stage.row(key).status is Status.DELETING


def test_uploads_take_an_engine_from_the_application(s3: Stage, tmp_path: Path) -> None:
    """`Uploads.from_settings(table=engine)` uses it, and the settings' URL is left alone."""
    engine = own_engine(tmp_path, timeout=5)
    settings = Settings(bucket=s3.objects.bucket, table_url=f"sqlite:///{tmp_path / 'unused.db'}")
    uploads = Uploads.from_settings(settings, client=s3.objects._client, table=engine)
    ticket = uploads.presign(filename="me.jpg", content_type="image/jpeg", size=10, owner=OWNER)
    assert s3.row(ticket.key).status is Status.PENDING
    assert not (tmp_path / "unused.db").exists()


def test_an_engine_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two connections would see the same table: SettingsError."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(SettingsError, match="memory"):
        Uploads.from_settings(settings_for(tmp_path), table=create_engine("sqlite://"))


def test_the_tables_join_the_applications_metadata(tmp_path: Path) -> None:
    """metadata_for adds ours beside the application's, and create_all makes them all usable."""
    mine = MetaData()
    Table("orders", mine, Column("id", Integer, primary_key=True))
    assert metadata_for(mine) is mine
    assert set(mine.tables) == {"orders", "upload_status", "upload_binding", "upload_runs"}
    engine = own_engine(tmp_path)
    mine.create_all(engine)
    assert set(inspect(engine).get_table_names()) == set(mine.tables)
