"""plan and apply on the command line."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cli_support
import pytest
from cli_support import SHORT, UPLOADS, Desk, one_line
from support import JPEG, OWNER

from reconciler.adapters.s3 import S3Objects
from reconciler.errors import StoreUnavailableError

desk, cli = cli_support.desk, cli_support.cli


def many(desk: Desk, count: int) -> None:
    """Add uploads of an older day that are due, with their objects."""
    then = datetime.now(UTC) - timedelta(days=2)
    keys = [f"uploads/2026/01/01/{number:08d}.jpg" for number in range(count)]
    same = {"bucket": desk.bucket, "object_url": "https://example.org/", "status": "pending", "owner": OWNER, "metadata": {}}
    times = dict.fromkeys(("created_at", "expires_at", "due_at"), then)
    with desk.here.table.engine.begin() as connection:
        connection.execute(UPLOADS.insert(), [{"key": key, **same, **times} for key in keys])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(desk.put, keys))


def test_nothing_to_do_is_0(cli: Desk) -> None:
    """A plan without actions exits with 0."""
    assert "0 actions" in cli.ok("plan").stderr


def test_something_to_do_is_3_and_changes_nothing(cli: Desk) -> None:
    """A plan with actions exits with 3, shows them on stdout, and writes nothing."""
    key = cli.abandoned()
    before = cli.state()
    result = cli.run("plan")
    assert result.exit_code == 3
    assert key in result.stdout
    assert "abandoned" in result.stdout
    assert cli.state() == before


def test_a_mass_deletion_is_4(cli: Desk) -> None:
    """A plan that apply would refuse exits with 4, and says which flag would allow it."""
    many(cli, 60)
    result = cli.run("plan", "--sweep")
    assert result.exit_code == 4
    assert "apply would refuse" in result.stderr
    assert "--max-delete 60" in result.stderr


@pytest.mark.parametrize("args", [("apply", "--yes"), ("sweep",)], ids=["apply", "sweep"])
def test_a_mass_deletion_is_refused_as_a_whole(cli: Desk, args: tuple[str, ...]) -> None:
    """Sixty deletions of sixty rows exit with 4, and nothing at all has changed."""
    many(cli, 60)
    before = cli.state()
    result = cli.run(*args)
    assert result.exit_code == 4
    assert "error: 60 deletions of 60" in result.stderr
    assert cli.state() == before
    assert cli.journal() == []


def test_max_delete_allows_one_run(cli: Desk) -> None:
    """--max-delete as named by the hint lets the same deletions through."""
    many(cli, 60)
    result = cli.ok("sweep", "--max-delete", 60)
    assert "60 objects deleted" in result.stderr
    assert cli.run("plan", "--max-delete", 60).exit_code == 0


def test_max_delete_is_an_upper_limit_too(cli: Desk) -> None:
    """--max-delete 0 refuses a single deletion."""
    key = cli.abandoned()
    assert cli.run("plan", "--max-delete", 0).exit_code == 4
    assert cli.run("sweep", "--max-delete", 0).exit_code == 4
    assert cli.there(key)


@pytest.mark.parametrize("output", ["json", "jsonl"])
@pytest.mark.parametrize("args", [("plan",), ("plan", "--sweep"), ("sweep",), ("apply", "--yes")], ids=" ".join)
def test_stdout_is_data_alone(cli: Desk, args: tuple[str, ...], output: str) -> None:
    """With --format json or jsonl stdout parses as such, whatever else there is to say."""
    cli.abandoned()
    cli.disputed()
    text = cli.run(*args, "--format", output).stdout
    found = [json.loads(line) for line in text.splitlines()] if output == "jsonl" else json.loads(text)
    assert found


def test_a_plan_as_json_is_the_plan(cli: Desk) -> None:
    """The JSON names each action with its kind, key, reason and the facts behind it."""
    key = cli.abandoned()
    found = json.loads(cli.run("plan", "--format", "json").stdout)
    (action,) = found["actions"]
    assert (action["kind"], action["key"], action["reason"]) == ("delete", key, "abandoned")
    assert (action["facts"]["tag"], action["facts"]["size"]) == ("pending", len(JPEG))
    assert (found["bucket"], found["finder"]) == (cli.bucket, "listing")


def test_a_table_is_cut_and_says_so(cli: Desk) -> None:
    """A plan of more than twenty actions shows twenty and counts the rest on stderr."""
    many(cli, 23)
    result = cli.run("plan")
    assert result.stdout.count("uploads/2026/01/01/") == 20
    assert "3 more" in result.stderr


def test_a_long_key_is_never_cut(cli: Desk) -> None:
    """A table without a terminal is as wide as its keys, so that they can be copied out of it."""
    key = f"uploads/{'x' * 240}.jpg"
    cli.put(key)
    cli.later(timedelta(minutes=5))
    for name, value in SHORT.items():
        cli.patch.setenv(name, value)
    assert key in cli.run("plan", "--untracked", "delete").stdout


def test_sweep_plan_does_not_see_untracked_objects(cli: Desk) -> None:
    """Plan --sweep reads the table alone."""
    key, extra = cli.abandoned(), cli.put("uploads/untracked.jpg")
    result = cli.run("plan", "--sweep", "--format", "json")
    assert [action["key"] for action in json.loads(result.stdout)["actions"]] == [key]
    assert extra not in result.output


@pytest.mark.parametrize("args", [("--since", "3d"), ("--tags",), ("--untracked", "delete")], ids=" ".join)
def test_a_sweep_plan_takes_no_options_of_the_listing(cli: Desk, args: tuple[str, ...]) -> None:
    """Plan --sweep with an option of the listing is wrong usage."""
    assert cli.run("plan", "--sweep", *args).exit_code == 2


def test_since_looks_at_recent_days_only(cli: Desk) -> None:
    """Plan --since 1d leaves out keys of older days."""
    many(cli, 1)
    recent = cli.abandoned()
    found = json.loads(cli.run("plan", "--since", "1d", "--format", "json").stdout)
    assert [action["key"] for action in found["actions"]] == [recent]
    assert found["finder"] == "since"


@pytest.mark.parametrize("span", ["soon", "3", "", "-1d", "1.5h"])
def test_a_bad_span_is_wrong_usage(cli: Desk, span: str) -> None:
    """--since refuses what is no duration, and says what would be one."""
    result = cli.run("plan", "--since", span)
    assert result.exit_code == 2
    assert "15m" in result.stderr


def test_a_span_before_the_calendar_is_no_bug(cli: Desk) -> None:
    """A --since that reaches back before the year 1 is told in words, not as an unexpected error."""
    assert "unexpected" not in cli.run("plan", "--since", "999999d").output


def test_since_nothing_is_no_whole_listing(cli: Desk) -> None:
    """--since 0 looks at today at most, and is not taken for no --since at all."""
    cli.abandoned()
    result = cli.run("plan", "--since", "0", "--format", "json")
    assert result.exit_code == 2 or json.loads(result.stdout)["finder"] == "since"


@pytest.mark.parametrize("name", ["[/b].jpg", "[red]x.jpg", "a b+c%2F&é.jpg"])
def test_any_key_is_printed_as_it_is(cli: Desk, name: str) -> None:
    """A key that looks like markup stands in the table as it is, and breaks nothing."""
    old_untracked(cli)
    cli.put(f"uploads/{name}")
    result = cli.run("plan", "--untracked", "delete")
    assert result.exit_code == 3
    assert f"uploads/{name}" in result.stdout


def test_a_key_cannot_speak_to_the_terminal(cli: Desk) -> None:
    """Control characters in somebody's key are not sent to the operator's terminal."""
    old_untracked(cli)
    cli.put("uploads/\x1b]0;gotcha\x07.jpg")
    assert "\x1b]0;" not in cli.run("plan").output
    assert "\x1b]0;" not in cli.run("plan", "--untracked", "delete").output


def test_untracked_objects_are_reported_only(cli: Desk) -> None:
    """An old object without a row is reported on stderr with what would remove it; the exit code is 0."""
    key = old_untracked(cli)
    result = cli.ok("plan")
    assert f"report: untracked: {key}" in result.stderr
    assert "--untracked delete" in result.stderr
    assert cli.run("plan", "--fail-on-report").exit_code == 3


def old_untracked(desk: Desk, tag: str | None = None) -> str:
    """Put an object without a row and let it grow older than the shortest retention; return its key."""
    for name, value in SHORT.items():
        desk.patch.setenv(name, value)
    key = desk.put("uploads/untracked.jpg")
    if tag:
        desk.retag(key, tag)
    desk.completed()  # a bucket whose table is empty is refused
    desk.later(timedelta(minutes=5))
    return key


def test_untracked_objects_are_deleted_when_asked_for(cli: Desk) -> None:
    """Apply --untracked delete deletes the old object without a row, and keeps no row of it."""
    key = old_untracked(cli)
    cli.ok("apply", "--untracked", "delete", "--yes")
    assert not cli.there(key)
    assert cli.here.table.get(key) is None


def test_untracked_objects_are_quarantined_when_asked_for(cli: Desk) -> None:
    """Apply --untracked quarantine tags the object and gives it a row; the object stays for now."""
    key = old_untracked(cli)
    cli.ok("apply", "--untracked", "quarantine", "--yes")
    assert (cli.tag(key), cli.status(key)) == ("quarantined", "quarantined")


def test_an_untracked_object_tagged_completed_is_never_deleted(cli: Desk) -> None:
    """Asked to delete untracked objects, apply only reports the one that is tagged completed."""
    key = old_untracked(cli, "completed")
    result = cli.ok("apply", "--untracked", "delete", "--yes")
    assert f"report: disputed: {key}" in result.stderr
    assert cli.there(key)


def test_a_young_untracked_object_is_left_alone(cli: Desk) -> None:
    """An object without a row is not even mentioned before it is as old as the retention."""
    cli.completed()
    key = cli.put("uploads/untracked.jpg")
    assert key not in cli.ok("apply", "--untracked", "delete", "--yes").output
    assert cli.there(key)


def test_a_disputed_upload_is_reported_with_advice(cli: Desk) -> None:
    """A due upload tagged completed is kept, and the report names adopt and release."""
    key = cli.disputed()
    result = cli.ok("apply", "--yes")
    assert f"report: disputed: {key}" in result.stderr
    assert "reconcile adopt" in result.stderr
    assert cli.there(key)


@pytest.mark.parametrize("args", [("plan",), ("plan", "--sweep"), ("apply", "--yes"), ("sweep",)], ids=" ".join)
def test_reports_fail_only_where_asked(cli: Desk, args: tuple[str, ...]) -> None:
    """Reports alone exit with 0, and with 3 under --fail-on-report."""
    cli.disputed()
    assert cli.run(*args).exit_code == 0
    assert cli.run(*args, "--fail-on-report").exit_code == 3


def test_a_report_is_told_once(cli: Desk) -> None:
    """Each key that somebody should look at stands on stderr once."""
    key = cli.changed()
    result = cli.run("apply", "--yes")
    assert cli.tag(key) == "changed"
    assert result.stderr.count(key) == 1


def test_tags_are_read_where_asked_for(cli: Desk) -> None:
    """A completed object that somebody retagged is seen by --tags alone, and mended by apply --tags."""
    key = cli.completed()
    cli.retag(key, "pending")
    cli.ok("plan")
    assert "settle" in cli.run("plan", "--tags").stdout
    cli.ok("apply", "--tags", "--yes")
    assert cli.tag(key) == "completed"


def test_a_key_that_s3_does_not_answer_for_is_5(cli: Desk) -> None:
    """Where S3 fails for one key, the plan goes on with the others, names it as unknown, and exits with 5."""
    gone, silent = cli.abandoned(), cli.abandoned()
    tags = S3Objects.tags

    def failing(self: S3Objects, key: str) -> Mapping[str, str]:
        if key == silent:
            raise StoreUnavailableError
        return tags(self, key)

    with cli.patch.context() as patch:
        patch.setattr(S3Objects, "tags", failing)
        for args in (("plan",), ("plan", "--sweep"), ("sweep",)):
            result = cli.run(*args)
            assert result.exit_code == 5
            assert f"unknown: {silent}" in result.stderr
    assert (cli.there(gone), cli.there(silent), cli.status(silent)) == (False, True, "pending")
    cli.ok("sweep")
    assert not cli.there(silent)


# Plan files


def plan_file(desk: Desk, name: str = "plan.json") -> Path:
    """Write a plan that deletes one abandoned upload."""
    assert desk.run("plan", "-o", name).exit_code == 3
    return desk.folder / name


def test_a_plan_file_says_how_to_go_on(cli: Desk) -> None:
    """Plan -o writes the file for this user alone, leaves stdout empty, and names the command that applies it."""
    cli.abandoned()
    result = cli.run("plan", "-o", "plan.json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "reconcile apply plan.json" in result.stderr
    assert (cli.folder / "plan.json").stat().st_mode & 0o777 == 0o600


def test_a_plan_file_is_private_even_where_one_was(cli: Desk) -> None:
    """A plan written over a file that everybody could read is readable by this user alone."""
    cli.abandoned()
    (cli.folder / "plan.json").touch(0o644)
    assert plan_file(cli).stat().st_mode & 0o077 == 0


def test_apply_carries_a_plan_file_out_without_asking(cli: Desk) -> None:
    """Apply FILE deletes what the file says, asks nobody, and exits with 0."""
    key = cli.abandoned()
    result = cli.ok("apply", plan_file(cli))
    assert "1 object" in result.stderr
    assert not cli.there(key)
    assert cli.status(key) == "deleted"


def test_a_plan_file_applied_again_changes_nothing(cli: Desk) -> None:
    """The second time every action is skipped; the exit code is 0."""
    cli.abandoned()
    path = plan_file(cli)
    cli.ok("apply", path)
    before, lines = cli.state(), len(cli.journal())
    result = json.loads(cli.ok("apply", path, "--format", "json").stdout)
    assert result["counts"] == {"delete: skipped": 1}
    assert (cli.state(), len(cli.journal())) == (before, lines)


def test_a_plan_file_does_exactly_what_it_says(cli: Desk) -> None:
    """What became due after the plan was written is left alone."""
    first = cli.abandoned()
    path = plan_file(cli)
    second = cli.abandoned()
    cli.ok("apply", path)
    assert (cli.there(first), cli.there(second)) == (False, True)


def test_what_moved_since_the_plan_is_skipped(cli: Desk) -> None:
    """An upload completed after the plan was written is not deleted."""
    key = cli.abandoned()
    path = plan_file(cli)
    cli.age(key, due_at=datetime.now(UTC) + timedelta(hours=1))
    cli.uploads.complete(key, owner=OWNER)
    cli.ok("apply", path)
    assert (cli.there(key), cli.status(key), cli.tag(key)) == (True, "completed", "completed")


def edited(path: Path, edit: Callable[[Any], Any]) -> Path:
    """Change a plan file by hand."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path


