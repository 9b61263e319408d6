"""`reconcile watch` at an operator's desk: replaying a file, bad input, and what it says at the end."""

import json

import pytest
from cli_support import Desk, cli, desk
from events_support import body

__all__ = ["cli", "desk"]


def write(desk: Desk, *lines: str) -> str:
    """A file of messages, one a line."""
    (desk.folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return "events.jsonl"


def test_a_file_is_replayed(cli: Desk) -> None:
    """Each line is a message; what the keys need is done, and counted on stdout."""
    stored, kept = cli.upload(), cli.completed()
    cli.retag(kept, "pending")
    file = write(cli, body(cli.bucket, stored), "", body(cli.bucket, kept, "logs/x"), '{"Event": "s3:TestEvent"}')
    result = cli.ok("watch", "--from", file, "--format", "json")
    found = json.loads(result.stdout)
    assert found["counts"] == {"received": 3, "acknowledged": 3, "failed": 0, "events": 3, "ignored": 1, "applied": 2}
    assert (found["source"], found["ok"]) == ("file", True)
    assert found["lag_seconds"] > 0
    row = cli.row(stored)
    assert row is not None
    assert row.stored_at is not None
    assert cli.tag(kept) == "completed"


def test_replaying_twice_changes_nothing(cli: Desk) -> None:
    """The second time everything is kept."""
    file = write(cli, body(cli.bucket, cli.upload(), cli.completed()))
    cli.ok("watch", "--from", file)
    before = cli.state()
    assert json.loads(cli.ok("watch", "--from", file, "--format", "json").stdout)["counts"]["kept"] == 2
    assert cli.state() == before


def test_standard_input_is_replayed(cli: Desk) -> None:
    """A dash takes what a pipe brings."""
    key = cli.upload()
    result = cli.run("watch", "--from", "-", input=body(cli.bucket, key) + "\n")
    assert result.exit_code == 0
    row = cli.row(key)
    assert row is not None
    assert row.stored_at is not None


def test_a_line_that_is_no_event_is_named(cli: Desk) -> None:
    """Its number and what is wrong with it go to stderr; the others are done, and the exit code says partial."""
    key = cli.upload()
    result = cli.run("watch", "--from", write(cli, body(cli.bucket, key), "poison"))
    assert result.exit_code == 5
    assert "failed: message 2: the message is not JSON" in result.stderr
    row = cli.row(key)
    assert row is not None
    assert row.stored_at is not None


def test_a_file_that_is_not_there_is_an_error(cli: Desk) -> None:
    """One line says so."""
    result = cli.run("watch", "--from", "nothing.jsonl")
    assert result.exit_code == 1
    assert "error: nothing.jsonl cannot be read: No such file or directory" in result.stderr


def test_what_is_no_text_fails_line_by_line(cli: Desk) -> None:
    """A line of other bytes among a thousand good ones is named, and no other is passed over."""
    good = body(cli.bucket, cli.upload()).encode()
    (cli.folder / "events.jsonl").write_bytes(b"\n".join([*[good] * 500, b"\xff\xd8", *[good] * 500]))
    result = cli.run("watch", "--from", "events.jsonl", "--format", "json")
    assert result.exit_code == 5
    assert "failed: message 501: the message is not JSON" in result.stderr
    assert json.loads(result.stdout)["counts"]["received"] == 1001


@pytest.mark.parametrize("args", [(), ("--from", "a", "--sqs", "https://sqs.invalid/1/q")], ids=["none", "two"])
def test_there_is_exactly_one_source(cli: Desk, args: tuple[str, ...]) -> None:
    """Where events come from has to be said, once."""
    result = cli.run("watch", *args)
    assert result.exit_code == 2
    assert "--sqs" in result.stderr


def test_it_needs_a_bound_table(desk: Desk) -> None:
    """Before init there is nothing to keep in step."""
    result = desk.run("watch", "--from", write(desk, body(desk.bucket, "uploads/x")))
    assert result.exit_code == 1
    assert "reconcile init" in result.stderr
