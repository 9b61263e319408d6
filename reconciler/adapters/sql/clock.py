"""The database's clock: the one that every process looks at, however many hosts they run on and however their clocks differ.

Asking it costs a round trip, and a plan wants to know the time for every key. So it is read once a minute, and counted on from
there with this host's monotonic clock, which nobody sets.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic

from sqlalchemy import Engine, func, select

from reconciler.adapters.sql.errors import mapped
from reconciler.adapters.sql.statements import POSTGRESQL
from reconciler.errors import TableError
from reconciler.logs import get_logger

READING_SECONDS = 60.0  # for how long one reading is counted on from: two clocks drift apart by milliseconds in that time
STALE_SECONDS = 600.0  # how long where the database could not be asked again: a grace is a matter of hours

log = get_logger()


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the database said, when it said so, and when it was last asked (both by the monotonic clock)."""

    moment: datetime
    at: float
    asked: float

    def age(self) -> float:
        return monotonic() - self.at

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=self.age())


class DatabaseClock:
    """PostgreSQL's `clock_timestamp()`; for SQLite, which runs on this host, the host's clock without any query.

    It reads on a connection of its own, beside the pool: a thread that holds the pool's last connection may ask for the time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading: _Reading | None = None
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the present moment as aware UTC. Raises TableUnavailableError where the database cannot be asked."""
        if self._engine.dialect.name != POSTGRESQL:
            return datetime.now(UTC)
        reading = self._reading
        if reading is None or monotonic() - reading.asked > READING_SECONDS:
            reading = self._renewed(reading)
        return reading.now()

    def _renewed(self, old: _Reading | None) -> _Reading:
        """Read the clock again, in one thread; the others go on counting from the old reading, if there is one."""
        if not self._lock.acquire(blocking=old is None) and old is not None:
            return old
        try:
            if self._reading is None or self._reading is old:
                self._reading = self._ask_or(old)
            return self._reading
        finally:
            self._lock.release()

    def _ask_or(self, old: _Reading | None) -> _Reading:
        """Read the clock again; where that fails, count on for another while from a reading that is not very old."""
        try:
            return self._ask()
        except TableError as error:
            if old is None or old.age() > STALE_SECONDS:
                raise
            log.warning("database_clock_not_read", error=error.message)
            return replace(old, asked=monotonic())

    def _ask(self) -> _Reading:
        beside_the_pool = Engine(self._engine.pool.recreate(), self._engine.dialect, self._engine.url)
        try:
            with mapped(), beside_the_pool.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                before = monotonic()
                moment = connection.execute(select(func.clock_timestamp())).scalar_one()
                after = monotonic()
        finally:
            beside_the_pool.dispose()
        return _Reading(moment.astimezone(UTC), (before + after) / 2, after)
