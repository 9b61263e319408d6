"""list, show, adopt, release and accept on the command line."""

import json
from typing import Any

import cli_support
import pytest
from cli_support import Desk, no_secret_in, one_line
from support import JPEG, OWNER

desk, cli = cli_support.desk, cli_support.cli


def listed(desk: Desk, *args: object) -> list[str]:
    """The keys that `list` prints."""
    return [json.loads(line)["key"] for line in desk.ok("list", "--format", "jsonl", *args).stdout.splitlines()]


def test_list_shows_every_upload_oldest_first(cli: Desk) -> None:
    """List prints each row once, the oldest first."""
    keys = [cli.presigned() for _ in range(3)]
    text = cli.ok("list").stdout
    assert listed(cli) == keys
    assert sorted(keys, key=text.index) == keys


def test_list_of_an_empty_table(cli: Desk) -> None:
    """An empty table lists as nothing, and as an empty JSON list."""
    assert json.loads(cli.ok("list", "--format", "json").stdout) == []
    assert listed(cli) == []


def test_what_users_typed_is_printed_as_it_is(cli: Desk) -> None:
    """An owner, a filename or metadata that look like markup stand in list and show as they are."""
    asked = {"content_type": "image/jpeg", "size": 9, "owner": "org[/b]/[red]me"}
    key = cli.uploads.presign(filename="[bold]me.jpg", metadata={"note": "[/i]"}, **asked).key
    assert "org[/b]/[red]me" in cli.ok("list").stdout
    text = cli.ok("show", key).stdout
    assert "[bold]me.jpg" in text
    assert "[/i]" in text


def test_list_filters(cli: Desk) -> None:
    """--status, --owner and --due narrow the list, alone and together."""
    done, due, theirs = cli.completed(), cli.presigned(), cli.upload(owner="user:7")
    cli.age(due)
    assert listed(cli, "--status", "completed") == [done]
    assert listed(cli, "--owner", "user:7") == [theirs]
    assert listed(cli, "--due") == [due]
    assert listed(cli, "--status", "completed", "--status", "pending") == [done, due, theirs]
    assert listed(cli, "--status", "completed", "--due") == []


def test_due_means_what_a_sweep_would_look_at(cli: Desk) -> None:
    """--due leaves out completed and deleted rows, whose deadline no longer matters."""
    done, gone, due = cli.completed(), cli.abandoned(), cli.presigned()
    cli.ok("sweep")
    cli.age(done, due)
    assert (cli.status(gone), listed(cli, "--due")) == ("deleted", [due])


@pytest.mark.parametrize("option", ["--status=nonsense", "--limit=0", "--limit=x", "--format=xml"])
def test_a_bad_filter_is_wrong_usage(cli: Desk, option: str) -> None:
    """A filter that cannot be is refused with 2."""
    assert cli.run("list", option).exit_code == 2


def test_a_limit_is_told(cli: Desk) -> None:
    """Where more rows match than are shown, stderr says how many; stdout stays data."""
    for _ in range(3):
        cli.presigned()
    result = cli.ok("list", "--limit", 2)
    assert "2 of 3" in result.stderr
    assert len(listed(cli, "--limit", 2)) == 2


def test_a_limit_is_told_beside_json(cli: Desk) -> None:
    """A list cut short says so on stderr, whatever the format."""
    for _ in range(3):
        cli.presigned()
    assert "2 of 3" in cli.ok("list", "--limit", 2, "--format", "json").stderr


def test_show_a_row_with_its_object(cli: Desk) -> None:
    """Show prints row, object and tag."""
    key = cli.completed()
    found = json.loads(cli.ok("show", key, "--format", "json").stdout)
    assert (found["key"], found["row"]["status"], found["row"]["owner"]) == (key, "completed", OWNER)
    assert (found["object"]["size"], found["object"]["tag"]) == (len(JPEG), "completed")
    assert "decision" not in found


def test_show_as_text_names_the_same_facts(cli: Desk) -> None:
    """Show without a format prints a fact a line."""
    text = cli.ok("show", cli.completed()).stdout
    assert "row status" in text
    assert "object tag" in text
    assert "None" not in text


def test_show_a_row_without_an_object(cli: Desk) -> None:
    """Show says that there is no object."""
    found = json.loads(cli.ok("show", cli.presigned(), "--format", "jsonl").stdout)
    assert (found["row"]["status"], found["object"]) == ("pending", None)


