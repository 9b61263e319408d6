"""install and check on the command line, part by part: what is left out, what fails, and what others did meanwhile."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import cli_support
import pytest
from cli_support import Desk, one_line

from reconciler.adapters.s3 import S3Bucket, S3Raw
from reconciler.cli import bucket as bucket_commands
from reconciler.core.parts import Configuration, Item, PartName
from reconciler.core.wanted import sid_prefix
from reconciler.errors import AccessDeniedError, NotSupportedError, StoreUnavailableError
from reconciler.installer import Installer
from reconciler.testing.configuration import sample

bare, real_cli = cli_support.desk, cli_support.real_cli

QUEUE = "arn:aws:sqs:us-east-1:123456789012:events"
ROLES = {
    "PRESIGNER_ROLES": "arn:aws:iam::123456789012:role/web",
    "COMPLETER_ROLES": "arn:aws:iam::123456789012:role/web",
    "RECONCILER_ROLES": "arn:aws:iam::123456789012:role/ops",
}
SETTINGS = {**ROLES, "ORIGINS": "https://www.example.com", "NOTIFY": QUEUE}
ALL = ["lifecycle", "cors", "notifications", "policy"]
SID = sid_prefix("uploads/")


@pytest.fixture
def desk(bare: Desk) -> Desk:
    """A fresh bucket on moto with every setting, and a queue for its events; taken for AWS, whose dialect is put whole."""
    bare.patch.setattr(S3Raw, "is_aws", True)
    boto3.session.Session().client("sqs", endpoint_url=bare.client.meta.endpoint_url, region_name="us-east-1").create_queue(
        QueueName="events"
    )
    bare.set(**SETTINGS)
    return bare


def store(desk: Desk) -> S3Bucket:
    return S3Bucket(desk.client, desk.bucket)


def test_elsewhere_only_what_works_is_put(desk: Desk) -> None:
    """Under moto every conditional Deny shuts everybody out: it is found out, nothing of it is put, and uploads go on."""
    desk.patch.setattr(S3Raw, "is_aws", False)
    desk.ok("init")
    installed = desk.ok("install", "--yes", "--only", "policy").stderr
    assert "left out, because this store does not heed them: TlsOnly" in installed
    assert desk.there(desk.upload())
    assert "shuts out" in desk.ok("check", "--only", "policy").stderr


def test_trying_the_policy_out_is_asked_for(desk: Desk) -> None:
    """It puts statements, if only for a folder of our own; whoever says no leaves the bucket as it was."""
    desk.patch.setattr(S3Raw, "is_aws", False)
    desk.somebody_at_the_terminal()
    result = desk.run("install", "--only", "policy", input="n\n")
    assert (result.exit_code, "Try out" in result.stderr, there(desk)) == (1, True, [])


def there(desk: Desk) -> list[str]:
    """The parts that hold anything."""
    return [name.value for name in PartName if store(desk).read(name).items]


def put(desk: Desk, name: PartName, *items: Item) -> None:
    store(desk).write(name, Configuration(items))


def fail(monkeypatch: pytest.MonkeyPatch, verb: str, name: PartName, error: Exception) -> None:
    """Let one verb fail for one part, as a store would that denies, or does not know, just that."""
    real: Callable[..., Any] = getattr(S3Bucket, verb)

    def failing(self: S3Bucket, asked: PartName, *given: Any) -> Any:
        if asked is name:
            raise error
        return real(self, asked, *given)

    monkeypatch.setattr(S3Bucket, verb, failing)


# What is chosen


def test_install_puts_every_part_that_has_its_settings(desk: Desk) -> None:
    """All four are named when they are done, check agrees, and a second install finds nothing to do."""
    assert "installed and read back: lifecycle, cors, notifications and policy" in desk.ok("install", "-y").stderr
    assert there(desk) == ALL
    assert desk.ok("check").stdout == ""
    before = [store(desk).read(name) for name in PartName]
    desk.ok("install")
    assert [store(desk).read(name) for name in PartName] == before


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (["ORIGINS"], ["cors: left out: RECONCILER_ORIGINS is not set"]),
        (["NOTIFY"], ["notifications: left out: RECONCILER_NOTIFY is not set"]),
        (["PRESIGNER_ROLES"], ["policy: left out: RECONCILER_PRESIGNER_ROLES is not set"]),
        (
            list(ROLES),
            [f"policy: left out: {', '.join(f'RECONCILER_{name}' for name in ROLES)} are not set"],
        ),
    ],
    ids=["cors", "notifications", "one role", "every role"],
)
def test_a_part_without_its_settings_is_left_out_and_said_so(desk: Desk, settings: list[str], lines: list[str]) -> None:
    """In one line with the settings' names; nothing of it is put, and it is no drift."""
    desk.set(**dict.fromkeys(settings, ""))
    result = desk.ok("install", "-y")
    assert [line for line in result.stderr.splitlines() if "left out" in line] == lines
    assert there(desk) == [name for name in ALL if name != lines[0].partition(":")[0]]
    assert desk.ok("check").stdout == ""


