"""The caller's transaction on PostgreSQL: what is refused, what means to run it again, and sweeps that run beside it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import shop_support
from servers.postgres import Postgres
from shop_support import ORDERS, Shop
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from support import OWNER

from reconciler.adapters.sql import SqlTable, make_engine
from reconciler.adapters.sql import table as table_module
from reconciler.core import rows
from reconciler.core.model import Binding, ObjectEntry, Status, Tag
from reconciler.core.report import Fate
from reconciler.errors import AutocommitError, RetryTransactionError, TableBusyError, TransactionError, WrongDatabaseError

pg_shop, shop_database = shop_support.pg_shop, shop_support.shop_database


def read_something(session: Session) -> None:
    """Begin: from here a snapshot holds, if the isolation level has one."""
    session.execute(select(func.count()).select_from(ORDERS)).scalar_one()


def has_snapshots(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        return connection.get_isolation_level() != "READ COMMITTED"


def touch(shop: Shop, key: str) -> None:
    """Write to the row as a plan does that finds the object there."""
    assert shop.stage.table.move([key], rows.record_stored(ObjectEntry(key), now=shop.stage.clock.now()))


def runs_again(shop: Shop, session: Session, key: str) -> bool:
    """Roll back and run the whole transaction again."""
    session.rollback()
    shop.order(session, key)
    session.commit()
    return shop.is_done(key)


# What cannot be joined


def by_option(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def by_engine(engine: Engine) -> Engine:
    return create_engine(engine.url, isolation_level="AUTOCOMMIT")


def by_driver(engine: Engine) -> Engine:
    return create_engine(engine.url, connect_args={"autocommit": True})


@pytest.mark.parametrize("way", [by_option, by_engine, by_driver])
def test_autocommit_is_refused(pg_shop: Shop, way: Callable[[Engine], Engine]) -> None:
    """However it came about: before S3 is touched, and with nothing completed."""
    key = pg_shop.stage.upload()
    engine = way(pg_shop.engine)
    with Session(engine) as session, pytest.raises(AutocommitError):
        pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
    with engine.connect() as connection, pytest.raises(AutocommitError):
        pg_shop.stage.uploads.complete(key, owner=OWNER, session=connection)
    engine.dispose()
    assert (pg_shop.stage.row(key).status, pg_shop.stage.tag(key)) == (Status.PENDING, Tag.PENDING)


@pytest.fixture
def elsewhere(postgres: Postgres) -> Iterator[Engine]:
    """Another database on the same server, with an upload table of another instance in it."""
    with postgres.database() as url:
        engine = make_engine(url)
        SqlTable(engine).bind(Binding("another", "photos", "uploads/"), overwrite=True)
        yield engine
        engine.dispose()


def test_another_database_is_refused(pg_shop: Shop, elsewhere: Engine) -> None:
    """Although it has our tables: the instance is another."""
    key = pg_shop.stage.upload()
    with Session(elsewhere) as session, pytest.raises(WrongDatabaseError):
        pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
    assert (pg_shop.stage.row(key).status, pg_shop.stage.tag(key)) == (Status.PENDING, Tag.PENDING)


def test_another_schema_is_refused(pg_shop: Shop) -> None:
    """Where the session's search path, or SQLAlchemy's translation, leads to another table of the same name, or to none."""
    key = pg_shop.stage.upload()
    other = SqlTable(pg_shop.engine, schema="tenant")
    other.create()
    other.bind(Binding("another", "photos", "uploads/"), overwrite=True)
    tenant = pg_shop.engine.execution_options(schema_translate_map={None: "tenant"})
    nowhere = pg_shop.engine.execution_options(schema_translate_map={None: "absent"})
    for engine in (tenant, nowhere):
        with Session(engine) as session, pytest.raises(WrongDatabaseError):
            pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
    with Session(pg_shop.engine) as session, pytest.raises(WrongDatabaseError):
        session.execute(text("SET LOCAL search_path = tenant"))
        pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
    assert pg_shop.stage.row(key).status is Status.PENDING


def test_a_transaction_that_has_failed_is_refused(pg_shop: Shop) -> None:
    """PostgreSQL carries out nothing more in it: one clear line; rolled back it can be run again."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT 1/0"))
        with pytest.raises(TransactionError, match=r"^an earlier statement has failed[^\n]*$") as caught:
            pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert "roll back" in caught.value.hint
        assert pg_shop.stage.tag(key) is Tag.PENDING
        assert runs_again(pg_shop, session, key)


def test_a_savepoint_saves_a_transaction_that_failed(pg_shop: Shop) -> None:
    """Rolled back to it, the transaction goes on and completes."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text("SELECT 1/0"))
        pg_shop.order(session, key)
        session.commit()
    assert pg_shop.is_done(key)


def test_a_session_that_must_be_rolled_back_is_refused(pg_shop: Shop) -> None:
    """SQLAlchemy knows that its connection is gone: its error becomes ours."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        session.connection().invalidate()
        with pytest.raises(TransactionError, match="nothing more can be done"):
            pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert runs_again(pg_shop, session, key)


# What means to run it again


