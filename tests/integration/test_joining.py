"""Which transactions cannot be joined, what happens beside another writer on SQLite, and handing over engine and metadata."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shop_support
from shop_support import ORDERS, SQLITE, OpenShop, Shop, own_engine
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, create_engine, func, inspect, select
from sqlalchemy.orm import Session, sessionmaker
from support import OWNER, Stage, sqlite_table

from reconciler import Settings, Uploads, metadata_for
from reconciler.adapters.sql import SqlTable
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

open_shop = shop_support.open_shop
Keep = Callable[[Engine], Engine]


@pytest.fixture
def kept() -> Iterator[Keep]:
    """Take an engine over, to be disposed in the end."""
    taken: list[Engine] = []

    def take(engine: Engine) -> Engine:
        taken.append(engine)
        return engine

    yield take
    for engine in taken:
        engine.dispose()


@pytest.fixture
def immediate(open_shop: OpenShop) -> Shop:
    """An application that begins as the documentation says."""
    return open_shop()


# What cannot be joined


@pytest.mark.parametrize("wrap", [lambda connection: connection, Session], ids=["Connection", "Session"])
def test_an_autocommit_connection_is_refused(open_shop: OpenShop, wrap: Callable[[Connection], Any]) -> None:
    """Where every statement commits by itself nothing could be rolled back: refused before S3 is touched."""
    shop = open_shop("as it comes")
    key = shop.stage.upload()
    with shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, pytest.raises(AutocommitError):
        shop.stage.uploads.complete(key, owner=OWNER, session=wrap(connection))
    assert (shop.stage.row(key).status, shop.stage.tag(key)) == (Status.PENDING, Tag.PENDING)


def test_a_session_of_an_autocommit_engine_is_refused(open_shop: OpenShop) -> None:
    """The same holds for an engine whose connections all commit by themselves."""
    shop = open_shop("as it comes")
    key = shop.stage.upload()
    with Session(shop.engine.execution_options(isolation_level="AUTOCOMMIT")) as session, pytest.raises(AutocommitError):
        shop.stage.uploads.complete(key, owner=OWNER, session=session)


def test_a_session_of_another_database_is_refused(immediate: Shop, tmp_path: Path, kept: Keep) -> None:
    """A database without our tables is the wrong one; nothing is completed, S3 is not touched."""
    key = immediate.stage.upload()
    immediate.objects.calls.clear()
    with Session(kept(create_engine(f"sqlite:///{tmp_path / 'other.db'}"))) as session, pytest.raises(WrongDatabaseError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)
    assert (immediate.stage.row(key).status, immediate.objects.calls) == (Status.PENDING, [])


def test_a_session_of_another_instances_database_is_refused(immediate: Shop, tmp_path: Path, kept: Keep) -> None:
    """A database with our tables but another instance's binding is the wrong one as well."""
    key = immediate.stage.upload()
    folder = tmp_path / "other"
    folder.mkdir()
    other = sqlite_table(folder)
    other.bind(Binding(new_id(), "photos", "uploads/"), overwrite=False)
    with Session(kept(other.engine)) as session, pytest.raises(WrongDatabaseError):
        immediate.stage.uploads.complete(key, owner=OWNER, session=session)
    assert immediate.stage.row(key).status is Status.PENDING


def test_a_session_of_an_unbound_table_is_refused(immediate: Shop, tmp_path: Path, kept: Keep) -> None:
    """So is one whose tables were created but never bound."""
    key = immediate.stage.upload()
    folder = tmp_path / "other"
    folder.mkdir()
    with Session(kept(sqlite_table(folder).engine)) as session, pytest.raises(WrongDatabaseError):
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


def test_a_busy_snapshot_means_to_run_the_transaction_again(open_shop: OpenShop) -> None:
    """A deferred transaction that has read before somebody else wrote is a RetryTransactionError; again, it succeeds."""
    shop = open_shop("deferred")
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        session.execute(select(func.count()).select_from(ORDERS)).scalar_one()
        with shop.engine.begin() as other:
            other.execute(ORDERS.insert().values(photo="theirs"))
        with pytest.raises(RetryTransactionError) as caught:
            shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert "BEGIN IMMEDIATE" in caught.value.hint
        session.rollback()
        assert shop.is_undone(key)
        shop.order(session, key)
        session.commit()
    assert shop.is_done(key)


def test_a_lock_held_by_another_writer_means_to_run_the_transaction_again(open_shop: OpenShop) -> None:
    """A deferred transaction that meets an open writer is a RetryTransactionError."""
    shop = open_shop("deferred")
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


def test_presigning_inside_ones_own_write_is_refused_clearly(open_shop: OpenShop, tmp_path: Path, kept: Keep) -> None:
    """On SQLite the row would wait for the caller's own lock: TableBusyError says to presign before."""
    shop = open_shop()
    shop.stage.table = SqlTable(kept(own_engine(tmp_path)))
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


@pytest.mark.parametrize("way", SQLITE)
def test_the_table_may_live_in_the_applications_engine(open_shop: OpenShop, way: str) -> None:
    """With one engine for both, presigning, completing in a session and releasing work, and settle after the commit."""
    shop = open_shop(way)
    shop.stage.table = SqlTable(shop.engine)
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.commit()
    assert shop.is_done(key)
    shop.stage.uploads.release(key, owner=OWNER)
    assert shop.stage.row(key).status is Status.DELETING


def test_uploads_take_an_engine_from_the_application(s3: Stage, tmp_path: Path, kept: Keep) -> None:
    """`Uploads.from_settings(table=engine)` uses it, and the settings' URL is left alone."""
    engine = kept(own_engine(tmp_path, timeout=5))
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


def test_the_tables_join_the_applications_metadata(tmp_path: Path, kept: Keep) -> None:
    """metadata_for adds ours beside the application's, and create_all makes them all usable."""
    mine = MetaData()
    Table("orders", mine, Column("id", Integer, primary_key=True))
    assert metadata_for(mine) is mine
    assert set(mine.tables) == {"orders", "upload_status", "upload_binding", "upload_runs", "reconciler_alembic_version"}
    engine = kept(own_engine(tmp_path))
    mine.create_all(engine)
    assert set(inspect(engine).get_table_names()) == set(mine.tables)