@pytest.mark.parametrize(
    ("args", "put_there"),
    [
        (["--only", "cors"], ["cors"]),
        (["--only", "cors", "--only", "lifecycle"], ["lifecycle", "cors"]),
        (["--without", "policy"], ["lifecycle", "cors", "notifications"]),
        (["--without", "policy", "--without", "cors"], ["lifecycle", "notifications"]),
        (["--only", "cors", "--only", "policy", "--without", "policy"], ["cors"]),
    ],
    ids=["one", "two", "without one", "without two", "both"],
)
def test_parts_are_chosen(desk: Desk, args: list[str], put_there: list[str]) -> None:
    """Only those are put, and check of the same choice finds nothing."""
    desk.ok("install", "-y", *args)
    assert there(desk) == put_there
    desk.ok("check", *args)


@pytest.mark.parametrize("command", ["install", "check"])
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--only", "lifecicle"], "'lifecicle' is not one of"),
        (["--without", ""], "is not one of"),
        (["--only", "cors", "--without", "cors"], "leave nothing"),
    ],
    ids=["misspelt", "empty", "nothing left"],
)
def test_a_wrong_choice_is_wrong_usage(desk: Desk, command: str, args: list[str], said: str) -> None:
    """It exits with 2, and says what there is."""
    result = desk.run(command, *args)
    assert (result.exit_code, result.stdout, there(desk)) == (2, "", [])
    assert said in result.stderr


def test_install_does_not_put_what_is_only_verified(desk: Desk) -> None:
    """`verified` can be checked alone, and not installed."""
    assert desk.run("install", "--only", "verified").exit_code == 2
    assert "verified: fine: block-public-access" in desk.ok("check", "--only", "verified").stderr


def test_install_asks_once_for_all_parts(desk: Desk) -> None:
    """And names those that would change."""
    desk.ok("install", "-y", "--only", "cors")
    desk.somebody_at_the_terminal()
    result = desk.run("install", input="n\n")
    assert result.exit_code == 1
    assert result.stderr.count("[y/N]") == 1
    assert "Change the lifecycle, notifications and policy configuration of" in result.stderr
    assert there(desk) == ["cors"]


def test_a_lifecycle_that_is_left_out_may_have_any_days(desk: Desk) -> None:
    """The timing is asked about where the rules are."""
    desk.set(LIFECYCLE_DAYS="1")
    desk.ok("install", "-y", "--without", "lifecycle")
    assert "RECONCILER_LIFECYCLE_DAYS" in one_line(desk.run("check"))


def test_a_quiet_check_says_only_what_needs_somebody(desk: Desk) -> None:
    """For cron: nothing where all is well; the difference where it is not."""
    desk.set(ORIGINS="")
    desk.ok("install", "-y")
    assert desk.ok("--quiet", "check").output == ""
    put(desk, PartName.CORS, {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]})
    assert len(desk.run("--quiet", "check").output.splitlines()) == 1


# What others put there

OTHERS = {name: sample(name, 1) for name in PartName}


