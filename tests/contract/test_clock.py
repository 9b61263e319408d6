"""The database's clock: PostgreSQL's own, asked once a minute, and the host's for SQLite."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.postgres import Postgres
from sqlalchemy import Engine, create_engine, event, text

from reconciler.adapters.sql import DatabaseClock, clock, make_engine
from reconciler.demo.servers import free_ports
from reconciler.errors import TableUnavailableError

SECOND = timedelta(seconds=1)
# Found before PostgreSQL's own function, because the connection's search_path says so.
FAST = """
    CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS 'SELECT pg_catalog.clock_timestamp() + interval ''{}'''
"""


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """A database whose clock goes ahead of the host's by an hour."""
    with postgres.database(migrated=False) as found:
        set_ahead(found, "1 hour")
        yield f"{found}&options=-csearch_path%3Dpublic,pg_catalog%20-ctimezone%3DAsia/Kathmandu"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine with a single connection."""
    made = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    yield made
    made.dispose()


def set_ahead(url: str, span: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP FUNCTION IF EXISTS public.clock_timestamp()"))
        connection.execute(text(FAST.format(span)))
    engine.dispose()


def ahead(found: DatabaseClock) -> timedelta:
    return found.now() - datetime.now(UTC)


def about(span: timedelta) -> object:
    return pytest.approx(span.total_seconds(), abs=5)


def connections(engine: Engine) -> list[object]:
    """Return a list that grows with every connection the engine, or a copy of its pool, makes."""
    made: list[object] = []
    event.listen(engine, "connect", lambda connection, _: made.append(connection))
    return made


def test_the_time_is_the_databases(engine: Engine) -> None:
    """Not the host's, and in UTC, whatever the session's time zone is."""
    found = DatabaseClock(engine)
    assert ahead(found).total_seconds() == about(timedelta(hours=1))
    assert found.now().utcoffset() == timedelta()


def test_time_passes_without_asking(engine: Engine) -> None:
    """Thousands of questions cost one connection, and each is answered with a later moment than the one before it."""
    made = connections(engine)
    found = DatabaseClock(engine)
    moments = [found.now() for _ in range(5000)]
    assert moments == sorted(moments)
    assert moments[0] < moments[-1]
    assert len(made) == 1


def test_the_clock_is_read_again_after_a_minute(engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it follows the database's, and not before."""
    found = DatabaseClock(engine)
    found.now()
    set_ahead(url, "3 hours")
    assert ahead(found).total_seconds() == about(timedelta(hours=1))
    monkeypatch.setattr(clock, "READING_SECONDS", 0.0)
    assert ahead(found).total_seconds() == about(timedelta(hours=3))


def test_asking_takes_no_connection_from_the_pool(engine: Engine) -> None:
    """A thread that holds the pool's only connection can ask for the time, and leaves nothing open behind it."""
    with engine.connect():
        assert ahead(DatabaseClock(engine)).total_seconds() == about(timedelta(hours=1))
    with engine.connect() as connection:
        asked = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()")
        assert connection.execute(asked).scalar_one() == 0


def test_many_threads_ask_once(engine: Engine) -> None:
    """The first of them asks, the others wait for its answer."""
    made = connections(engine)
    found = DatabaseClock(engine)
    with ThreadPoolExecutor(16) as pool:
        spans = list(pool.map(lambda _: ahead(found).total_seconds(), range(64)))
    assert spans == [about(timedelta(hours=1))] * 64
    assert len(made) == 1


def test_nobody_waits_for_whoever_asks_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread reads the clock again, the others count on from the reading there is."""
    found = DatabaseClock(engine)
    found.now()
    monkeypatch.setattr(clock, "READING_SECONDS", 0.0)
    made = connections(engine)
    with found._lock, ThreadPoolExecutor(1) as pool:
        assert pool.submit(ahead, found).result(timeout=10).total_seconds() == about(timedelta(hours=1))
    assert made == []


def test_a_clock_that_cannot_be_read_says_so() -> None:
    """At first, and again at the next question: nothing is made up, and nothing stays locked."""
    engine = make_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/photos")
    found = DatabaseClock(engine)
    for _ in range(2):
        with pytest.raises(TableUnavailableError, match="refused"):
            found.now()
    engine.dispose()


def test_sqlites_clock_is_the_hosts(tmp_path: Path) -> None:
    """Without any query: the file is not even created."""
    engine = make_engine(f"sqlite:///{tmp_path / 'table.db'}")
    assert abs(ahead(DatabaseClock(engine))) < SECOND
    assert not (tmp_path / "table.db").exists()
    engine.dispose()


def test_where_it_cannot_be_asked_it_is_asked_again_a_minute_later(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts on from its last reading for ten minutes, and a plan does not wait for the database at every key."""
    found, passed, asked = DatabaseClock(engine), [0.0], []
    found.now()
    monotonic = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + passed[0])

    def fail(_: DatabaseClock) -> None:
        asked.append(passed[0])
        raise TableUnavailableError

    monkeypatch.setattr(DatabaseClock, "_ask", fail)
    for passed[0] in (30, 61, 62, 100, 122, 590):
        assert ahead(found).total_seconds() == about(timedelta(hours=1, seconds=passed[0]))
    assert asked == [61, 122, 590]
    passed[0] = 660
    with pytest.raises(TableUnavailableError):
        found.now()
