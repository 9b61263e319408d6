"""Which version a restoration takes, as a table."""

from datetime import timedelta

import pytest
from unit.builders import DAY, ETAG, KEY, NOW, OTHER_ETAG, upload

from reconciler.core import rows
from reconciler.core.model import ObjectVersion, Status, Upload
from reconciler.core.versions import choose_version
from reconciler.errors import NothingToRestoreError


def version(name: str, etag: str = ETAG) -> ObjectVersion:
    return ObjectVersion(version_id=name, etag=etag, size=1000, last_modified=NOW - timedelta(days=2))


def tombstone(etag: str | None = ETAG, version_id: str | None = None) -> Upload:
    return upload(Status.DELETED, etag=etag, version_id=version_id, deleted_at=NOW)


COMPLETED, REPLAYED, TWIN = version("v1"), version("v2", OTHER_ETAG), version("v3")


@pytest.mark.parametrize(
    ("row", "versions", "asked", "chosen"),
    [
        pytest.param(tombstone(version_id="v1"), [TWIN, REPLAYED, COMPLETED], None, "v1", id="the one that was completed"),
        pytest.param(tombstone(), [TWIN, REPLAYED, COMPLETED], None, "v3", id="the newest with the etag"),
        pytest.param(tombstone(), [REPLAYED, COMPLETED], None, "v1", id="never a later one with other bytes"),
        pytest.param(tombstone(version_id="v0"), [TWIN, REPLAYED], None, "v3", id="a twin of the one that is gone"),
        pytest.param(tombstone(etag=None), [TWIN, COMPLETED], None, "v3", id="no etag known, all the same bytes"),
        pytest.param(None, [COMPLETED], None, "v1", id="no row, all the same bytes"),
        pytest.param(tombstone(version_id="v1"), [REPLAYED, COMPLETED], "v2", "v2", id="the one asked for"),
        pytest.param(None, [REPLAYED, COMPLETED], "v1", "v1", id="no row, the one asked for"),
    ],
)
def test_the_version_is_chosen(row: Upload | None, versions: list[ObjectVersion], asked: str | None, chosen: str) -> None:
    """By its id, else by its bytes, else by the operator's word."""
    assert choose_version(KEY, versions, row, version_id=asked).version_id == chosen


@pytest.mark.parametrize(
    ("row", "versions", "asked", "said"),
    [
        pytest.param(tombstone(version_id="v1"), [], None, "is left", id="nothing left"),
        pytest.param(tombstone(version_id="v1"), [REPLAYED], None, "1 with other bytes", id="only other bytes left"),
        pytest.param(tombstone(etag=None), [], None, "is left", id="no etag known, nothing left"),
        pytest.param(tombstone(etag=None), [REPLAYED, COMPLETED], None, "different ones", id="no etag known, different bytes"),
        pytest.param(None, [REPLAYED, COMPLETED], None, "different ones", id="no row, different bytes"),
        pytest.param(tombstone(), [COMPLETED], "v9", "no version 'v9'", id="not the one asked for"),
    ],
)
def test_where_nothing_tells_which_it_is_refused(
    row: Upload | None, versions: list[ObjectVersion], asked: str | None, said: str
) -> None:
    """With what to do about it."""
    with pytest.raises(NothingToRestoreError, match=said) as caught:
        choose_version(KEY, versions, row, version_id=asked)
    assert caught.value.hint


def test_the_hint_names_the_versions_there_are() -> None:
    """So that the operator can say which."""
    with pytest.raises(NothingToRestoreError) as caught:
        choose_version(KEY, [REPLAYED, COMPLETED], None)
    assert "v2, v1" in caught.value.hint


def test_a_restored_row_keeps_when_it_was_completed() -> None:
    """A released one was completed then; one that was swept as abandoned is completed now."""
    released = upload(Status.DELETED, completed_at=NOW - DAY, deleted_at=NOW)
    swept = upload(Status.DELETED, completed_at=None, deleted_at=NOW)
    found = [rows.restore(row, COMPLETED, owner="user:42", now=NOW).sets["completed_at"] for row in (released, swept)]
    assert found == [NOW - DAY, NOW]


@pytest.mark.parametrize(("name", "pin"), [("v1", "v1"), ("null", None)])
def test_a_row_holds_no_version_null(name: str, pin: str | None) -> None:
    """As the facts of a HEAD hold none."""
    assert rows.restore(tombstone(), version(name), owner="user:42", now=NOW).sets["version_id"] == pin
