"""What a user sees when something is wrong: one line, a hint, an exit code, and no trace unless it was asked for."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import cli_support
import pytest
from cli_support import Desk, invoke, make_desk, no_secret_in, one_line

from reconciler.adapters.sql import engine
from reconciler.demo.servers import Server, free_ports
from reconciler.planner import Planner

desk, cli, real_cli = cli_support.desk, cli_support.cli, cli_support.real_cli

EVERY = [
    ("init",),
    ("install", "-y"),
    ("check",),
    ("plan",),
    ("apply", "-y"),
    ("sweep",),
    ("list",),
    ("show", "uploads/a.jpg"),
    ("adopt", "uploads/a.jpg"),
    ("release", "uploads/a.jpg"),
    ("accept", "uploads/a.jpg"),
]
OF_THE_TABLE = [command for command in EVERY if command[0] not in ("init", "install", "check")]


def command_id(command: tuple[str, ...]) -> str:
    return command[0]


# Settings


@pytest.mark.parametrize("command", EVERY, ids=command_id)
def test_no_bucket_is_told_by_its_setting(command: tuple[str, ...]) -> None:
    """Without a bucket every command exits with 1 and names RECONCILER_BUCKET."""
    assert "RECONCILER_BUCKET is not set" in one_line(invoke(*command))


def test_a_misspelt_setting_is_a_warning(cli: Desk) -> None:
    """It names the setting that was meant, and the command goes on."""
    cli.patch.setenv("RECONCILER_RETENTON", "48h")
    result = cli.ok("list")
    assert json.loads(result.stderr.splitlines()[0])["did_you_mean"] == "RECONCILER_RETENTION"


def test_an_empty_bucket_counts_as_none(desk: Desk) -> None:
    """RECONCILER_BUCKET= is the same as leaving it out."""
    desk.set(BUCKET="")
    assert "RECONCILER_BUCKET is not set" in one_line(desk.run("plan"))


WRONG = [
    ("BUCKET", "ab", "at least 3"),
    ("PREFIX", "uploads", "ending with a slash"),
    ("PREFIX", "/uploads/", "folder such as uploads/"),
    ("PREFIX", "../", "folder such as uploads/"),
    ("URL_LIFE", "soon", "15m"),
    ("URL_LIFE", "2h", "at most 1h"),
    ("URL_LIFE", "30s", "at least 1m"),
    ("RETENTION", "0", "at least 1m"),
    ("RETENTION", "99999999999d", "too long"),
    ("SKEW", "-1m", "15m"),
    ("MAX_SIZE", "6GiB", "5GiB"),
    ("MAX_SIZE", "large", "20MiB"),
    ("LIFECYCLE_DAYS", "0", "greater than or equal to 1"),
    ("LIFECYCLE_DAYS", "seven", "integer"),
    ("WORKERS", "1000", "64"),
    ("CONTENT_TYPES", '["jpeg"]', "media types"),
]


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_wrong_setting_is_told(desk: Desk, name: str, value: str, right: str) -> None:
    """A wrong setting is told by its name, its value, and what would be right."""
    desk.set(**{name: value})
    said = one_line(desk.run("list"))
    assert f"RECONCILER_{name}" in said
    assert value.strip('[]"') in said
    assert right in said


def test_every_wrong_setting_is_told_at_once(desk: Desk) -> None:
    """Two wrong settings are both named."""
    desk.set(URL_LIFE="soon", WORKERS="0")
    said = one_line(desk.run("list"))
    assert "RECONCILER_URL_LIFE" in said
    assert "RECONCILER_WORKERS" in said


def test_a_list_that_is_no_list_is_told_by_its_setting(desk: Desk) -> None:
    """RECONCILER_CONTENT_TYPES that is no list of types is told by its name, with an example of what would be right."""
    desk.set(CONTENT_TYPES="images")
    said = one_line(desk.run("list"))
    assert "CONTENT_TYPES" in said.upper()
    assert "image/png" in said


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///no/such/folder/table.db",
        "nosuch://user:hunter2@localhost/x",
        "postgres://user:hunter2@localhost/x",
        "postgresql+psycopg://user:hunter2@localhost:notaport/x",
        "user:hunter2@localhost/x",
    ],
)
def test_a_wrong_table_url_is_told_without_its_password(desk: Desk, url: str) -> None:
    """A table URL that cannot be used names its setting, and never repeats a password."""
    desk.set(TABLE_URL=url)
    said = one_line(desk.run("list"))
    assert "RECONCILER_TABLE_URL" in said
    assert "hunter2" not in said


def test_a_broken_toml_file_is_told(desk: Desk) -> None:
    """A reconciler.toml that is no TOML is told with the file's name."""
    (desk.folder / "reconciler.toml").write_text("bucket = photos\n")
    assert "reconciler.toml" in one_line(desk.run("list"))


def test_an_unknown_name_in_toml_is_told(desk: Desk) -> None:
    """A misspelt name in reconciler.toml is named, and the hint lists the right ones."""
    (desk.folder / "reconciler.toml").write_text('bukket = "photos"\n')
    said = one_line(desk.run("list"))
    assert "bukket" in said
    assert "bucket" in said.partition("hint:")[2]


