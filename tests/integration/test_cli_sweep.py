"""sweep on the command line: the nightly job, its exit codes, its log and its journal."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import cli_support
import pytest
from cli_support import Desk, one_line, shared_client
from support import JPEG

from reconciler.adapters.s3 import S3Objects
from reconciler.adapters.sql import SqlTable
from reconciler.errors import TableBusyError
from reconciler.ports import Target

desk, cli, real_cli = cli_support.desk, cli_support.cli, cli_support.real_cli


def events(stderr: str) -> list[dict[str, Any]]:
    """The log's lines."""
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def refuse(desk: Desk, *refused: str) -> None:
    """Let S3 refuse to delete these keys, for a reason of its own."""
    delete = S3Objects.delete

    def partly(self: S3Objects, targets: Sequence[Target]) -> Mapping[str, str]:
        errors = delete(self, [target for target in targets if target.key not in refused])
        return {**errors, **dict.fromkeys(refused, "InternalError We encountered an internal error.")}

    desk.patch.setattr(S3Objects, "delete", partly)


def test_abandoned_uploads_go_and_all_others_stay(cli: Desk) -> None:
    """One sweep deletes what is due, leaves what is completed or young, and exits with 0."""
    gone, kept, young = cli.abandoned(), cli.completed(), cli.upload()
    result = cli.ok("sweep")
    assert "1 object" in result.stderr
    assert [cli.there(key) for key in (gone, kept, young)] == [False, True, True]
    assert [cli.status(key) for key in (gone, kept, young)] == ["deleted", "completed", "pending"]


def test_a_second_sweep_has_nothing_to_do(cli: Desk) -> None:
    """After a sweep the next one takes no action and changes nothing."""
    cli.abandoned()
    cli.ok("sweep")
    before = cli.state()
    assert "0 actions" in cli.ok("sweep").stderr
    assert cli.state() == before


@pytest.mark.server
def test_the_whole_round_on_a_server_that_verifies(real_cli: Desk) -> None:
    """On SeaweedFS: install, upload, complete, abandon, plan, sweep, and nothing is left to do."""
    cli = real_cli
    cli.ok("install", "-y")
    cli.ok("check")
    gone, kept = cli.abandoned(), cli.completed()
    assert cli.run("plan").exit_code == 3
    cli.ok("sweep")
    assert (cli.there(gone), cli.there(kept), cli.tag(kept)) == (False, True, "completed")
    cli.ok("plan")
    cli.ok("show", kept, "--why")


def test_a_row_that_never_saw_an_object_is_closed(cli: Desk) -> None:
    """A due row without an object becomes deleted, without a line in the journal."""
    key = cli.presigned()
    cli.age(key)
    cli.ok("sweep")
    assert (cli.status(key), cli.journal()) == ("deleted", [])


def test_a_failed_deletion_is_5_and_named(cli: Desk) -> None:
    """Where S3 refuses one key the others go, the exit code is 5, and stderr names the key and S3's reason."""
    gone, stays = cli.abandoned(), cli.abandoned()
    refuse(cli, stays)
    result = cli.run("sweep")
    assert result.exit_code == 5
    assert f"failed: delete: {stays}: InternalError" in result.stderr
    assert gone not in result.stderr
    assert (cli.there(gone), cli.there(stays), cli.status(stays)) == (False, True, "deleting")


def test_a_failed_deletion_is_finished_by_the_next_run(cli: Desk) -> None:
    """What one sweep could not delete, the next one does."""
    key = cli.abandoned()
    with cli.patch.context() as patch:
        refuse(Desk(cli.client, cli.bucket, cli.folder, patch), key)
        assert cli.run("sweep").exit_code == 5
    assert "finish-deletion" in cli.run("plan", "--sweep").stdout
    cli.ok("sweep")
    assert (cli.there(key), cli.status(key)) == (False, "deleted")


def test_a_failed_deletion_fails_apply_as_well(cli: Desk) -> None:
    """Apply exits with 5 where a key could not be deleted, also under --fail-on-report."""
    refuse(cli, cli.abandoned())
    assert cli.run("apply", "--yes", "--fail-on-report").exit_code == 5