def _age(content: Any) -> None:
    content["created_at"] = (datetime.now(UTC) - timedelta(hours=7)).isoformat()


def _date_ahead(content: Any) -> None:
    content["created_at"] = (datetime.now(UTC) + timedelta(hours=7)).isoformat()


def _of_another_bucket(content: Any) -> None:
    content["bucket"] = "another"


def _of_another_instance(content: Any) -> None:
    content["instance_id"] = "00000000-0000-0000-0000-000000000000"


def _outside(content: Any) -> None:
    content["actions"][0]["key"] = "elsewhere/photo.jpg"


def _at_the_marker(content: Any) -> None:
    content["actions"][0]["key"] = "uploads/.reconciler/instance.json"


REFUSED = [_age, _date_ahead, _of_another_bucket, _of_another_instance, _outside, _at_the_marker]


@pytest.mark.parametrize("edit", REFUSED, ids=lambda edit: edit.__name__)
def test_an_unsafe_plan_file_is_refused(cli: Desk, edit: Callable[[Any], Any]) -> None:
    """A plan that is stale, from the future, another's, or reaches outside exits with 4 and changes nothing."""
    cli.put("elsewhere/photo.jpg")
    cli.abandoned()
    path = edited(plan_file(cli), edit)
    before = cli.state()
    one_line(cli.run("apply", path), 4)
    assert cli.state() == before
    assert cli.journal() == []