def test_the_environment_goes_before_the_file(desk: Desk) -> None:
    """The same setting in the environment and in reconciler.toml is the environment's."""
    (desk.folder / "reconciler.toml").write_text('bucket = "another"\nlifecycle_days = 8\n')
    found = json.loads(desk.run("check", "--format", "json").stdout)
    assert found["parts"][0]["missing"][0]["Expiration"] == {"Days": 8}


# The table


@pytest.mark.parametrize("command", OF_THE_TABLE, ids=command_id)
def test_a_table_that_is_not_there_names_init(desk: Desk, command: tuple[str, ...]) -> None:
    """Before init every command that needs the table exits with 1 and names it."""
    assert "reconcile init" in one_line(desk.run(*command))


@pytest.mark.parametrize("command", [("init",), *OF_THE_TABLE], ids=command_id)
def test_a_newer_table_is_left_alone(cli: Desk, command: tuple[str, ...]) -> None:
    """A schema from the future is told with what to upgrade."""
    with sqlite3.connect("reconciler.db") as connection:
        connection.execute("UPDATE reconciler_alembic_version SET version_num = '9999'")
    connection.close()
    said = one_line(cli.run(*command))
    assert "9999" in said
    assert "upgrade" in said


@contextmanager
def locked_by_another(path: str) -> Iterator[None]:
    """Let another process hold the write lock of a SQLite file."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603  this Python
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        yield
        assert other.stdin is not None
        other.stdin.close()


def test_a_locked_table_is_told(cli: Desk) -> None:
    """A table that another process is writing to is told in one line after the wait, and nothing is deleted."""
    key, done = cli.abandoned(), cli.completed()
    cli.patch.setattr(engine, "BUSY_SECONDS", 0.2)
    with locked_by_another("reconciler.db"):
        assert "locked" in one_line(cli.run("release", done))
        result = cli.run("sweep")
        assert "Traceback" not in result.output
        assert result.exit_code in (1, 5)
        assert "locked" in result.stderr
        assert cli.run("list").exit_code == 0
    assert cli.there(key)
    cli.ok("sweep")


def test_a_hint_for_a_locked_table_is_for_operators(cli: Desk) -> None:
    """At the command line the hint does not talk of presigning, which is the backend's business."""
    done = cli.completed()
    cli.patch.setattr(engine, "BUSY_SECONDS", 0.2)
    with locked_by_another("reconciler.db"):
        assert "presign" not in one_line(cli.run("release", done))


def test_a_read_only_table_is_told(cli: Desk) -> None:
    """A SQLite file that cannot be written is told in one line; nothing is deleted."""
    key, done = cli.abandoned(), cli.completed()
    cli.set(TABLE_URL="sqlite:///file:reconciler.db?mode=ro&uri=true")
    assert "readonly" in one_line(cli.run("release", done)).replace("read-only", "readonly")
    result = cli.run("sweep")
    assert result.exit_code in (1, 5)
    assert "Traceback" not in result.output
    assert cli.there(key)


@pytest.mark.parametrize("command", ["list", "init", "sweep"])
def test_a_database_without_anybody_is_told(desk: Desk, command: str) -> None:
    """A PostgreSQL server that does not answer is told in one line with its setting, without the password."""
    desk.set(TABLE_URL=f"postgresql://user:hunter2@127.0.0.1:{free_ports(1)[0]}/x")
    said = one_line(desk.run(command))
    assert "RECONCILER_TABLE_URL" in said
    assert "refused" in said
    assert "hunter2" not in said


def test_a_file_that_is_no_database_is_told(desk: Desk) -> None:
    """A table file with other content is told in one line."""
    (desk.folder / "reconciler.db").write_text("not a database at all\n" * 100)
    one_line(desk.run("list"))
    one_line(desk.run("init"))


# S3


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let botocore's retries wait for nothing, and note what they would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.mark.parametrize("command", [each for each in EVERY if each[0] not in ("list", "release")], ids=command_id)
def test_an_unreachable_s3_is_told_soon(cli: Desk, naps: list[float], command: tuple[str, ...]) -> None:
    """An endpoint where nobody listens is told in one line that names it, and retries wait less than 20 s in all."""
    if command[0] == "sweep":
        cli.abandoned()
    cli.patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_ports(1)[0]}")
    result = cli.run(*command)
    assert result.exit_code in (1, 5)
    assert "127.0.0.1" in result.stderr
    assert "Traceback" not in result.output
    assert sum(naps) < 20


def test_a_silent_s3_is_told_within_two_minutes(desk: Desk) -> None:
    """An endpoint that accepts and never answers keeps a user waiting for all attempts' time-outs: not longer than 120 s."""
    config = desk.client.meta.config
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) <= 120


def test_an_unreachable_s3_deletes_nothing(cli: Desk, naps: list[float]) -> None:
    """A sweep that cannot ask for a tag leaves row and object as they were."""
    key = cli.abandoned()
    with cli.patch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_ports(1)[0]}")
        assert cli.run("sweep").exit_code != 0
    assert (cli.there(key), cli.status(key)) == (True, "pending")


