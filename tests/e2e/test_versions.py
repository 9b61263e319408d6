"""A versioned bucket from end to end, on the server whose lifecycle rules really fire: Ceph, with PostgreSQL as the table.

What expires leaves no bytes behind, what was completed stays, and what the reconciler has deleted comes back while its version is
kept.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_support import Desk, make_desk, one_line
from servers.ceph import DAY_SECONDS
from support import JPEG, OWNER

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

DAYS = 3
NONCURRENT_DAYS = 4
SAFE = {"RETENTION": "2h", "SWEEP_INTERVAL": "1h", "LIFECYCLE_DAYS": str(DAYS), "RELEASE_GRACE": "0"}


@pytest.fixture(params=["ceph"])  # a parameter, so that the known faults know whose rules these tests saw
def desk(request: pytest.FixtureRequest, postgres_table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """Ceph and PostgreSQL; the bucket keeps versions, and the rules for that are installed."""
    desk = make_desk(request.getfixturevalue(request.param), monkeypatch, tmp_path)
    desk.set(**SAFE, NONCURRENT_DAYS=str(NONCURRENT_DAYS))
    desk.keep_versions()
    desk.ok("init")
    desk.ok("install", "--yes")
    return desk


def left(desk: Desk, key: str) -> tuple[list[str], list[str]]:
    """Everything the store still has at the key: the ids of versions, and of delete markers."""
    answer = desk.client.list_object_versions(Bucket=desk.bucket, Prefix=key)
    versions, markers = (answer.get(kind, []) for kind in ("Versions", "DeleteMarkers"))
    return [each["VersionId"] for each in versions], [each["VersionId"] for each in markers]


def in_time(holds: Callable[[], bool], days: int) -> bool:
    """Wait for so many of the store's days, and some more until it has come round."""
    deadline = time.monotonic() + (days + 45) * DAY_SECONDS  # a server with hundreds of buckets comes round late
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.5)
    return False


def deleted(desk: Desk) -> str:
    """Complete, release, sweep; return the key."""
    key = desk.completed()
    desk.ok("release", key)
    desk.ok("sweep")
    return key


def test_expiry_leaves_no_bytes_behind(desk: Desk) -> None:
    """A pending upload expires to a delete marker, then its bytes go, then the marker; the completed one stays as it was."""
    pending, kept = desk.upload(), desk.completed()
    (version,), markers = left(desk, pending)
    assert markers == []
    assert in_time(lambda: not desk.there(pending), DAYS)
    assert left(desk, pending)[0] == [version], "the bytes stay for their noncurrent days"
    assert in_time(lambda: left(desk, pending)[0] == [], NONCURRENT_DAYS)
    assert in_time(lambda: left(desk, pending) == ([], []), DAYS)
    assert (desk.tag(kept), len(left(desk, kept)[0]), left(desk, kept)[1]) == ("completed", 1, [])
    assert desk.client.get_object(Bucket=desk.bucket, Key=kept)["Body"].read() == JPEG
    desk.age(pending)
    desk.ok("sweep")
    assert (desk.status(pending), desk.status(kept)) == ("deleted", "completed")
    assert "no version" in one_line(desk.run("restore", pending, "--yes"))


def test_what_was_deleted_comes_back_while_its_version_is_kept(desk: Desk) -> None:
    """A deletion leaves a delete marker; restore brings back bytes, tag and type, and the rules leave the restored one alone."""
    key = deleted(desk)
    (version,), markers = left(desk, key)
    assert (len(markers), desk.row(key).version_id) == (1, version)
    desk.ok("restore", key, "--yes")
    found = desk.client.get_object(Bucket=desk.bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"], desk.tag(key)) == (JPEG, "image/jpeg", "completed")
    assert in_time(lambda: left(desk, key) == ([found["VersionId"]], []), NONCURRENT_DAYS + DAYS)
    time.sleep((DAYS + 1) * DAY_SECONDS)
    assert (left(desk, key)[0], desk.tag(key)) == ([found["VersionId"]], "completed")
    assert desk.uploads.complete(key, owner=OWNER).version_id == found["VersionId"]
    desk.ok("plan")


def test_after_its_noncurrent_days_nothing_comes_back(desk: Desk) -> None:
    """The bytes are gone, and restore says so in one line."""
    key = deleted(desk)
    assert in_time(lambda: left(desk, key)[0] == [], NONCURRENT_DAYS)
    assert "no version" in one_line(desk.run("restore", key, "--yes"))
    assert desk.status(key) == "deleted"


def test_an_abandoned_upload_that_expired_comes_back(desk: Desk) -> None:
    """Nobody swept, the rule expired it, and the customer calls: its row says that nothing ever came, its version tells more."""
    key = desk.upload()
    assert in_time(lambda: not desk.there(key), DAYS)
    desk.age(key)
    desk.ok("sweep")
    assert (desk.status(key), desk.row(key).reason) == ("deleted", "never-uploaded")
    desk.ok("restore", key, "--yes")
    assert (desk.status(key), desk.tag(key)) == ("completed", "completed")
    time.sleep((DAYS + 1) * DAY_SECONDS)
    assert desk.client.get_object(Bucket=desk.bucket, Key=key)["Body"].read() == JPEG


def test_an_overwritten_one_is_reported_and_restored(desk: Desk) -> None:
    """What was put over a completed upload is marked before the rule sees it; restore puts the completed bytes on top again."""
    key = desk.completed()
    desk.client.put_object(Bucket=desk.bucket, Key=key, Body=b"another", ContentType="image/jpeg", Tagging="status=pending")
    desk.run("apply", "--yes")
    assert desk.tag(key) == "changed"
    result = desk.run("plan")
    assert "report: changed" in result.stderr
    desk.ok("restore", key, "--yes")
    assert (desk.client.get_object(Bucket=desk.bucket, Key=key)["Body"].read(), desk.tag(key)) == (JPEG, "completed")
    desk.ok("plan")


def test_where_versions_are_suspended_what_is_new_is_not_kept(desk: Desk) -> None:
    """The sweep removes it for good; what was completed before the suspension can still be restored."""
    before = desk.completed()
    desk.keep_versions("Suspended")
    desk.ok("check")
    after = desk.completed()
    for key in (before, after):
        desk.ok("release", key)
    desk.ok("sweep")
    assert left(desk, after)[0] == []
    assert "no version" in one_line(desk.run("restore", after, "--yes"))
    desk.ok("restore", before, "--yes")
    assert desk.client.get_object(Bucket=desk.bucket, Key=before)["Body"].read() == JPEG


def test_where_versions_are_suspended_the_rule_leaves_no_bytes(desk: Desk) -> None:
    """What is still pending is gone at once when it expires: there is no version to keep."""
    desk.keep_versions("Suspended")
    pending = desk.upload()
    assert in_time(lambda: left(desk, pending)[0] == [], 0)
