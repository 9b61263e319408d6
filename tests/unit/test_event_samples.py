"""Events as real servers sent them, and as AWS documents them: what each says is taken in, key by key."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.events import Event, read_events

FOLDER = Path(__file__).parents[1] / "events"
SAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}


def meant(written: Any) -> Event:
    """An event as a sample writes it down."""
    return Event(**{**written, "at": datetime.fromisoformat(written["at"]) if written["at"] else None})


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_is_read_as_it_was_meant(name: str) -> None:
    """Bucket, key as it was put, time and name; nothing where nothing has happened to an object of a bucket."""
    sample = SAMPLES[name]
    assert read_events(json.dumps(sample["body"])) == tuple(meant(event) for event in sample["events"])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_says_where_it_came_from(name: str) -> None:
    """Recorded from a server, or written by hand from a document."""
    assert SAMPLES[name]["origin"].startswith(("recorded from ", "written by hand, "))