def test_no_such_bucket_is_told(desk: Desk) -> None:
    """A bucket that does not exist is told by its setting."""
    desk.set(BUCKET="no-such-bucket-anywhere")
    for command in (("init",), ("install", "-y"), ("check",)):
        assert "RECONCILER_BUCKET" in one_line(desk.run(*command))


def test_a_bucket_that_has_gone_is_told(cli: Desk) -> None:
    """A bucket that was removed after init is told, and never taken for an empty one."""
    key = cli.completed()
    cli.client.delete_object(Bucket=cli.bucket, Key=key)
    cli.client.delete_object(Bucket=cli.bucket, Key="uploads/.reconciler/instance.json")
    cli.client.delete_bucket(Bucket=cli.bucket)
    assert "RECONCILER_BUCKET" in one_line(cli.run("plan"))


def test_no_credentials_are_told(desk: Desk) -> None:
    """Without credentials the hint names the variables."""
    desk.patch.delenv("AWS_ACCESS_KEY_ID")
    desk.patch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "AWS_PROFILE" in one_line(desk.run("init"))


def test_no_region_is_told(desk: Desk) -> None:
    """AWS itself without a region is told with the variable; nothing is requested."""
    desk.patch.delenv("AWS_ENDPOINT_URL_S3")
    desk.patch.delenv("AWS_REGION")
    assert "AWS_REGION" in one_line(desk.run("init"))


@pytest.mark.server
def test_a_wrong_secret_is_told(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A wrong secret is told in one line that speaks of the credentials, not of a missing grant."""
    desk = make_desk(seaweedfs, monkeypatch, tmp_path)
    desk.patch.setenv("AWS_SECRET_ACCESS_KEY", "wrongsecret")
    said = one_line(desk.run("init"))
    assert "SignatureDoesNotMatch" in said
    assert "wrongsecret" not in said
    assert "AWS_SECRET_ACCESS_KEY" in said


def test_reading_the_table_needs_no_s3(cli: Desk) -> None:
    """List and release go on while S3 is out of reach."""
    key = cli.completed()
    cli.patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert key in cli.ok("list").stdout
    cli.ok("release", key)


@pytest.mark.server
def test_an_unknown_access_key_is_told(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """An access key that S3 does not know is told in one line that speaks of the credentials."""
    desk = make_desk(seaweedfs, monkeypatch, tmp_path)
    desk.patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    said = one_line(desk.run("init"))
    assert "InvalidAccessKeyId" in said
    assert "AWS_ACCESS_KEY_ID" in said


@pytest.mark.server
def test_a_denied_sweep_deletes_nothing(real_cli: Desk) -> None:
    """Denied access is no proof of absence: a sweep with a wrong secret leaves row and object as they were."""
    key = real_cli.abandoned()
    with real_cli.patch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrongsecret")
        assert real_cli.run("sweep").exit_code != 0
        assert real_cli.run("plan").exit_code not in (0, 3)
    assert (real_cli.there(key), real_cli.status(key)) == (True, "pending")


# Traces and bugs


def _break(desk: Desk) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug of ours")

    desk.patch.setattr(Planner, "sweep", broken)


def test_an_unexpected_error_is_one_line(cli: Desk) -> None:
    """A bug is told in one line with its type, a hint says how to report it, and the exit code is 1."""
    _break(cli)
    said = one_line(cli.run("sweep"))
    assert "RuntimeError: a bug of ours" in said
    assert "--trace" in said


def test_an_unexpected_error_is_traced_where_asked_for(cli: Desk) -> None:
    """Under --trace the bug itself comes out, for Python to print its trace."""
    _break(cli)
    result = cli.run("--trace", "sweep")
    assert result.exit_code == 1
    assert isinstance(result.exception, RuntimeError)


def test_an_expected_error_is_traced_where_asked_for(cli: Desk) -> None:
    """Under --trace an error shows where it came from, and still its one line and its exit code."""
    result = cli.run("--trace", "show", "uploads/nope.jpg")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "error: there is neither" in result.stderr
    assert result.stdout == ""


def test_a_refusal_keeps_its_exit_code_under_trace(cli: Desk) -> None:
    """Under --trace a refused run still exits with 4."""
    cli.set(PREFIX="other/")
    assert cli.run("--trace", "sweep").exit_code == 4


def test_a_trace_holds_no_secret(cli: Desk, naps: list[float]) -> None:
    """A trace of a failed request shows neither credential nor signature."""
    cli.patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_ports(1)[0]}")
    result = cli.run("--trace", "plan")
    assert "Traceback" in result.stderr
    no_secret_in(result.output)


def test_a_reader_that_leaves_early_is_no_error(cli: Desk) -> None:
    """`reconcile list | head -1` ends without a word on stderr."""
    for _ in range(3):
        cli.presigned()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        command = [cli_support.program(), "list"]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60)  # noqa: S603  ours
    assert done.stderr == b""
