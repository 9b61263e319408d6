"""An application for tests: its own engine on the database of the upload table, an `orders` table, and a request handler.

`shop` begins its transactions in every way there is, on SQLite and PostgreSQL; `nested` in every way in which savepoints work. A
test module takes these fixtures over by assigning them to names of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration_support import Around, around_objects, sql_stage
from servers.postgres import Postgres
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, create_engine, event, select
from support import OWNER, Stage, memory_stage, sql_table

from reconciler.adapters.sql import begin_immediate
from reconciler.core.model import Status, Tag

METADATA = MetaData()
ORDERS = Table("orders", METADATA, Column("id", Integer, primary_key=True), Column("photo", String))
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


OpenShop = Callable[..., "Shop"]


@dataclass
class Shop:
    """An application: its own engine on the same database as the upload table, and an `orders` table."""

    stage: Stage
    engine: Engine
    objects: Around
    table_engine: Engine

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

    def is_done(self, key: str) -> bool:
        row = self.stage.row(key)
        return (row.status, row.settled_at is not None, self.stage.tag(key)) == (Status.COMPLETED, True, Tag.COMPLETED)

    def is_undone(self, key: str) -> bool:
        row = self.stage.row(key)
        return (row.status, row.settled_at, self.stage.tag(key)) == (Status.PENDING, None, Tag.COMPLETING)

    def close(self) -> None:
        for engine in (self.engine, self.table_engine):
            engine.dispose()


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


SQLITE: dict[str, Callable[[Engine], Engine]] = {
    "immediate": begin_immediate,
    "deferred": begin_deferred,
    "as it comes": lambda engine: engine,
}


def sqlite_shop(folder: Path, way: str = "immediate") -> Shop:
    """An application on a SQLite file."""
    return _open(sql_stage(folder), SQLITE[way](own_engine(folder)))


def postgres_shop(url: str, level: str = "READ COMMITTED") -> Shop:
    """An application on a migrated PostgreSQL database, whose transactions have this isolation level."""
    stage = memory_stage()
    stage.table = sql_table(url)
    stage.objects._markers.clear()
    return _open(stage.bind(), create_engine(url, isolation_level=level))


def _open(stage: Stage, engine: Engine) -> Shop:
    METADATA.create_all(engine)
    return Shop(stage, engine, around_objects(stage), stage.table.engine)


@pytest.fixture(scope="module")
def shop_database(postgres: Postgres) -> Iterator[str]:
    """One database for a module's tests."""
    with postgres.database() as url:
        yield url


def _opened(request: pytest.FixtureRequest, folder: Path) -> Shop:
    if request.param in SQLITE:
        return sqlite_shop(folder, request.param)
    url = request.getfixturevalue("shop_database")
    request.getfixturevalue("postgres").empty(url)
    return postgres_shop(url, request.param)


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[OpenShop]:
    """Open applications on a SQLite file, and close them in the end."""
    opened: list[Shop] = []

    def open_one(way: str = "immediate") -> Shop:
        opened.append(sqlite_shop(tmp_path, way))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture(params=[*SQLITE, *LEVELS])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An application under each way of beginning a transaction."""
    opened = _opened(request, tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=["immediate", *LEVELS])
def nested(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An application that begins as the documentation says, so that savepoints work."""
    opened = _opened(request, tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=LEVELS)
def pg_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An application on PostgreSQL."""
    opened = _opened(request, tmp_path)
    yield opened
    opened.close()