def test_others_items_survive(desk: Desk) -> None:
    """Rule, CORS rule, notification and statement of others are the same after install, and are counted."""
    theirs = {name: {**sample(name, 1, bucket=desk.bucket)} for name in PartName}
    queue = {"Kind": "queue", "Id": "theirs", "QueueArn": QUEUE, "Events": ["s3:ObjectRestore:*"]}
    theirs[PartName.NOTIFICATIONS] = queue
    for name, item in theirs.items():
        put(desk, name, item)
    before = {name: store(desk).read(name).items for name in PartName}
    result = desk.ok("install", "-y")
    assert result.stderr.count("1 other item, left alone") == len(PartName)
    assert {name: store(desk).read(name).items[: len(items)] for name, items in before.items()} == before


LINTS: dict[str, tuple[PartName, Item, str]] = {
    "expiry": (
        PartName.LIFECYCLE,
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 90}},
        "lifecycle: drift: old: ",
    ),
    "cors": (PartName.CORS, {"ID": "all", "AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]}, "cors: drift: all: "),
}


@pytest.mark.parametrize(("name", "item", "said"), LINTS.values(), ids=LINTS)
def test_others_items_that_endanger_ours_are_drift(desk: Desk, name: PartName, item: Item, said: str) -> None:
    """Check exits with 3 and names them; install leaves them alone."""
    put(desk, name, item)
    desk.ok("install", "-y")
    result = desk.run("check")
    assert result.exit_code == 3
    assert said in result.stdout
    line = next(json.loads(line) for line in desk.run("check", "--format", "jsonl").stdout.splitlines())
    assert (line["part"], line["drift"], line["item"]) == (name.value, "drift", item["ID"])
    desk.ok("check", "--without", name.value)


def test_a_check_as_json_is_one_document(desk: Desk) -> None:
    """With every part, and every remark, also those that all is well."""
    desk.ok("install", "-y", "--without", "cors")
    found = json.loads(desk.run("check", "--format", "json").stdout)
    assert {part["part"]: part["state"] for part in found["parts"]} == {**dict.fromkeys(ALL, "in-place"), "cors": "drifted"}
    verified = {each["item"]: each["drift"] for each in found["remarks"] if each["part"] == "verified"}
    assert verified == {
        "block-public-access": "fine",
        "object-ownership": "fine",
        "versioning": "fine",
        "tls-only": "fine",
    }


def test_the_exact_difference_is_shown(desk: Desk) -> None:
    """What is there, and what should be."""
    desk.ok("install", "-y")
    desk.set(ORIGINS="https://www.example.com,https://app.example.com")
    (line,) = (json.loads(line) for line in desk.run("check", "--format", "jsonl").stdout.splitlines())
    assert (line["part"], line["drift"], line["item"]) == ("cors", "changed", "reconciler:uploads/:upload")
    assert (len(line["found"]["AllowedOrigins"]), len(line["wanted"]["AllowedOrigins"])) == (1, 2)
    shown = desk.run("check").stdout.splitlines()
    assert [each[:4] for each in shown] == ["cors", "  - ", "  + "]


# What fails


@pytest.mark.parametrize("command", [("install", "-y"), ("check",)], ids=["install", "check"])
@pytest.mark.parametrize("name", PartName)
def test_a_denied_read_stops_everything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: PartName
) -> None:
    """In one line, and nothing of any part is put; left out, the others go on."""
    with monkeypatch.context() as patch:
        fail(patch, "read", name, AccessDeniedError(f"reading {name}: AccessDenied"))
        assert "AccessDenied" in one_line(desk.run(*command))
        assert desk.run(
            *command, "--without", name.value, *(["--without=verified"] if command[0] == "check" else [])
        ).exit_code in (
            0,
            3,
        )
    assert name.value not in there(desk)


def test_what_was_done_before_a_failure_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 5, the failure is told, and nothing after it is put."""
    fail(monkeypatch, "write", PartName.NOTIFICATIONS, AccessDeniedError("writing: AccessDenied"))
    result = desk.run("install", "-y")
    assert result.exit_code == 5
    assert "error: writing: AccessDenied" in result.stderr
    assert "notifications was not installed; done before: lifecycle and cors" in result.stderr
    assert there(desk) == ["lifecycle", "cors"]
    monkeypatch.undo()


def test_a_refusal_of_the_first_part_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1: there is nothing in part."""
    fail(monkeypatch, "write", PartName.LIFECYCLE, AccessDeniedError("writing: AccessDenied"))
    result = desk.run("install", "-y")
    assert (result.exit_code, there(desk)) == (1, [])
    assert "error: writing: AccessDenied" in result.stderr


