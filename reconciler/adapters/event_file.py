"""Events from a file of JSON lines, one message a line: to replay what a dead-letter queue or an archive holds."""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TextIO

from reconciler.errors import EventSourceError
from reconciler.ports import Message

BATCH = 100


class EventFile:
    """EventQueue over the lines of one file; `-` stands for standard input. A message's id is the number of its line."""

    name = "file"
    patience: float | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()
        self._lines = enumerate(self._file, 1)
        self._lock = Lock()

    def _open(self) -> TextIO:
        if str(self._path) == "-":
            return sys.stdin
        try:
            return self._path.open(encoding="utf-8", errors="replace")  # what is no text is no event, line by line
        except OSError as error:
            raise EventSourceError(f"{self._path} cannot be read: {error.strerror}", hint="name a file of JSON lines") from error

    def receive(self) -> Sequence[Message] | None:
        """Return the next lines that are not empty; None at the end."""
        with self._lock:
            if self._file.closed:
                return None
            try:
                lines = list(islice(self._lines, BATCH))
            except OSError as error:
                raise EventSourceError(f"{self._path} cannot be read: {error.strerror}") from error
        found = [Message(str(number), line) for number, line in lines if line.strip()]
        return found or ([] if lines else None)

    def done(self, messages: Sequence[Message]) -> None:
        """Leave the file as it is: replaying it once more does no harm."""

    def failed(self, messages: Sequence[Message]) -> None:
        """Leave the file as it is; the watcher says which lines failed."""

    def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: nobody else reads it."""

    def close(self) -> None:
        """Read no further."""
        with self._lock:
            self._file.close()
