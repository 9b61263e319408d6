"""`reconcile restore` as an operator meets it, on moto."""

from datetime import UTC, datetime, timedelta

import cli_support
import pytest
from cli_support import Desk, one_line
from support import JPEG, OWNER

desk = cli_support.desk
cli = cli_support.cli


@pytest.fixture
def kept(cli: Desk) -> Desk:
    """A bucket that keeps versions."""
    cli.keep_versions()
    cli.set(RELEASE_GRACE="0")
    return cli


def deleted(desk: Desk) -> str:
    """Complete, release, sweep; return the key."""
    key = desk.completed()
    desk.ok("release", key)
    desk.ok("sweep")
    assert (desk.status(key), desk.there(key)) == ("deleted", False)
    return key


def test_it_says_what_it_restores_and_does_it(kept: Desk) -> None:
    """Version, size and owner on stderr, nothing on stdout; the object is back as it was."""
    key = deleted(kept)
    (version,) = kept.here.objects.versions(key)
    result = kept.ok("restore", key, "--yes")
    assert result.stdout == ""
    assert all(word in result.stderr for word in (key, version.version_id, OWNER, "is completed"))
    found = kept.client.get_object(Bucket=kept.bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"], kept.tag(key)) == (JPEG, "image/jpeg", "completed")
    assert kept.ok("plan", "--format", "jsonl").stdout == ""


def test_it_asks_first(kept: Desk) -> None:
    """A person may say no, and nothing has changed; a script must say --yes."""
    key = deleted(kept)
    before = kept.state()
    assert kept.run("restore", key).exit_code == 2
    kept.somebody_at_the_terminal()
    assert kept.run("restore", key, input="n\n").exit_code == 1
    assert kept.state() == before
    assert kept.run("restore", key, input="y\n").exit_code == 0
    assert kept.status(key) == "completed"


def test_it_is_journalled(kept: Desk) -> None:
    """In the file that every deletion is written to."""
    key = deleted(kept)
    kept.ok("restore", key, "--yes")
    assert [line["event"] for line in kept.journal()] == ["intent", "outcome", "restoring", "restored"]
    assert {line["key"] for line in kept.journal()} == {key}


def test_a_missing_object_is_told_with_the_way_out(kept: Desk) -> None:
    """The sweep's report names the command that ends it."""
    key = kept.completed()
    kept.client.delete_object(Bucket=kept.bucket, Key=key)
    kept.age(key, settled_at=None)
    assert "reconcile restore KEY" in kept.run("sweep").stderr
    kept.ok("restore", key, "--yes")
    assert "report: " not in kept.ok("sweep").stderr


def test_without_a_row_the_owner_is_asked_for(kept: Desk) -> None:
    """One line that names the option; with it, the object has a row again."""
    key = deleted(kept)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    kept.age(key, deleted_at=long_ago, expires_at=long_ago)
    kept.ok("sweep")
    assert kept.row(key) is None
    assert "--owner" in one_line(kept.run("restore", key, "--yes"))
    kept.ok("restore", key, "--owner", OWNER, "--yes")
    assert kept.status(key) == "completed"


def test_an_old_version_can_be_named(kept: Desk) -> None:
    """Where the bytes differ and the row never noted them."""
    key = kept.upload()
    (old,) = kept.here.objects.versions(key)
    kept.put(key, b"another")
    kept.age(key)
    kept.ok("sweep")
    assert old.version_id in one_line(kept.run("restore", key, "--yes"))
    assert "has no version" in one_line(kept.run("restore", key, "--version-id", "nonsense", "--yes"))
    kept.ok("restore", key, "--version-id", old.version_id, "--yes")
    assert kept.client.get_object(Bucket=kept.bucket, Key=key)["Body"].read() == JPEG


def test_a_bucket_without_versions_is_told(cli: Desk) -> None:
    """In one line."""
    cli.set(RELEASE_GRACE="0")
    assert "keeps no versions" in one_line(cli.run("restore", deleted(cli), "--yes"))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("uploads/2026/11/22/unknown.jpg", "no version"),
        ("elsewhere/a.jpg", "not an upload under the prefix"),
        ("s3://another/uploads/a.jpg", "does not name an object"),
        ("", "the key is empty"),
    ],
)
def test_what_is_no_key_of_ours_is_one_line(kept: Desk, key: str, said: str) -> None:
    """And nothing is asked."""
    assert said in one_line(kept.run("restore", key))


def test_a_table_that_was_never_made_is_one_line(desk: Desk) -> None:
    """With what to do."""
    assert "reconcile init" in one_line(desk.run("restore", "uploads/a.jpg", "--yes"))


def test_a_key_is_needed(desk: Desk) -> None:
    """Without one it is wrong usage."""
    assert desk.run("restore").exit_code == 2