def forgetting(desk: Desk, *keys: str) -> Path:
    """Write a plan whose only actions are to forget these keys."""
    desk.abandoned()
    path = plan_file(desk)
    (action,) = [each for each in json.loads(path.read_text())["actions"] if each["kind"] == "delete"]
    actions = [{**action, "kind": "forget", "reason": "outlived", "key": key} for key in keys]
    return edited(path, lambda content: content.update(actions=actions))


@pytest.mark.parametrize("make", [Desk.completed, Desk.upload, Desk.disputed])
def test_forgetting_what_is_no_tombstone_is_skipped(cli: Desk, make: Callable[[Desk], str]) -> None:
    """A plan that forgets a key whose row is no outlived tombstone (any more) deletes neither row nor object."""
    key = make(cli)
    result = cli.run("apply", forgetting(cli, key))
    assert (cli.there(key), cli.status(key) is not None) == (True, True), result.output


def test_a_plan_that_only_forgets_is_guarded_as_well(cli: Desk) -> None:
    """Forgetting deletes at its keys once more, so a plan of another bucket that only forgets is refused with 4."""
    path = edited(forgetting(cli, cli.completed()), _of_another_instance)
    assert cli.run("apply", path).exit_code == 4


def _other_version(content: Any) -> None:
    content["version"] = 2