def test_show_an_object_without_a_row(cli: Desk) -> None:
    """Show says that there is no row."""
    found = json.loads(cli.ok("show", cli.put("uploads/untracked.jpg"), "--why", "--format", "json").stdout)
    assert (found["row"], found["object"]["tag"]) == (None, "none")
    assert found["decision"]["reason"] == "too-young"


def test_show_nothing_is_an_error(cli: Desk) -> None:
    """A key with neither row nor object exits with 1."""
    assert "neither a row nor an object" in one_line(cli.run("show", "uploads/nope.jpg"))


@pytest.mark.parametrize(
    "reference", ["other/nope.jpg", "uploads/", "uploads/.reconciler/instance.json", "", "s3://other/uploads/a"]
)
def test_show_of_what_is_not_ours_is_an_error(cli: Desk, reference: str) -> None:
    """A key outside the prefix, another bucket's, or reconciler's own exits with 1 and one line."""
    one_line(cli.run("show", reference))


def test_show_takes_a_url(cli: Desk) -> None:
    """Show accepts s3:// and the object's URL, also one that is signed, and never repeats a signature."""
    ticket = cli.uploads.presign(filename="a.jpg", content_type="image/jpeg", size=9, owner=OWNER)
    for reference in (f"s3://{cli.bucket}/{ticket.key}", ticket.url.partition("?")[0], ticket.url):
        result = cli.ok("show", reference)
        assert ticket.key in result.stdout
        no_secret_in(result.output)


def test_a_signed_url_of_another_bucket_is_not_repeated(cli: Desk) -> None:
    """An error about a URL leaves its signature out."""
    ticket = cli.uploads.presign(filename="a.jpg", content_type="image/jpeg", size=9, owner=OWNER)
    no_secret_in(one_line(cli.run("show", ticket.url.replace(cli.bucket, "another"))))


def _due_without_object(desk: Desk) -> str:
    desk.age(key := desk.presigned())
    return key


def _missing(desk: Desk) -> str:
    key = desk.completed()
    desk.client.delete_object(Bucket=desk.bucket, Key=key)
    return key


def _swept(desk: Desk) -> str:
    key = desk.abandoned()
    desk.ok("sweep")
    return key


def _released(desk: Desk) -> str:
    key = desk.completed()
    desk.ok("release", key)
    return key


WHY = [
    (Desk.presigned, "keep", "awaiting-upload", "still time"),
    (Desk.upload, "record-stored", "stored", "has arrived"),
    (Desk.abandoned, "delete", "abandoned", "never submitted"),
    (_due_without_object, "tombstone", "never-uploaded", "nothing was ever uploaded"),
    (Desk.completed, "keep", "in-sync", "completed"),
    (Desk.disputed, "report", "disputed", "lost a commit"),
    (Desk.changed, "mark-changed", "changed", "overwrote"),
    (_missing, "report", "missing", "no object"),
    (_swept, "keep", "tombstone", "It was deleted"),
    (_released, "keep", "released", "released"),
]


@pytest.mark.parametrize(("make", "action", "reason", "words"), WHY, ids=lambda value: value if isinstance(value, str) else "")
def test_show_says_why(cli: Desk, make: Any, action: str, reason: str, words: str) -> None:
    """Show --why names what would be decided, the reason, and the reason in words."""
    key = make(cli)
    text = cli.ok("show", key, "--why").stdout
    assert f"now: {action} ({reason})" in text
    assert words in text
    found = json.loads(cli.ok("show", key, "--why", "--format", "json").stdout)["decision"]
    assert (found["action"], found["reason"]) == (action, reason)


def test_show_decides_as_plan_does(cli: Desk) -> None:
    """Show --why and plan agree on a key."""
    key = cli.abandoned()
    (action,) = json.loads(cli.run("plan", "--format", "json").stdout)["actions"]
    decision = json.loads(cli.ok("show", key, "--why", "--format", "json").stdout)["decision"]
    assert (action["kind"], action["reason"]) == (decision["action"], decision["reason"])


def test_adopt_settles_a_dispute_for_the_object(cli: Desk) -> None:
    """Adopt makes a disputed upload completed; nothing is left to report or to do."""
    key = cli.disputed()
    result = cli.ok("adopt", key)
    assert (result.stdout, cli.status(key), cli.tag(key)) == ("", "completed", "completed")
    assert f"{key} is completed" in result.stderr
    assert "0 actions" in cli.ok("plan", "--fail-on-report").stderr


