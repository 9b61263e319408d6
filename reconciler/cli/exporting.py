"""export: what install puts and what cron runs, as documents for teams that install by code."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.adapters import documents
from reconciler.cli import render
from reconciler.core.documents import DEFAULTS, placeholders
from reconciler.core.exports.bucket import BucketExport, Identity
from reconciler.core.exports.cloudformation import cloudformation as as_cloudformation
from reconciler.core.exports.kubernetes import kubernetes
from reconciler.core.exports.running import Running, check_cron, queue_url
from reconciler.core.exports.schedule import lambda_schedule as as_lambda_schedule
from reconciler.core.exports.systemd import systemd as as_systemd
from reconciler.core.exports.terraform import terraform as as_terraform
from reconciler.core.parts import PartName
from reconciler.core.wanted import Wanted
from reconciler.errors import ReconcilerError, SettingsError
from reconciler.settings import Settings, load_settings
from reconciler.wiring import wanted_by

F = TypeVar("F", bound=Callable[..., Any])

POLICY_VERSION = "2012-10-17"
_PARTS = {
    PartName.LIFECYCLE: "the lifecycle rules",
    PartName.POLICY: "the bucket policy",
    PartName.CORS: "CORS",
    PartName.NOTIFICATIONS: "notifications",
}
# Settings that no document may hold, or that each dialect hands over by its own means.
_ELSEWHERE = ("table_url", "journal", "webhook_secret")


@click.group()
def export() -> None:
    """Print what is installed and run, for teams that do so by code.

    From the settings alone: neither S3 nor the table is asked. The document goes to stdout, or to FILE with -o.
    """


def _bucket_options(function: F) -> F:
    """Add what the documents of a bucket need to know that no setting says."""
    options = [
        click.option("--versioned", is_flag=True, help="The bucket keeps versions: say so, and let the rules end old ones."),
        click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _running_options(function: F) -> F:
    """Add when the jobs run."""
    options = [
        click.option("--sweep-at", default="0 2 * * *", show_default=True, metavar="CRON", help="When to sweep, in UTC."),
        click.option("--full-at", default="0 4 * * 0", show_default=True, metavar="CRON", help="When to look at everything."),
        click.option("--look", is_flag=True, help="Let the full run only plan, and fail where there is anything to do."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


_to_file = click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")


@export.command()
@_bucket_options
def terraform(*, versioned: bool, file: Path | None) -> None:
    """Print the bucket's configuration in Terraform's JSON syntax (save it as reconciler.tf.json)."""
    _write(_json(as_terraform(_bucket(versioned=versioned))), file)


@export.command()
@_bucket_options
def cloudformation(*, versioned: bool, file: Path | None) -> None:
    """Print the bucket's configuration, and a managed policy for each role, as a CloudFormation template."""
    _write(_json(as_cloudformation(_bucket(versioned=versioned))), file)


@export.command()
@click.option("--image", required=True, help="The container image that has reconciler in it.")
@click.option("--secret", default="reconciler", show_default=True, help="The Secret that holds RECONCILER_TABLE_URL.")
@_running_options
@_to_file
def cronjob(*, image: str, secret: str, file: Path | None, **asked: Any) -> None:
    """Print Kubernetes CronJobs for the sweep and the full run (JSON, which is YAML).

    And a Deployment for watch, where RECONCILER_NOTIFY names an SQS queue.
    """
    _check_name("--image", image, allowed="/:@._-", what="an image such as registry.example.com/reconciler:0.1.0")
    _check_name("--secret", secret, allowed="-.", what="a Secret's name")
    _write(_json(kubernetes(_running(**asked), image=image, secret=secret)), file)


