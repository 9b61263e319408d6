"""init, install, check and policy on the command line."""

import json
from pathlib import Path
from typing import Any

import cli_support
import pytest
from cli_support import Desk, invoke, one_line

from reconciler.adapters import documents
from reconciler.core.keys import marker_key

desk, cli = cli_support.desk, cli_support.cli

FOREIGN = {
    "ID": "logs",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 3},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 5},
}


def test_init_binds_bucket_and_table(desk: Desk) -> None:
    """Init exits with 0, says so on stderr alone, and leaves a marker tagged `system`."""
    result = desk.ok("init")
    assert result.stdout == ""
    assert "bound" in result.stderr
    assert desk.tag(marker_key("uploads/")) == "system"


def test_init_again_changes_nothing(cli: Desk) -> None:
    """A second init finds everything in place and keeps the instance."""
    before = cli.here.table.binding()
    assert "already bound" in cli.ok("init").stderr
    assert cli.here.table.binding() == before


def test_init_after_the_marker_was_lost_writes_it_again(cli: Desk) -> None:
    """Init on a bound table writes a marker that is missing, for the same instance."""
    cli.client.delete_object(Bucket=cli.bucket, Key=marker_key("uploads/"))
    assert "marker written" in cli.ok("init").stderr
    assert cli.here.objects.marker(marker_key("uploads/"))[0] == cli.here.table.binding()


def test_one_table_serves_one_prefix(cli: Desk) -> None:
    """Init of a bound table for another prefix is refused, and no marker is written there."""
    cli.set(PREFIX="other/")
    assert "other/" in one_line(cli.run("init"), 4)
    assert not cli.there(marker_key("other/"))


def test_init_refuses_a_prefix_of_another_table(cli: Desk) -> None:
    """A new table is not bound to a prefix that has a marker; the hint names --rebind."""
    cli.set(TABLE_URL="sqlite:///another.db")
    assert "--rebind" in one_line(cli.run("init"), 4)


def test_rebind_is_the_operators_word(cli: Desk) -> None:
    """Init --rebind gives bucket and new table a new common instance, and the old table is refused from then on."""
    old = cli.here.table.binding()
    cli.set(TABLE_URL="sqlite:///another.db")
    assert cli.run("init", "--rebind").exit_code == 2
    cli.ok("init", "--rebind", "--yes")
    marker, _ = cli.here.objects.marker(marker_key("uploads/"))
    assert marker != old
    cli.set(TABLE_URL="sqlite:///reconciler.db")
    assert "instance" in one_line(cli.run("init"), 4)


def test_two_prefixes_of_one_bucket_live_side_by_side(cli: Desk) -> None:
    """Another table may take another prefix of the same bucket."""
    cli.set(TABLE_URL="sqlite:///another.db", PREFIX="other/")
    cli.ok("init")
    assert cli.there(marker_key("other/"))
    assert cli.there(marker_key("uploads/"))


@pytest.mark.parametrize("command", ["install", "check"])
def test_install_and_check_need_no_table(desk: Desk, command: str) -> None:
    """The lifecycle rules can be looked after before the table exists."""
    assert desk.run(command, *(["--yes"] if command == "install" else [])).exit_code in (0, 3)


def test_install_needs_somebody_to_ask(desk: Desk) -> None:
    """Without a terminal and without --yes install exits with 2 and writes nothing."""
    result = desk.run("install")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert desk.rules() == []


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 2), ("n\n", 1, 0), ("", 1, 0)])
def test_install_asks_at_a_terminal(desk: Desk, answer: str, code: int, count: int) -> None:
    """At a terminal install asks, and does nothing unless the answer is yes."""
    desk.somebody_at_the_terminal()
    assert desk.run("install", input=answer).exit_code == code
    assert len(desk.rules()) == count


def test_installed_rules_are_in_place(desk: Desk) -> None:
    """Install --yes puts both rules, switched on, and check then exits with 0."""
    assert "installed and read back" in desk.ok("install", "--yes").stderr
    assert {(rule["ID"], rule["Status"]) for rule in desk.rules()} == {
        ("reconciler:uploads/:pending", "Enabled"),
        ("reconciler:uploads/:multipart", "Enabled"),
    }
    assert desk.ok("check").stdout == ""