def test_adopt_takes_an_object_without_a_row(cli: Desk) -> None:
    """Adopt --owner gives an untracked object a completed row."""
    key = cli.put("uploads/imported.jpg")
    cli.ok("adopt", key, "--owner", "user:7")
    row = cli.row(key)
    assert row is not None
    assert (row.status.value, row.owner, cli.tag(key)) == ("completed", "user:7", "completed")


def test_adopt_wants_an_owner_for_an_object_without_a_row(cli: Desk) -> None:
    """Adopt of an untracked object without --owner is refused and names the option."""
    key = cli.put("uploads/imported.jpg")
    assert "--owner" in one_line(cli.run("adopt", key))
    assert cli.row(key) is None


@pytest.mark.parametrize("make", [Desk.upload, Desk.completed, Desk.abandoned, _swept, _missing, _due_without_object])
@pytest.mark.parametrize("command", ["adopt", "accept"])
def test_a_word_that_nobody_waits_for_is_refused(cli: Desk, make: Any, command: str) -> None:
    """Adopt and accept exit with 1 where nothing is disputed or changed, and change nothing."""
    key = make(cli)
    before = cli.state()
    one_line(cli.run(command, key))
    assert cli.state() == before


@pytest.mark.parametrize("make", [Desk.upload, _swept])
def test_release_of_what_is_not_completed_is_refused(cli: Desk, make: Any) -> None:
    """Release exits with 1 for uploads that are pending or deleted; nothing changes."""
    key = make(cli)
    before = cli.state()
    one_line(cli.run("release", key))
    assert cli.state() == before


def test_release_lets_a_completed_upload_go_later(cli: Desk) -> None:
    """Release names the day until which the object is kept, and keeps it until then."""
    key = cli.completed()
    row = cli.row(key)
    result = cli.ok("release", key)
    after = cli.row(key)
    assert row is not None
    assert after is not None
    assert (after.status.value, (after.due_at - row.created_at).days) == ("deleting", 7)
    assert f"after {after.due_at:%Y-%m-%d}" in result.stderr
    cli.ok("sweep")
    assert cli.there(key)


def test_release_settles_a_dispute_for_the_table(cli: Desk) -> None:
    """Release of a disputed upload ends the dispute; the object goes after the grace."""
    key = cli.disputed()
    cli.ok("release", key)
    assert cli.status(key) == "deleting"
    cli.ok("plan", "--fail-on-report")


def test_release_twice_is_refused_or_the_same(cli: Desk) -> None:
    """A second release does not prolong the grace."""
    key = _released(cli)
    before = cli.row(key)
    cli.run("release", key)
    assert cli.row(key) == before


def test_release_ends_a_missing_row(cli: Desk) -> None:
    """Release of a completed row whose object is gone ends the report."""
    key = _missing(cli)
    assert f"missing: {key}" in cli.ok("plan").stderr
    cli.ok("release", key)
    cli.ok("plan", "--fail-on-report")


def test_accept_takes_the_new_object(cli: Desk) -> None:
    """Accept of an overwritten object ends the report; its row then has the new etag."""
    key = cli.changed()
    assert f"changed: {key}" in cli.ok("apply", "-y").stderr
    cli.ok("accept", key)
    assert (cli.tag(key), cli.status(key)) == ("completed", "completed")
    cli.ok("plan", "--fail-on-report")


@pytest.mark.parametrize("command", ["show", "adopt", "release", "accept"])
def test_a_key_is_needed(cli: Desk, command: str) -> None:
    """Without a key these commands are wrong usage."""
    assert cli.run(command).exit_code == 2


@pytest.mark.parametrize("command", ["adopt", "release", "accept"])
def test_an_unknown_key_is_an_error(cli: Desk, command: str) -> None:
    """A key with neither row nor object exits with 1 and one line that names it."""
    assert "uploads/nope.jpg" in one_line(cli.run(command, "uploads/nope.jpg"))


@pytest.mark.parametrize("command", ["adopt", "release", "accept"])
def test_a_command_takes_a_url(cli: Desk, command: str) -> None:
    """The operator may paste the object's URL."""
    key = {"adopt": Desk.disputed, "release": Desk.completed, "accept": Desk.changed}[command](cli)
    cli.ok(command, f"s3://{cli.bucket}/{key}")
