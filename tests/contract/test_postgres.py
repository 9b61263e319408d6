"""PostgreSQL as the table's database: its schema, its locks, its indexes, its isolation levels, and its failures."""

import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from servers.postgres import Postgres
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from unit.builders import DAY, NOW, upload

from reconciler.adapters.sql import SqlTable, make_engine, statements, tables_as_used
from reconciler.adapters.sql import engine as engine_module
from reconciler.adapters.sql import table as table_module
from reconciler.adapters.sql.schema import BINDING as BINDING_TABLE
from reconciler.adapters.sql.schema import RUNS, UPLOADS, VERSIONS
from reconciler.core import rows
from reconciler.core.actions import Reason
from reconciler.core.model import Binding, Status, Upload
from reconciler.core.rows import EVERY, Move, Where
from reconciler.core.timing import Timing
from reconciler.demo.servers import free_ports
from reconciler.errors import SettingsError, TableBusyError, TableError, TableNotInitialisedError, TableUnavailableError
from reconciler.testing.samples import at_once

BINDING = Binding("instance-1", "photos", "uploads/")
CLAIM = rows.claim(Reason.ABANDONED, now=NOW)
TOUCH = Move(where=EVERY, sets={"reason": "touched"})
LEVELS = ("AUTOCOMMIT", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
MANY = 50_000


@pytest.fixture(scope="module", name="database")
def _database(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def url(postgres: Postgres, database: str) -> str:
    """An emptied, migrated database."""
    postgres.empty(database)
    return database


@pytest.fixture
def blank(postgres: Postgres) -> Iterator[str]:
    """A database without anything in it."""
    with postgres.database(migrated=False) as url:
        yield url


@pytest.fixture
def tables() -> Iterator[Callable[..., SqlTable]]:
    """Make tables on engines that are disposed in the end; `options` are the server's, for these connections alone."""
    made: list[Engine] = []

    def make(url: str, *, schema: str | None = None, **options: str) -> SqlTable:
        asked = "%20".join(f"-c%20{name}%3D{value}" for name, value in options.items())
        made.append(make_engine(f"{url}&options={asked}" if options else url))
        return SqlTable(made[-1], schema=schema)

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def table(url: str, tables: Callable[..., SqlTable]) -> SqlTable:
    """A bound table."""
    made = tables(url)
    made.bind(BINDING, overwrite=False)
    return made


@pytest.fixture
def application(url: str) -> Iterator[Engine]:
    """An engine of the application's own on the same database."""
    engine = create_engine(url)
    yield engine
    engine.dispose()


def keys(*names: str) -> list[str]:
    return [f"uploads/{name}" for name in names]


def fill(table: SqlTable, *names: str, **given: Any) -> list[str]:
    for key in keys(*names):
        assert table.insert(upload(key=key, **given))
    return keys(*names)


# Migrations


@pytest.mark.parametrize("schema", [None, "photos", 'Odd "name"'])
def test_the_migrations_arrive_at_the_schema(blank: str, tables: Callable[..., SqlTable], schema: str | None) -> None:
    """In the default schema, and in one of its own, which is created: alembic finds no difference, twice over."""
    made = tables(blank, schema=schema)
    for _ in range(2):
        made.create()
        with made.engine.connect() as connection:
            options = {
                "version_table": VERSIONS,
                "version_table_schema": schema,
                "compare_type": True,
                "compare_server_default": True,
                "include_schemas": schema is not None,
                "include_name": lambda name, kind, _: kind != "schema" or name == schema,
            }
            found = compare_metadata(MigrationContext.configure(connection, opts=options), tables_as_used(schema=schema))
        assert found == []


def test_a_schema_of_its_own_leaves_the_default_one_alone(blank: str, tables: Callable[..., SqlTable]) -> None:
    """All tables are in it, the version too, and rows are found there."""
    made = tables(blank, schema="photos")
    made.create()
    assert made.insert(upload())
    assert made.get(upload().key) == upload()
    inspector = inspect(made.engine)
    assert set(inspector.get_table_names(schema="photos")) == {UPLOADS, BINDING_TABLE, RUNS, VERSIONS}
    assert inspector.get_table_names() == []


def test_a_table_in_another_schema_is_not_found(table: SqlTable, url: str, tables: Callable[..., SqlTable]) -> None:
    """The error says to run init, which has not been run for that schema."""
    assert table.binding() == BINDING
    with pytest.raises(TableNotInitialisedError):
        tables(url, schema="elsewhere").binding()


def test_creating_at_once_creates_once(blank: str, tables: Callable[..., SqlTable]) -> None:
    """Four processes that start together and all run init: none fails, and the table is there."""
    made = [tables(blank, schema="photos") for _ in range(4)]
    assert at_once(*(each.create for each in made)) == [None] * 4
    assert made[0].insert(upload())


def test_binding_at_once_binds_once(table: SqlTable) -> None:
    """One stands, and all are told which."""
    bindings = [Binding(f"instance-{number}", "photos", "uploads/") for number in range(8)]
    found = at_once(*(lambda each=each: table.bind(each, overwrite=False) for each in bindings))
    assert len(found) == 8
    assert set(found) == {table.binding()}


# Keys and values


def test_keys_are_collated_by_their_bytes(table: SqlTable) -> None:
    """Whatever the database's own collation is: the columns and every index on them say C."""
    columns = """
        SELECT count(*), count(*) FILTER (WHERE l.collname = 'C') FROM pg_attribute a
        JOIN pg_collation l ON l.oid = a.attcollation
        WHERE a.attrelid = CAST(:name AS regclass) AND a.attname IN ('key', 'replaces')"""
    indexes = """
        SELECT count(*), count(*) FILTER (WHERE l.collname = 'C') FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int[], i.indcollation::oid[]) AS each(number, how)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = each.number AND a.attname = 'key'
        JOIN pg_collation l ON l.oid = each.how WHERE i.indrelid = CAST(:name AS regclass)"""
    with table.engine.connect() as connection:
        found = [tuple(connection.execute(text(asked), {"name": UPLOADS}).one()) for asked in (columns, indexes)]
    assert found == [(2, 2), (5, 5)]


def test_times_do_not_depend_on_the_time_zone(table: SqlTable, url: str, tables: Callable[..., SqlTable]) -> None:
    """What one session wrote another reads as the same moment in UTC, whatever zone either is in."""
    abroad = tables(url, timezone="Asia/Kathmandu")
    abroad.insert(upload(key="uploads/abroad"))
    table.insert(upload(key="uploads/here"))
    for each in (table, abroad):
        for key in keys("abroad", "here"):
            assert each.get(key) == upload(key=key)
            assert each.get(key).due_at.utcoffset().total_seconds() == 0
    assert abroad.select(rows.due(upload().due_at), limit=9) == table.select(rows.due(upload().due_at), limit=9)


def test_metadata_may_hold_whatever_json_can(table: SqlTable) -> None:
    """NUL characters and lone surrogates too, which PostgreSQL's text could not hold."""
    row = upload(metadata={"nul": "a\x00b", "surrogate": "\ud800", "emoji": "\U0001f600", "big": 2**70, "float": 1e-7})
    table.insert(row)
    assert table.get(row.key) == row


# Isolation


@pytest.fixture(params=LEVELS)
def levelled(request: pytest.FixtureRequest, url: str) -> Iterator[SqlTable]:
    """A table on an engine of the application's, which has an isolation level of its own."""
    engine = create_engine(url, isolation_level=request.param)
    table = SqlTable(engine)
    table.bind(BINDING, overwrite=False)
    yield table
    engine.dispose()


def test_an_insert_and_what_goes_with_it_are_one(levelled: SqlTable) -> None:
    """Where the second statement fails the first is undone, even if the application's engine commits each by itself."""
    (old,) = fill(levelled, "old")
    broken = Move(where=EVERY, sets={"reason": "longer than the column is" * 9})
    with pytest.raises(TableError):
        levelled.insert(upload(key="uploads/new"), also=(old, broken))
    assert levelled.get("uploads/new") is None


def test_a_transaction_of_our_own_is_undone_as_a_whole(levelled: SqlTable) -> None:
    """Under whatever level the application chose."""
    (key,) = fill(levelled, "a")
    with pytest.raises(ZeroDivisionError), levelled.begin() as transaction:
        assert transaction.move([key], TOUCH) == {key}
        raise ZeroDivisionError
    assert levelled.get(key) == upload(key=key)


def test_a_transaction_of_our_own_sees_what_others_commit(levelled: SqlTable) -> None:
    """It works on the newest row, never on a snapshot: so a compare-and-set cannot fail to serialize."""
    (key,) = fill(levelled, "a")
    with levelled.begin() as transaction:
        assert transaction.get(key) == upload(key=key)
        assert levelled.move([key], TOUCH) == {key}
        assert transaction.get(key).reason == "touched"
        assert transaction.move([key], CLAIM) == {key}


@pytest.mark.parametrize("level", LEVELS)
def test_the_applications_own_connections_keep_their_level(url: str, level: str) -> None:
    """Also those of the pool that ours were taken from."""
    engine = create_engine(url, isolation_level=level, pool_size=1, max_overflow=0)
    SqlTable(engine).bind(BINDING, overwrite=False)
    with engine.connect() as connection:
        assert connection.connection.dbapi_connection.autocommit is (level == "AUTOCOMMIT")
        assert level in ("AUTOCOMMIT", connection.get_isolation_level())
    engine.dispose()


# Locks


def complete_in(connection: Connection, table: SqlTable, key: str) -> None:
    """Complete as a request handler does, without committing yet."""
    done = Move(where=Where(statuses=(Status.PENDING,)), sets={"status": Status.COMPLETED, "completed_at": NOW})
    assert table.join(connection).move([key], done) == {key}


def test_a_claim_leaves_out_what_is_being_completed(table: SqlTable, application: Engine) -> None:
    """It does not wait for the open transaction; what was left out is found again after a rollback."""
    one, two, three = fill(table, "1", "2", "3")
    with application.connect() as connection:
        complete_in(connection, table, two)
        assert table.move([one, two, three], CLAIM) == {one, three}
        connection.rollback()
    assert table.move([one, two, three], CLAIM) == {two}


def test_a_claim_does_not_take_what_was_completed_meanwhile(table: SqlTable, application: Engine) -> None:
    """After the commit its condition no longer holds."""
    (key,) = fill(table, "1")
    with application.begin() as connection:
        complete_in(connection, table, key)
        assert table.move([key], CLAIM) == set()
    assert table.move([key], CLAIM) == set()
    assert table.get(key).status is Status.COMPLETED


def wait_for_a_waiter(connection: Connection) -> None:
    """Return once another session waits for a lock."""
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    while not connection.execute(asked).scalar_one():
        time.sleep(0.01)


def test_a_move_that_waited_compares_the_newest_row(table: SqlTable, application: Engine) -> None:
    """What was completed and committed while it waited for the lock no longer meets its condition; the others do."""
    one, two = fill(table, "1", "2")
    with ThreadPoolExecutor() as pool, application.connect() as connection, application.connect() as watching:
        complete_in(connection, table, one)
        waiting = pool.submit(table.move, [one, two], replace(CLAIM, skip_locked=False))
        wait_for_a_waiter(watching)
        connection.commit()
        assert waiting.result() == {two}
    assert table.get(one).status is Status.COMPLETED


def test_a_foreign_key_is_not_in_the_way_of_a_claim(table: SqlTable, application: Engine) -> None:
    """An open transaction whose record refers to the row (which locks its key) does not keep it from being claimed."""
    (key,) = fill(table, "1")
    with application.begin() as connection:
        connection.execute(text('CREATE TABLE avatars (photo varchar(1024) COLLATE "C" REFERENCES upload_status (key))'))
    with application.begin() as connection:
        connection.execute(text("INSERT INTO avatars VALUES (:key)"), {"key": key})
        assert table.move([key], CLAIM) == {key}
        connection.rollback()
    with application.begin() as connection:
        connection.execute(text("DROP TABLE avatars"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own writes do not wait long for a lock."""
    monkeypatch.setattr(table_module, "BUSY_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_write_that_must_wait_gives_up(table: SqlTable, application: Engine) -> None:
    """What cannot be left out waits for the lock, but not for ever: TableBusyError, in one line."""
    (key,) = fill(table, "1")
    calls = (lambda: table.move([key], TOUCH), lambda: table.forget([key], EVERY), lambda: table.forget([key, "x"], EVERY))
    with application.connect() as connection:
        complete_in(connection, table, key)
        for call in calls:
            with pytest.raises(TableBusyError, match="lock timeout"):
                call()
        with pytest.raises(TableBusyError, match="lock timeout"), table.begin() as transaction:
            transaction.move([key], TOUCH)


def test_bringing_a_deadline_forward_never_waits(table: SqlTable, application: Engine) -> None:
    """Presigning a replacement for what the same request is just completing would otherwise wait for itself."""
    (old,) = fill(table, "old", due_at=NOW + DAY)
    move = rows.supersede(owner=upload().owner, due_at=NOW)
    with application.connect() as connection:
        complete_in(connection, table, old)
        assert table.insert(upload(key="uploads/new"), also=(old, move)) is True


def test_sweeps_from_both_ends_do_not_deadlock(table: SqlTable) -> None:
    """Moves of many keys lock them in one order, whatever order they are given in."""
    found = fill(table, *(f"{number:03}" for number in range(60)))
    ways = [found, found[::-1], found[30:] + found[:30]]
    for _ in range(3):
        told = at_once(*(lambda way=way: table.move(way, TOUCH) for way in ways))
        assert told == [set(found)] * 3


# Indexes


@pytest.fixture(scope="module", name="large")
def _large(postgres: Postgres) -> Iterator[SqlTable]:
    """Fifty thousand rows: most completed and confirmed, the rest in every other state, as a year leaves them."""
    with postgres.database() as url:
        table = SqlTable(make_engine(url))
        with table.engine.begin() as connection:
            connection.execute(
                text("""
                INSERT INTO upload_status (key, bucket, object_url, status, owner, metadata, created_at, expires_at, due_at,
                                           completed_at, settled_at, confirmed_at, deleted_at)
                SELECT 'uploads/' || md5(n::text), 'photos', 'https://photos.invalid/x', status, 'user:42', '{}', at, at, at,
                       CASE WHEN status = 'completed' THEN at END, CASE WHEN status = 'completed' AND n % 500 > 1 THEN at END,
                       CASE WHEN status = 'completed' AND n % 500 > 5 THEN at END, CASE WHEN status = 'deleted' THEN at END
                FROM (SELECT n, CAST(:now AS timestamptz) - make_interval(mins => n) AS at,
                             CASE n % 50 WHEN 10 THEN 'pending' WHEN 20 THEN 'deleted' WHEN 30 THEN 'deleting'
                                         WHEN 40 THEN 'quarantined' ELSE 'completed' END AS status
                      FROM generate_series(1, :many) AS n) AS drawn"""),
                {"now": NOW, "many": MANY},
            )
        with table.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE upload_status"))
        yield table
        table.engine.dispose()


LAST = upload(key="uploads/8", due_at=NOW - 30 * DAY, settled_at=NOW - 30 * DAY, deleted_at=NOW - 30 * DAY)
PAGES = {
    "every row by key": (EVERY, "key"),
    "due": (rows.due(NOW - 29 * DAY), "due_at"),
    "unfinished": (rows.unfinished(NOW), "due_at"),
    "unsettled": (rows.unsettled(), "key"),
    "unconfirmed": (rows.unconfirmed(NOW, Timing()), "settled_at"),
    "outlived": (rows.outlived(NOW, Timing()), "deleted_at"),
}


def plan_of(table: SqlTable, statement: Any) -> str:
    """Return how PostgreSQL would carry out a statement, with its values in place, as the adapter sends it."""
    with table.engine.connect() as connection:
        compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
        params = compiled.construct_params()
        processed = {
            name: compiled._bind_processors[name](value) if name in compiled._bind_processors else value
            for name, value in params.items()
        }
        return "\n".join(line for (line,) in connection.exec_driver_sql(f"EXPLAIN {compiled}", processed))


def rows_expected(plan: str, node: str) -> list[int]:
    """Return how many rows PostgreSQL expects from each node of a kind."""
    return [int(found) for found in re.findall(rf"{node}.*rows=(\d+)", plan)]


@pytest.mark.parametrize("after", [None, LAST], ids=["first", "later"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_from_an_index(large: SqlTable, name: str, after: Upload | None) -> None:
    """Never by reading the whole table, nor by sorting more than the few rows that meet the condition."""
    where, order = PAGES[name]
    plan = plan_of(large, statements.page(large._uploads, where, order=order, after=after, limit=1000))
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert not [expected for expected in rows_expected(plan, "Sort") if expected > MANY / 10], plan


def test_a_range_of_keys_is_read_in_the_order_of_the_index(large: SqlTable) -> None:
    """Without any sorting: the listing is merged with it page by page."""
    for upto in ("uploads/c", None):
        plan = plan_of(large, statements.between(large._uploads, "uploads/8", upto, limit=1000))
        assert "Index Scan using upload_status_pkey" in plan, plan
        assert "Sort" not in plan, plan


@pytest.mark.parametrize("count", [1, 500])
@pytest.mark.parametrize("move", [CLAIM, rows.bury(now=NOW)], ids=["claim", "bury"])
def test_a_move_uses_an_index(large: SqlTable, move: Move, count: int) -> None:
    """The rows are locked and updated by key or by deadline, whatever the size of the table."""
    with large.engine.connect() as connection:
        asked = text("SELECT key FROM upload_status WHERE status = :status ORDER BY key LIMIT :count")
        found = connection.execute(asked, {"status": move.where.statuses[0].value, "count": count}).scalars().all()
    plan = plan_of(large, statements.move(large._uploads, found, move, statements.POSTGRESQL))
    assert "Seq Scan" not in plan, plan


# Connections


def test_a_server_that_was_restarted_fails_nobody(postgres: Postgres, table: SqlTable, url: str) -> None:
    """Pooled connections are tried before they are used."""
    connections = [table.engine.connect() for _ in range(3)]
    for connection in connections:
        connection.close()
    assert postgres.cut(url) >= 3
    assert table.insert(upload()) is True
    assert table.get(upload().key) == upload()


def test_a_connection_that_is_lost_is_unavailable(postgres: Postgres, table: SqlTable, url: str) -> None:
    """In the middle of a transaction of our own; the next one is given a new connection."""
    (key,) = fill(table, "1")
    with pytest.raises(TableUnavailableError, match=r"^[^\n]+$"), table.begin() as transaction:
        postgres.cut(url)
        transaction.move([key], TOUCH)
    assert table.move([key], TOUCH) == {key}


def test_a_replica_cannot_be_written(table: SqlTable, url: str, tables: Callable[..., SqlTable]) -> None:
    """The error says so in one line, and the hint that the URL must name the primary; reading goes on."""
    replica = tables(url, default_transaction_read_only="on")
    with pytest.raises(TableError, match=r"^the table cannot be written: [^\n]+$") as caught:
        replica.insert(upload())
    assert "primary" in caught.value.hint
    assert replica.binding() == BINDING


def test_a_statement_that_takes_too_long_is_busy(table: SqlTable, application: Engine, url: str, tables: Any) -> None:
    """Where the server or the role limits its time."""
    (key,) = fill(table, "1")
    hasty = tables(url, statement_timeout="100")
    with application.connect() as connection:
        complete_in(connection, table, key)
        with pytest.raises(TableBusyError, match="statement timeout"):
            hasty.move([key], TOUCH)


def test_a_pool_that_is_used_up_is_unavailable(url: str) -> None:
    """All of its connections being held."""
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect(), pytest.raises(TableUnavailableError, match="became free"):
        SqlTable(engine).get("x")
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "words"), [("absent", 'database "absent" does not exist'), ("template0", "not currently accepting")]
)
def test_a_database_that_cannot_be_used_says_so(url: str, tables: Callable[..., SqlTable], name: str, words: str) -> None:
    """In one line."""
    with pytest.raises(TableUnavailableError, match=rf"^[^\n]*{words}[^\n]*$"):
        tables(re.sub(r"/t_\w+\?", f"/{name}?", url)).binding()


def test_a_server_where_nobody_listens_says_so(tables: Callable[..., SqlTable]) -> None:
    """In one line, for every verb, and for the first use."""
    table = tables(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/photos")
    for call in (table.binding, table.create, lambda: table.get("x"), lambda: table.move(["x"], TOUCH)):
        with pytest.raises(TableUnavailableError, match=r"^[^\n]*refused[^\n]*$"):
            call()


def test_a_server_that_never_answers_is_given_up(tables: Callable[..., SqlTable], monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts the connection and says nothing: libpq itself would wait for ever."""
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        table = tables(f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/photos")
        with pytest.raises(TableUnavailableError, match=r"^[^\n]*timeout[^\n]*$"):
            table.binding()


def test_the_url_may_say_how_long_to_wait_for_a_server() -> None:
    """Then that counts."""
    url = "postgresql+psycopg://nobody@127.0.0.1/photos"
    asked = [engine_module._options(make_url(each))["connect_args"] for each in (url, f"{url}?connect_timeout=3")]
    assert asked == [{"connect_timeout": 10}, {}]


def test_a_url_without_a_driver_means_psycopg_3() -> None:
    """Whichever SQLAlchemy's own default is."""
    assert make_engine("postgresql://nobody@127.0.0.1/photos").dialect.driver == "psycopg"


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError) as caught:
        make_engine("postgresql://nobody@127.0.0.1/photos")
    assert "psycopg[binary]" in caught.value.hint
