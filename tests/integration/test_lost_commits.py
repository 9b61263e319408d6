"""A COMMIT whose answer never came: nobody knows whether it happened, until somebody looks."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import shop_support
from servers.postgres import Postgres
from shop_support import Shop
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from support import OWNER

from reconciler.core.model import Status, Tag
from reconciler.errors import TableUnavailableError

pg_shop, shop_database = shop_support.pg_shop, shop_support.shop_database


def hang_up(connection: psycopg.Connection[Any], how: int = socket.SHUT_RDWR) -> None:
    """Cut the line to the server, as a network does: without a word to either side."""
    with socket.socket(fileno=connection.pgconn.socket) as line:
        line.shutdown(how)
        line.detach()


def before(commit: Callable[[Any], None], connection: Any) -> None:
    """The COMMIT never reaches the server."""
    hang_up(connection)
    commit(connection)


def after(commit: Callable[[Any], None], connection: Any) -> None:
    """The COMMIT is carried out, and then the line is cut before anybody hears of it."""
    commit(connection)
    hang_up(connection)
    connection.execute("SELECT 1")


def underway(commit: Callable[[Any], None], connection: Any) -> None:
    """The COMMIT is on its way to the server when the answer's way back is cut."""
    hang_up(connection, socket.SHUT_RD)
    commit(connection)


def lose_next_commit(engine: Engine, how: Callable[..., None], *also: Callable[[], object]) -> None:
    """Lose the next COMMIT of an engine, and only that."""
    dialect = engine.dialect
    original = dialect.do_commit

    def lost(connection: Any) -> None:
        dialect.do_commit = original
        for step in also:
            step()
        how(original, connection)

    dialect.do_commit = lost


@pytest.fixture
def unreachable(pg_shop: Shop, postgres: Postgres) -> Iterator[Callable[[], None]]:
    """What lets no new connection to the table's database come about, until the test is over or says `mend`."""
    broken: list[bool] = []

    @event.listens_for(pg_shop.stage.table.engine, "do_connect")
    def _(*_: Any) -> None:
        if broken:
            raise psycopg.OperationalError("connection refused")

    def breaks() -> None:
        broken.append(True)
        pg_shop.stage.table.engine.dispose()

    breaks.mend = broken.clear  # type: ignore[attr-defined]
    yield breaks
    broken.clear()


# In a transaction of our own


def test_a_commit_that_happened_is_found_out(pg_shop: Shop) -> None:
    """The row is read again: it was completed, so it is settled and returned, as if nothing had been lost."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.stage.table.engine, after)
    done = pg_shop.stage.uploads.complete(key, owner=OWNER)
    assert (done.key, done.status) == (key, Status.COMPLETED)
    assert pg_shop.is_done(key)


def test_a_commit_that_did_not_happen_is_told(pg_shop: Shop) -> None:
    """The error says that it is unknown and that calling again is safe; calling again completes."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.stage.table.engine, before)
    with pytest.raises(TableUnavailableError, match=r"whether .* was completed is unknown") as caught:
        pg_shop.stage.uploads.complete(key, owner=OWNER)
    assert "call complete again" in caught.value.hint
    assert pg_shop.is_undone(key)
    assert pg_shop.stage.uploads.complete(key, owner=OWNER).status is Status.COMPLETED
    assert pg_shop.is_done(key)


def test_a_commit_that_was_under_way_ends_well_either_way(pg_shop: Shop) -> None:
    """Whether or not it can be seen yet: calling again, if need be, finds the upload completed."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.stage.table.engine, underway)
    try:
        done = pg_shop.stage.uploads.complete(key, owner=OWNER)
    except TableUnavailableError:
        done = pg_shop.stage.uploads.complete(key, owner=OWNER)
    assert done.status is Status.COMPLETED
    pg_shop.stage.sweep()
    assert pg_shop.is_done(key)


@pytest.mark.parametrize("how", [before, after])
def test_where_nobody_can_look_it_stays_unknown(pg_shop: Shop, how: Callable[..., None], unreachable: Any) -> None:
    """The same error; once the database is back, calling again returns the completed upload, or completes it."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.stage.table.engine, how, unreachable)
    with pytest.raises(TableUnavailableError, match="is unknown") as caught:
        pg_shop.stage.uploads.complete(key, owner=OWNER)
    assert "call complete again" in caught.value.hint
    unreachable.mend()
    assert pg_shop.stage.row(key).status is (Status.COMPLETED if how is after else Status.PENDING)
    assert pg_shop.stage.uploads.complete(key, owner=OWNER).status is Status.COMPLETED
    pg_shop.stage.sweep()
    assert pg_shop.is_done(key)


@pytest.mark.parametrize("how", [before, after])
def test_a_release_whose_commit_was_lost_is_safe_to_repeat(pg_shop: Shop, how: Callable[..., None]) -> None:
    """Released twice is released once."""
    key = pg_shop.stage.completed()
    lose_next_commit(pg_shop.stage.table.engine, how)
    with pytest.raises(TableUnavailableError):
        pg_shop.stage.uploads.release(key, owner=OWNER)
    pg_shop.stage.uploads.release(key, owner=OWNER)
    assert pg_shop.stage.row(key).status is Status.DELETING


# In the caller's transaction


@pytest.mark.parametrize("how", [before, after])
def test_a_request_whose_commit_was_lost_runs_again(pg_shop: Shop, how: Callable[..., None]) -> None:
    """The COMMIT was the caller's, and so is its error; the same request again finds the upload completed, or completes it."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.engine, how)
    with Session(pg_shop.engine) as session:
        pg_shop.order(session, key)
        with pytest.raises(DBAPIError):
            session.commit()
        assert (pg_shop.settled(), pg_shop.stage.tag(key)) == (0, Tag.COMPLETING)
        session.rollback()
        assert pg_shop.stage.row(key).status is (Status.COMPLETED if how is after else Status.PENDING)
        assert pg_shop.order(session, key).status is Status.COMPLETED
        session.commit()
    pg_shop.stage.sweep()
    assert pg_shop.is_done(key)


@pytest.mark.parametrize("how", [before, after])
def test_a_request_whose_commit_was_lost_for_good(pg_shop: Shop, how: Callable[..., None]) -> None:
    """Where nobody tries again, the sweep settles what was committed and deletes what was not."""
    key = pg_shop.stage.upload()
    lose_next_commit(pg_shop.engine, how)
    with Session(pg_shop.engine) as session, pytest.raises(DBAPIError):
        pg_shop.order(session, key)
        session.commit()
    for _ in range(2):
        pg_shop.stage.advance(hours=25)
        pg_shop.stage.sweep()
    if how is after:
        assert pg_shop.is_done(key)
    else:
        assert (pg_shop.stage.row(key).status, pg_shop.stage.keys()) == (Status.DELETED, set())
