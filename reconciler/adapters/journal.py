"""The journal of deletions: JSON lines, on disk (or on stderr) before the deletion they announce."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import JournalError
from reconciler.ports import Journal

STDERR = Path("-")


def open_journal(path: Path) -> Journal:
    """Return the journal at a path; `-` is stderr, for machines without a disk of their own."""
    return StderrJournal() if path == STDERR else FileJournal(path)


class FileJournal:
    """Appends to one file. A line is on disk when `write` returns; whoever rotates the file may do so between runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines and flush them to disk, or raise JournalError."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        try:
            with open(self._path, "a", encoding="utf-8", opener=_private) as file:
                file.write(self._mended(text))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error.strerror}") from error

    def _mended(self, text: str) -> str:
        # A line that was cut short by a full disk must not swallow the next one.
        with self._path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return text
            file.seek(-1, os.SEEK_END)
            return text if file.read(1) == b"\n" else f"\n{text}"


class StderrJournal:
    """Writes to stderr, where a container's or a Lambda's logs are gathered: whoever gathers them keeps the journal."""

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write the lines in one go, so that two threads' lines do not mix, and flush; or raise JournalError."""
        try:
            sys.stderr.write("".join(json.dumps(line) + "\n" for line in lines))
            sys.stderr.flush()
        except (OSError, ValueError) as error:  # ValueError: stderr is closed
            raise JournalError(f"the journal cannot be written to stderr: {error}") from error


class ListJournal:
    """Keeps the lines in memory, for demonstrations and tests."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines."""
        self.lines.extend(lines)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