def test_install_twice_writes_once(desk: Desk) -> None:
    """A second install finds nothing to do and asks nobody."""
    desk.ok("install", "-y")
    before = desk.rules()
    assert "lifecycle: as it should be" in desk.ok("install").stderr
    assert desk.rules() == before


def test_others_rules_stay_as_they_are(desk: Desk) -> None:
    """A rule that is not ours is the same after install, word for word, and is mentioned."""
    desk.put_rules(FOREIGN)
    before = desk.rules()
    assert "1 other" in desk.ok("install", "-y").stderr
    assert [rule for rule in desk.rules() if rule["ID"] == "logs"] == before


def test_a_versioned_bucket_gets_its_own_rules(desk: Desk) -> None:
    """On a versioned bucket the rules also end old versions and their markers, and check agrees."""
    desk.client.put_bucket_versioning(Bucket=desk.bucket, VersioningConfiguration={"Status": "Enabled"})
    desk.ok("install", "-y")
    (rule,) = [rule for rule in desk.rules() if rule["ID"].endswith("multipart")]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    desk.ok("check")


def test_check_exits_with_3_where_rules_are_missing(desk: Desk) -> None:
    """Check shows each missing rule on stdout and exits with 3."""
    result = desk.run("check")
    assert result.exit_code == 3
    assert result.stdout.count("missing: reconciler:uploads/:") == 2


def test_check_prints_json(desk: Desk) -> None:
    """Check --format json prints one document that names what differs, part by part; nothing else is on stdout."""
    desk.put_rules(FOREIGN)
    told = json.loads(desk.run("check", "--format", "json").stdout)
    assert [(each["part"], each["state"]) for each in told["parts"]] == [
        ("lifecycle", "drifted"),
        ("cors", "left-out"),
        ("notifications", "left-out"),
        ("policy", "left-out"),
    ]
    assert told["drifted"] is True
    (found,) = (each for each in told["parts"] if each["part"] == "lifecycle")
    assert {rule["ID"] for rule in found["missing"]} == {"reconciler:uploads/:pending", "reconciler:uploads/:multipart"}
    assert (found["changed"], found["surplus"], found["foreign"]) == ([], [], [FOREIGN])


def test_check_prints_jsonl(desk: Desk) -> None:
    """Check --format jsonl prints a line for each rule that differs, and none where nothing does."""
    lines = [json.loads(line) for line in desk.run("check", "--only=lifecycle", "--format", "jsonl").stdout.splitlines()]
    assert [(line["part"], line["drift"]) for line in lines] == [("lifecycle", "missing")] * 2 + [("lifecycle", "drift")]
    desk.ok("install", "-y")
    assert desk.ok("check", "--only=lifecycle", "--format", "jsonl").stdout == ""


def _altered(rules: list[Any]) -> list[Any]:
    return [{**rule, "Status": "Disabled"} if rule["ID"].endswith("pending") else rule for rule in rules]


def _with_surplus(rules: list[Any]) -> list[Any]:
    return [*rules, {**FOREIGN, "ID": "reconciler:uploads/:older"}]


@pytest.mark.parametrize(
    ("meddle", "drift", "rule"),
    [
        (_altered, "changed", "reconciler:uploads/:pending"),
        (_with_surplus, "surplus", "reconciler:uploads/:older"),
        (lambda rules: rules[:1], "missing", "reconciler:uploads/:"),
    ],
    ids=["switched off", "surplus", "removed"],
)
def test_drift_is_shown_and_mended(desk: Desk, meddle: Any, drift: str, rule: str) -> None:
    """Check shows a rule of ours that was changed, added or removed; install mends it."""
    desk.ok("install", "-y")
    desk.put_rules(*meddle(desk.rules()))
    result = desk.run("check")
    assert result.exit_code == 3
    assert f"{drift}: {rule}" in result.stdout
    desk.ok("install", "-y")
    desk.ok("check")


