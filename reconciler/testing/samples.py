"""What the suites of the table ports work on: sample rows, the two moves that race, and callers that come at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

from reconciler.core.model import Status, Upload
from reconciler.core.rows import Move, Where
from reconciler.ports import Table
from reconciler.testing.keys import PREFIX

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLAIM = Move(where=Where(statuses=(Status.PENDING,)), sets={"status": Status.DELETING, "reason": "abandoned"})
COMPLETE = Move(where=Where(statuses=(Status.PENDING,)), sets={"status": Status.COMPLETED, "completed_at": NOW})


def key_of(number: int) -> str:
    """Return one of many keys, in the order of their numbers."""
    return f"{PREFIX}{number:04}"


def a_row(key: str = f"{PREFIX}one", **given: Any) -> Upload:
    """Return a pending row, due in a day."""
    values = {
        "bucket": "photos",
        "object_url": f"https://photos.invalid/{key}",
        "status": Status.PENDING,
        "owner": "user:42",
        "created_at": NOW,
        "expires_at": NOW + HOUR,
        "due_at": NOW + 24 * HOUR,
    }
    return Upload(key=key, **{**values, **given})


def status_of(table: Table, key: str) -> Status:
    """Return the status of a row that is there."""
    found = table.get(key)
    assert found is not None
    return found.status


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call each in a thread of its own, at the same moment, and return what they returned or raised."""
    barrier = Barrier(len(calls))
    returned: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        try:
            returned[place] = calls[place]()
        except Exception as error:  # noqa: BLE001  the test compares it
            returned[place] = error

    threads = [Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return returned