def test_the_run_is_one_json_line_on_stderr(cli: Desk) -> None:
    """Without a terminal the run's summary is one JSON event, with level and time."""
    cli.abandoned()
    (line,) = events(cli.ok("sweep").stderr)
    assert line.items() >= {"event": "run_finished", "finder": "sweep", "deleted": 1, "failed": 0, "reported": 0}.items()
    assert line["bytes_deleted"] == len(JPEG)
    assert {"level", "timestamp", "run", "seconds"} <= set(line)


def test_verbose_logs_every_action(cli: Desk) -> None:
    """-v adds one event an action, with the key and what became of it."""
    key = cli.abandoned()
    acted = [line for line in events(cli.ok("-v", "sweep").stderr) if line["event"] == "acted"]
    assert [(line["action"], line["key"], line["fate"]) for line in acted] == [("delete", key, "done")]


def test_the_journal_holds_intent_and_outcome(cli: Desk) -> None:
    """Each deletion is two lines of JSON, the first one written before it, with whose the object was."""
    key = cli.abandoned()
    cli.ok("sweep")
    intent, outcome = cli.journal()
    assert (intent["event"], intent["key"], intent["reason"]) == ("intent", key, "abandoned")
    assert (intent["row"]["owner"], intent["row"]["filename"]) == ("user:42", "me.jpg")
    assert (outcome["event"], outcome["key"], outcome["outcome"]) == ("outcome", key, "deleted")
    assert intent["run"] == outcome["run"]


def test_the_journal_knows_the_size_that_was_signed(cli: Desk) -> None:
    """The intent names the bytes that are about to go, as the run's own summary does."""
    cli.abandoned()
    cli.ok("sweep")
    assert cli.journal()[0]["size"] == len(JPEG)


def test_the_journal_tells_of_a_failure(cli: Desk) -> None:
    """A deletion that S3 refused has the reason in its outcome line."""
    refuse(cli, cli.abandoned())
    cli.run("sweep")
    assert cli.journal()[1]["outcome"] == "failed"
    assert "InternalError" in cli.journal()[1]["error"]