def test_a_row_that_changed_since_the_snapshot(pg_shop: Shop) -> None:
    """Under a snapshot the update cannot be serialized; without one it takes the newest row."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        read_something(session)
        touch(pg_shop, key)
        if has_snapshots(pg_shop):
            with pytest.raises(RetryTransactionError, match="could not serialize") as caught:
                pg_shop.order(session, key)
            assert "SQLite" not in caught.value.hint
            assert pg_shop.is_undone(key)
        assert runs_again(pg_shop, session, key)


def test_an_upload_that_is_younger_than_the_snapshot(pg_shop: Shop) -> None:
    """The transaction cannot see its row: that is no expired upload, but one to complete in a new transaction."""
    with Session(pg_shop.engine) as session:
        read_something(session)
        key = pg_shop.stage.upload()
        if has_snapshots(pg_shop):
            with pytest.raises(RetryTransactionError, match="cannot see it"):
                pg_shop.order(session, key)
        assert runs_again(pg_shop, session, key)


@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_a_lock_that_somebody_else_holds(pg_shop: Shop, limit: str) -> None:
    """Where the caller limits how long he waits."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session, Session(pg_shop.engine) as other:
        pg_shop.order(other, key)
        session.execute(text(f"SET LOCAL {limit} = 100"))
        with pytest.raises(RetryTransactionError, match="timeout"):
            pg_shop.order(session, key)
        other.rollback()
        assert runs_again(pg_shop, session, key)


def test_of_two_who_complete_at_once_both_are_told_that_it_is_completed(pg_shop: Shop) -> None:
    """The second waits for the first one's commit; then it is told so, at once or when it runs again."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session, Session(pg_shop.engine) as other, ThreadPoolExecutor(1) as pool:
        pg_shop.order(other, key)
        second = pool.submit(pg_shop.order, session, key)
        with pg_shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            asked = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            while not watching.execute(asked).scalar_one():
                assert not second.done()
        other.commit()
        if has_snapshots(pg_shop):
            with pytest.raises(RetryTransactionError):
                second.result()
            session.rollback()
            assert pg_shop.order(session, key).status is Status.COMPLETED
        else:
            assert second.result().status is Status.COMPLETED
        session.commit()
    assert pg_shop.is_done(key)


def test_a_deadlock(pg_shop: Shop) -> None:
    """Two forms that complete the same two images in opposite order: one is told to run again, and then both have them."""
    one, two = pg_shop.stage.upload(), pg_shop.stage.upload()

    def submit(first: str, second: str) -> int:
        retries = 0
        while True:
            with Session(pg_shop.engine) as session:
                try:
                    session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                    pg_shop.order(session, first)
                    if not retries:
                        barrier.wait()
                    pg_shop.order(session, second)
                    session.commit()
                except RetryTransactionError:
                    retries += 1
                    continue
                return retries

    barrier = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        retries = [each.result() for each in (pool.submit(submit, one, two), pool.submit(submit, two, one))]
    assert sum(retries) >= 1
    assert all(pg_shop.is_done(key) for key in (one, two))


def test_a_connection_that_is_cut(pg_shop: Shop, postgres: Postgres) -> None:
    """In the middle of the transaction: by an administrator, or because the server restarts."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        read_something(session)
        postgres.cut(pg_shop.engine.url.render_as_string())
        with pytest.raises(RetryTransactionError, match=r"connection was lost: [^\n]+$"):
            pg_shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert pg_shop.stage.row(key).status is Status.PENDING
        assert runs_again(pg_shop, session, key)


# Beside a transaction that is open


def swept(shop: Shop) -> list[tuple[str, str]]:
    return [(outcome.action.kind, outcome.fate.value) for outcome in shop.stage.sweep().outcomes]


def test_a_sweep_leaves_alone_what_is_about_to_be_committed(pg_shop: Shop) -> None:
    """Although it fell due in the meantime: the sweep does not wait, and after the commit there is nothing to sweep."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, key)
        pg_shop.stage.advance(hours=25)
        assert swept(pg_shop) == [("hold-back", Fate.SKIPPED.value)]
        session.commit()
    assert pg_shop.is_done(key)
    pg_shop.stage.sweep()
    assert pg_shop.stage.row(key).status is Status.COMPLETED


def test_a_sweep_finds_again_what_it_left_alone(pg_shop: Shop) -> None:
    """After a rollback it is swept as what was abandoned."""
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, key)
        pg_shop.stage.advance(hours=25)
        pg_shop.stage.sweep()
        session.rollback()
    for _ in range(2):
        pg_shop.stage.sweep()
        pg_shop.stage.advance(hours=25)
    assert (pg_shop.stage.row(key).status, pg_shop.stage.keys()) == (Status.DELETED, set())


def test_presigning_a_replacement_inside_ones_own_transaction(pg_shop: Shop) -> None:
    """It does not wait for the caller's own lock on what it replaces."""
    old = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, old)
        new = pg_shop.stage.upload(replaces=old)
        session.commit()
    assert pg_shop.is_done(old)
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, new)
        session.commit()
    assert pg_shop.stage.row(old).status is Status.DELETING


def test_settling_inside_the_transaction_that_releases(pg_shop: Shop) -> None:
    """It does not wait for the caller's own lock, and says that S3 was not told."""
    key = pg_shop.stage.upload()
    with pg_shop.engine.begin() as connection:
        done = pg_shop.order(connection, key)
    with pg_shop.engine.begin() as connection:
        pg_shop.stage.uploads.release(key, owner=OWNER, session=connection)
        assert done.settle() is False
    assert pg_shop.stage.row(key).status is Status.DELETING


def test_completing_without_a_session_what_ones_own_session_completes(pg_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for itself for ever: TableBusyError instead."""
    monkeypatch.setattr(table_module, "BUSY_SECONDS", 0.05)
    key = pg_shop.stage.upload()
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, key)
        with pytest.raises(TableBusyError):
            pg_shop.stage.uploads.complete(key, owner=OWNER)
        session.commit()
    assert pg_shop.stage.uploads.complete(key, owner=OWNER).status is Status.COMPLETED