@export.command()
@click.option("--program", help="The absolute path of `reconcile` on that machine; by default, the one on this.")
@click.option(
    "--environment-file",
    default="/etc/reconciler/environment",
    show_default=True,
    help="The file that holds RECONCILER_TABLE_URL=...; only root need be able to read it.",
)
@_running_options
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write into this folder.")
def systemd(*, program: str | None, environment_file: str, folder: Path | None, **asked: Any) -> None:
    """Print systemd services and timers for the sweep and the full run.

    And a service for watch, where RECONCILER_NOTIFY names an SQS queue. Without -o they follow each other, each under its name.
    """
    paths = {"--program": program or shutil.which("reconcile") or sys.argv[0], "--environment-file": environment_file}
    for name, path in paths.items():
        if not path.startswith("/"):
            raise SettingsError(f"{path!r} is no absolute path", hint=f"name it with {name} /...")
    units = as_systemd(_running(**asked), program=paths["--program"], environment_file=environment_file)
    if folder is None:
        click.echo("\n".join(f"# {name}\n{text}" for name, text in units.items()), nl=False)
        return
    for name, text in units.items():
        _write(text, folder / name)


@export.command("lambda-schedule")
@_running_options
@_to_file
def lambda_schedule(*, file: Path | None, **asked: Any) -> None:
    """Print a CloudFormation template that runs the sweep and the full run on AWS Lambda, by EventBridge Scheduler."""
    _write(_json(as_lambda_schedule(_running(**asked))), file)


def _bucket(*, versioned: bool) -> BucketExport:
    """Fill the policy documents; what the settings do not say enough for is left out, and said."""
    settings = load_settings()
    problems = settings.timing().problems()
    if problems:
        raise SettingsError("; ".join(problems))
    wanted = wanted_by(settings)
    parts = {}
    for name, text in _PARTS.items():
        unset = wanted.unset(name)
        _left_out(text, unset)
        if not unset:
            parts[name] = wanted.part(name, versioned=versioned).variants[0]
    return BucketExport(
        bucket=settings.bucket,
        prefix=settings.prefix,
        lifecycle=parts[PartName.LIFECYCLE],
        policy={"Version": POLICY_VERSION, "Statement": parts[PartName.POLICY]} if PartName.POLICY in parts else None,
        cors=parts.get(PartName.CORS),
        notifications=wanted.notification_configuration() if PartName.NOTIFICATIONS in parts else None,
        versioned=versioned,
        identities=tuple(_identities(wanted)),
    )


def _identities(wanted: Wanted) -> Iterator[Identity]:
    for name in documents.names():
        if name.startswith("iam-") and placeholders(documents.load(name)) <= set(wanted.values) | set(DEFAULTS):
            role = name.removeprefix("iam-")
            arns: Any = wanted.values.get(role, ())
            yield Identity(name=role, purpose=documents.PURPOSES[name], document=wanted.document(name), arns=tuple(arns))


def _left_out(part: str, missing: list[str]) -> None:
    if missing:
        render.say(f"left out: {part}; {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")


def _running(*, sweep_at: str, full_at: str, look: bool) -> Running:
    settings = load_settings()
    for line in (sweep_at, full_at):
        check_cron(line)
    return Running(
        environment=dict(_environment(settings)),
        sweep_at=sweep_at,
        full_at=full_at,
        look=look,
        queue_url=queue_url(settings.notify),
    )


def _environment(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the settings that are set, as the environment has them; never a secret."""
    for name in sorted(settings.model_fields_set - set(_ELSEWHERE)):
        value = getattr(settings, name)
        if value is not None:
            yield f"RECONCILER_{name.upper()}", _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    if isinstance(value, tuple | frozenset | set | list):
        return ",".join(sorted(map(str, value)) if isinstance(value, frozenset | set) else map(str, value))
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _check_name(option: str, value: str, *, allowed: str, what: str) -> None:
    if not value or not all(char.isascii() and (char.isalnum() or char in allowed) for char in value):
        raise SettingsError(f"{option} is {value!r}: not {what}")


def _json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


def _write(text: str, file: Path | None) -> None:
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReconcilerError(f"{file} cannot be written: {error.strerror}", hint="name another one with -o") from error
    render.talk(f"written: {file}")


COMMANDS = (export,)
