"""The journal of deletions: a file of JSON lines, on disk before the deletion it announces."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import JournalError


class FileJournal:
    """Appends to one file. A line is on disk when `write` returns; whoever rotates the file may do so between runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines and flush them to disk, or raise JournalError."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        try:
            with open(self._path, "a", encoding="utf-8", opener=_private) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error.strerror}") from error


class ListJournal:
    """Keeps the lines in memory, for demonstrations and tests."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines."""
        self.lines.extend(lines)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
