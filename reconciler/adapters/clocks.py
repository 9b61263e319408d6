"""A clock that can be moved, for demonstrations and tests. In production it is the database's: adapters/sql/clock.py."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The host's clock, moved forward by hand; or, with `start`, one that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the present moment, moved."""
        return (self._start or datetime.now(UTC)) + self.offset

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.offset += span