@pytest.mark.parametrize("command", [("install", "--yes"), ("check",)], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"LIFECYCLE_DAYS": "2"}, "RECONCILER_LIFECYCLE_DAYS"),
        ({"RETENTION": "1h"}, "RECONCILER_RETENTION"),
    ],
)
def test_unsafe_timing_is_refused(desk: Desk, command: tuple[str, ...], settings: dict[str, str], name: str) -> None:
    """Timing that could lose an upload is refused with the setting to change, and no rule is written."""
    desk.set(**settings)
    assert name in one_line(desk.run(*command))
    assert desk.rules() == []


def test_policy_lists_its_documents(desk: Desk) -> None:
    """Without a name policy lists one document a line: what it is for, and what must be given for it."""
    heading, *lines = desk.ok("policy").stdout.splitlines()
    assert heading.split("  ")[0] == "document"
    assert [line.split()[0] for line in lines] == documents.names()
    (line,) = [line for line in lines if line.split()[0] == "bucket-policy"]
    assert "promises" in line
    assert line.rstrip().endswith("completer, presigner, reconciler")


def test_listing_the_documents_needs_no_setting() -> None:
    """Neither bucket nor credentials."""
    assert invoke("policy").exit_code == 0


def test_a_policy_for_a_bucket_asks_for_the_bucket() -> None:
    """In one line that names the setting."""
    assert "RECONCILER_BUCKET" in one_line(invoke("policy", "iam-reader"))


def test_cors_names_the_given_origin(desk: Desk) -> None:
    """--set origin=... stands in the CORS document."""
    found = json.loads(desk.ok("policy", "cors", "--set", "origin=https://example.org").stdout)
    assert found["CORSRules"][0]["AllowedOrigins"] == ["https://example.org"]


def test_several_origins_are_given_one_by_one(desk: Desk) -> None:
    """Each with a --set of its own."""
    given = [f"--set=origin=https://{name}.example.org" for name in ("a", "b")]
    found = json.loads(desk.ok("policy", "cors", *given).stdout)
    assert found["CORSRules"][0]["AllowedOrigins"] == ["https://a.example.org", "https://b.example.org"]


def test_the_lifecycle_document_is_what_install_puts(desk: Desk) -> None:
    """Policy lifecycle prints exactly the rules that check compares with."""
    desk.put_rules(*json.loads(desk.ok("policy", "lifecycle").stdout)["Rules"])
    desk.ok("check")


def test_an_unknown_policy_names_those_there_are(desk: Desk) -> None:
    """An unknown document is one line, and the hint lists the known ones."""
    assert "lifecycle-versioned" in one_line(desk.run("policy", "nonsense"))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ("cors",),
            "origin",
        ),
        (("bucket-policy",), "completer, presigner, reconciler"),
        (("cors", "--set=orign=https://example.org"), "'orign'"),
        (("lifecycle", "--set=bucket=mine"), "'bucket'"),
        (("iam-reader", "--set=bucket=mine"), "comes from the settings"),
        (("cors", "--set=origin=example.org"), "no origin"),
        (("cors", "--set=origin=https://example.org/form"), "no origin"),
        (("iam-reader", "--set=partition=moon"), "no partition"),
    ],
    ids=["missing", "several missing", "misspelt", "superfluous", "a setting", "no scheme", "with a path", "no partition"],
)
def test_a_wrong_value_is_one_line(desk: Desk, args: tuple[str, ...], said: str) -> None:
    """Which names it, with a hint that says what would be right; nothing is printed."""
    found = one_line(desk.run("policy", *args))
    assert said in found
    assert "hint: " in found


@pytest.mark.parametrize("pair", ["origin", "=value"])
def test_a_bad_set_is_wrong_usage(desk: Desk, pair: str) -> None:
    """--set without NAME=VALUE exits with 2."""
    result = desk.run("policy", "cors", "--set", pair)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "NAME=VALUE" in result.stderr


def test_nothing_is_written_outside_the_table_and_the_journal(desk: Desk, tmp_path: Path) -> None:
    """init, install and a run without deletions leave one database in the folder and no other file."""
    for args in (("init",), ("install", "-y"), ("check",), ("plan",), ("sweep",)):
        desk.ok(*args)
    assert {path.name for path in tmp_path.iterdir()} <= {"reconciler.db", "reconciler.db-wal", "reconciler.db-shm"}