def test_the_journal_grows_and_is_private(cli: Desk) -> None:
    """A second run appends to the journal; nobody else may read it."""
    for _ in range(2):
        cli.abandoned()
        cli.ok("sweep")
    assert len(cli.journal()) == 4
    assert (cli.folder / "reconciler-journal.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("args", [("sweep",), ("apply", "--yes")], ids=lambda args: args[0])
def test_no_journal_no_deletion(cli: Desk, args: tuple[str, ...]) -> None:
    """A journal in a folder that does not exist exits with 1 and names the setting; nothing is deleted."""
    key = cli.abandoned()
    cli.set(JOURNAL="no/such/journal.jsonl")
    result = cli.run(*args)
    assert result.exit_code == 1
    assert "error: the journal no/such/journal.jsonl" in result.stderr
    assert "RECONCILER_JOURNAL" in result.stderr
    assert cli.there(key)


def test_a_journal_that_was_missing_costs_nothing(cli: Desk) -> None:
    """Once the journal can be written, the next sweep deletes what the refused one left."""
    key = cli.abandoned()
    cli.set(JOURNAL="later/journal.jsonl")
    assert cli.run("sweep").exit_code == 1
    (cli.folder / "later").mkdir()
    cli.ok("sweep")
    assert not cli.there(key)
    assert len(cli.journal("later/journal.jsonl")) == 2


def test_a_disputed_upload_is_reported_and_kept(cli: Desk) -> None:
    """Sweep keeps a due upload whose tag says completed, reports it with advice, and exits with 0."""
    key = cli.disputed()
    result = cli.ok("sweep")
    assert f"report: disputed: {key}" in result.stderr
    assert cli.there(key)


def test_many_disputes_are_refused(cli: Desk) -> None:
    """More than ten disputed uploads stop the run with 4: the table looks like a restored backup."""
    kept = [cli.disputed() for _ in range(11)]
    abandoned = cli.abandoned()
    result = cli.run("sweep")
    assert result.exit_code == 4
    assert "restored backup" in result.stderr
    assert all(cli.there(key) for key in (*kept, abandoned))


def test_neighbours_of_a_dispute_are_held_back(cli: Desk) -> None:
    """A due upload tagged completing is given time while another is disputed, and --accept-restored deletes it."""
    cli.disputed()
    key = cli.abandoned()
    cli.retag(key, "completing")
    cli.ok("sweep")
    assert cli.there(key)
    cli.age(key)
    assert f"held-back: {key}" in cli.ok("sweep").stderr
    assert cli.there(key)
    cli.ok("sweep", "--accept-restored")
    assert not cli.there(key)


def test_a_bucket_without_its_marker_is_refused(cli: Desk) -> None:
    """A bucket that does not name this table as its own is refused with 4, and init is named as the way out."""
    key = cli.abandoned()
    cli.client.delete_object(Bucket=cli.bucket, Key="uploads/.reconciler/instance.json")
    result = cli.run("sweep")
    assert result.exit_code == 4
    assert "reconcile init" in result.stderr
    assert cli.there(key)


def test_another_prefix_is_refused(cli: Desk) -> None:
    """A table bound to one prefix is not swept under another."""
    cli.set(PREFIX="other/")
    assert "other/" in one_line(cli.run("sweep"), 4)


def test_a_released_upload_is_deleted_after_its_grace(cli: Desk) -> None:
    """With a release grace of nothing the sweep that follows deletes what was released."""
    key = cli.completed()
    cli.set(RELEASE_GRACE="0")
    cli.ok("release", key)
    cli.ok("sweep")
    assert (cli.there(key), cli.status(key)) == (False, "deleted")


def test_a_run_that_cannot_be_recorded_still_tells_what_it_did(cli: Desk) -> None:
    """Where the table is busy only when the run is to be recorded, what was deleted is told all the same."""

    def busy(*_: Any) -> None:
        raise TableBusyError

    cli.abandoned()
    cli.patch.setattr(SqlTable, "record_run", busy)
    result = cli.run("sweep")
    assert "Traceback" not in result.output
    assert "1 object" in result.stderr.partition("\n")[2]


def test_a_json_sweep_counts_what_it_did(cli: Desk) -> None:
    """Sweep --format json names the run, the counts and each outcome."""
    key = cli.abandoned()
    found = json.loads(cli.ok("sweep", "--format", "json").stdout)
    assert (found["counts"], found["deleted"], found["bytes_deleted"]) == ({"delete: done": 1}, 1, len(JPEG))
    assert [(line["action"]["key"], line["fate"]) for line in found["outcomes"]] == [(key, "done")]


def test_the_journal_may_be_stderr(cli: Desk) -> None:
    """As RECONCILER_JOURNAL=- : each deletion is there before and after, and no file is written."""
    cli.set(JOURNAL="-")
    key = cli.abandoned()
    result = cli.ok("sweep")
    lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines if line.get("key") == key] == ["intent", "outcome"]
    assert not (cli.folder / "-").exists()
    assert cli.journal() == []


@pytest.mark.parametrize(("bulk", "requests"), [("true", {"DeleteObjects": 1}), ("false", {"DeleteObject": 3})])
def test_a_store_that_cannot_delete_in_bulk_is_asked_singly(cli: Desk, bulk: str, requests: dict[str, int]) -> None:
    """As RECONCILER_BULK_DELETE says."""
    cli.set(BULK_DELETE=bulk)
    keys = [cli.abandoned() for _ in range(3)]
    asked: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        asked[model.name] += 1

    client: Any = shared_client(connections=10)  # the one that commands use
    client.meta.events.register("before-call.s3", note, unique_id="counted")
    try:
        cli.ok("sweep")
    finally:
        client.meta.events.unregister("before-call.s3", unique_id="counted")
    assert {name: count for name, count in asked.items() if name.startswith("DeleteObject")} == requests
    assert [cli.there(key) for key in keys] == [False] * 3
