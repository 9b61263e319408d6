"""Clocks: the system's, and one that can be moved, for demonstrations and tests."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The host's clock. For SQLite it is the database's clock as well: both run on this machine."""

    def now(self) -> datetime:
        """Return the present moment as aware UTC."""
        return datetime.now(UTC)


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