def _unknown_action(content: Any) -> None:
    content["actions"][0]["kind"] = "destroy"


def _without_bucket(content: Any) -> None:
    del content["bucket"]


def _naive_time(content: Any) -> None:
    content["created_at"] = "2026-01-01T00:00:00"


@pytest.mark.parametrize("edit", [_other_version, _unknown_action, _without_bucket, _naive_time], ids=lambda edit: edit.__name__)
def test_a_plan_file_of_another_shape_is_an_error(cli: Desk, edit: Callable[[Any], Any]) -> None:
    """A plan file that this version would not have written exits with 1 and names what is wrong in one line."""
    cli.abandoned()
    path = edited(plan_file(cli), edit)
    assert str(path) in one_line(cli.run("apply", path))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\ufeff{}", "not json", '{"version": 1}'])
def test_a_file_that_is_no_plan_is_an_error(cli: Desk, text: str) -> None:
    """Anything but a plan exits with 1 and one line."""
    (cli.folder / "plan.json").write_text(text)
    assert "reconcile plan -o" in one_line(cli.run("apply", "plan.json"))


def test_a_truncated_plan_file_is_an_error(cli: Desk) -> None:
    """A plan file that was cut short exits with 1 and changes nothing."""
    key = cli.abandoned()
    path = plan_file(cli)
    path.write_bytes(path.read_bytes()[:-20])
    one_line(cli.run("apply", path))
    assert cli.there(key)


