"""What every run needs beside S3 and the table: the time, and a journal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol


class Clock(Protocol):
    """The time that the table's conditions are compared with. Any number of threads may ask at once."""

    def now(self) -> datetime:
        """Return the present moment as aware UTC, cheaply: a plan asks for every key. May raise TableError."""
        ...


class Journal(Protocol):
    """Where every deletion, and every restoration, is written down: the intent before it, the outcome after it."""

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write lines and flush them to disk before returning; raises JournalError."""
        ...