def test_a_put_whose_end_is_unknown_is_done_in_part(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 may have taken it."""
    fail(monkeypatch, "write", PartName.LIFECYCLE, StoreUnavailableError("writing: timed out"))
    result = desk.run("install", "-y")
    assert result.exit_code == 5
    assert "lifecycle was not installed; done before: nothing" in result.stderr


@pytest.mark.parametrize("verb", ["read", "write"])
def test_a_part_that_the_store_does_not_know_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """In one line, and the others are installed."""
    with monkeypatch.context() as patch:
        fail(patch, verb, PartName.CORS, NotSupportedError("no such thing"))
        result = desk.ok("install", "-y")
    assert "cors: not known here: no such thing" in result.stderr
    assert there(desk) == ["lifecycle", "notifications", "policy"]


def test_another_writer_between_question_and_answer_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was shown is no longer what would be changed: nothing is put, and theirs survives."""
    real = Installer.look
    theirs = sample(PartName.CORS, 1)

    def look_and_be_late(self: Installer, names: Any) -> Any:
        looks = real(self, names)
        put(desk, PartName.CORS, theirs)
        return looks

    with monkeypatch.context() as patch:
        patch.setattr(Installer, "look", look_and_be_late)
        result = desk.run("install", "-y", "--only", "cors")
    assert "somebody else changed the cors configuration" in one_line_after_the_difference(result)
    assert store(desk).read(PartName.CORS).items == (theirs,)
    desk.ok("install", "-y", "--only", "cors")
    assert theirs in store(desk).read(PartName.CORS).items


def one_line_after_the_difference(result: Any) -> str:
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return next(line for line in result.stderr.splitlines() if line.startswith("error: "))


def test_a_read_back_that_differs_is_done_in_part(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 5, and what reads back otherwise is named."""
    real = S3Bucket.write

    def losing(self: S3Bucket, name: PartName, configuration: Configuration) -> None:
        real(self, name, Configuration(configuration.items[:-1], configuration.rest))

    with monkeypatch.context() as patch:
        patch.setattr(S3Bucket, "write", losing)
        patch.setattr("reconciler.installer.PAUSES", ())
        result = desk.run("install", "-y", "--only", "policy")
    assert result.exit_code == 5
    assert f"{SID}NotPublic" in result.stderr
    assert bucket_commands.IN_PART == 5


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PRESIGNER_ROLES", "web", "no ARN of a role"),
        ("TAGGER_ROLES", "arn:aws:iam::123456789012:role/*", "no ARN of a role"),
        ("ORIGINS", "https://www.example.com/form", "no origin"),
        ("NOTIFY", "my-queue", "ARN of an SQS queue"),
        ("PREFIX", "up*/", "wildcard"),
    ],
)
def test_a_wrong_setting_is_one_line(desk: Desk, name: str, value: str, said: str) -> None:
    """With the setting and what would be right; nothing is put."""
    desk.set(**{name: value})
    assert said in one_line(desk.run("install", "-y"))
    assert there(desk) == []


def test_a_queue_that_does_not_exist_is_told_with_what_to_do(desk: Desk) -> None:
    """S3 refuses the destination: the hint names the queue's policy."""
    desk.set(NOTIFY="arn:aws:sqs:eu-west-1:123456789012:events")
    result = desk.run("install", "-y", "--only", "notifications")
    assert result.exit_code == 1
    assert "queue-policy" in result.stderr


def test_a_store_that_knows_less_is_installed_as_far_as_it_goes(real_cli: Desk) -> None:
    """SeaweedFS knows no notifications, and heeds a few statements of the policy: that is told, and what works is put."""
    real_cli.patch.setattr(S3Raw, "is_aws", False)
    real_cli.set(**SETTINGS)
    said = real_cli.ok("install", "-y").stderr
    assert "notifications: not known here: " in said
    assert "left out, because this store does not heed them: TlsOnly" in said
    assert "installed and read back: lifecycle, cors and policy" in said
    real_cli.ok("check", "--only", "lifecycle", "--only", "cors", "--only", "policy")
    assert "verified: not-known: block-public-access" in real_cli.ok("check", "--only", "verified").stderr
