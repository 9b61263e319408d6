"""Where the journal's lines go: to a file, or to stderr where there is no disk to write to."""

import io
import json
import sys
from pathlib import Path

import pytest

from reconciler.adapters.journal import FileJournal, StderrJournal, open_journal
from reconciler.errors import JournalError

LINES = [{"event": "intent", "key": "uploads/a.jpg"}, {"event": "outcome", "key": "uploads/\u00e9\n.jpg"}]


def read(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_path_is_a_file(tmp_path: Path) -> None:
    """Lines are added to those that are there."""
    journal = open_journal(tmp_path / "journal.jsonl")
    assert isinstance(journal, FileJournal)
    journal.write(LINES[:1])
    journal.write(LINES[1:])
    assert read((tmp_path / "journal.jsonl").read_text()) == LINES


def test_a_dash_is_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Nothing is written to disk, nor to stdout, which is for data."""
    open_journal(Path("-")).write(LINES)
    said = capsys.readouterr()
    assert (read(said.err), said.out, list(tmp_path.iterdir())) == (LINES, "", [])


def test_a_file_may_be_named_dash(tmp_path: Path) -> None:
    """Named with its folder."""
    open_journal(tmp_path / "-").write(LINES)
    assert read((tmp_path / "-").read_text()) == LINES


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """It names the file."""
    with pytest.raises(JournalError, match=str(tmp_path)):
        open_journal(tmp_path).write(LINES)


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_stderr_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, or full: then nothing is deleted."""
    closed = io.StringIO()
    closed.close()
    for stream in (closed, Full()):
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(JournalError, match="stderr"):
            StderrJournal().write(LINES)