def test_a_binary_plan_file_is_an_error(cli: Desk) -> None:
    """Bytes that are no text exit with 1 and one line."""
    (cli.folder / "plan.json").write_bytes(JPEG)
    one_line(cli.run("apply", "plan.json"))


def test_a_plan_file_that_is_not_there_is_an_error(cli: Desk) -> None:
    """A missing plan file exits with 1 and one line."""
    assert "nope.json" in one_line(cli.run("apply", "nope.json"))


def test_a_plan_that_cannot_be_written_is_an_error(cli: Desk) -> None:
    """A folder that does not exist exits with 1 and one line."""
    assert "no/such" in one_line(cli.run("plan", "-o", "no/such/plan.json"))


@pytest.mark.parametrize(
    "args", [("--since", "3d"), ("--untracked", "delete"), ("--tags",), ("--accept-restored",)], ids=" ".join
)
def test_a_plan_file_takes_no_planning_options(cli: Desk, args: str) -> None:
    """Apply FILE with an option of planning is wrong usage."""
    cli.abandoned()
    assert cli.run("apply", plan_file(cli), args).exit_code == 2


def test_max_delete_holds_for_a_plan_file(cli: Desk) -> None:
    """Apply FILE --max-delete refuses a larger plan, and without it applies."""
    cli.abandoned()
    path = plan_file(cli)
    assert cli.run("apply", path, "--max-delete", 0).exit_code == 4
    cli.ok("apply", path, "--max-delete", 1)


# Asking


def test_apply_needs_somebody_to_ask(cli: Desk) -> None:
    """Without a terminal and without --yes apply exits with 2 and changes nothing."""
    cli.abandoned()
    before = cli.state()
    result = cli.run("apply")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert cli.state() == before


@pytest.mark.parametrize(("answer", "code", "stays"), [("n\n", 1, True), ("\n", 1, True), ("", 1, True), ("y\n", 0, False)])
def test_apply_asks_at_a_terminal(cli: Desk, answer: str, code: int, stays: bool) -> None:
    """At a terminal apply shows the plan and asks; anything but yes changes nothing."""
    key = cli.abandoned()
    cli.somebody_at_the_terminal()
    result = cli.run("apply", input=answer)
    assert result.exit_code == code
    assert key in result.stdout
    assert "1 of them deletions?" in result.stderr
    assert cli.there(key) is stays


def test_apply_asks_nobody_where_there_is_nothing_to_do(cli: Desk) -> None:
    """An empty plan is applied without --yes."""
    cli.ok("apply")


def test_apply_converges(cli: Desk) -> None:
    """After one apply the next plan has nothing left to do."""
    cli.completed()
    cli.abandoned()
    cli.upload()
    cli.age(cli.presigned())
    cli.ok("apply", "--yes")
    cli.ok("plan")
    assert "0 actions" in cli.ok("plan", "--sweep").stderr
