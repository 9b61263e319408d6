"""init, install, check, policy: what is done once, and looked after."""

import json
import sys
from typing import Any

import click

from reconciler.adapters import documents
from reconciler.cli import render
from reconciler.cli.params import format_option
from reconciler.core.documents import FROM_SETTINGS, Rule, choose, fill, placeholders, to_be_given
from reconciler.installer import LifecycleDiff, lifecycle_values
from reconciler.settings import load_settings
from reconciler.wiring import Deployment

DRIFT = 3


@click.command()
@click.option("--rebind", is_flag=True, help="Give table and bucket a new common id: only after a table was lost for good.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before rebinding.")
@click.pass_context
def init(ctx: click.Context, *, rebind: bool, yes: bool) -> None:
    """Create the table, and bind it to the bucket. Safe to run again.

    Also brings an older table up to date, and makes sure that S3 tells this role when an object is absent: without
    s3:ListBucket it answers 403 instead, and nothing could be decided.
    """
    here: Deployment = ctx.obj.here
    if rebind and not yes:
        _ask(f"Take {here.objects.bucket}/{here.prefix} away from the table it belongs to, for {here.table.place}?")
    bound, what = here.initialise(rebind=rebind)
    render.say(f"{bound.bucket}/{bound.prefix} and {here.table.place} are instance {bound.instance_id}: {what}")


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def install(ctx: click.Context, *, yes: bool) -> None:
    """Put the lifecycle rules in place: the safety net.

    They expire what is still tagged pending after a week, if nobody runs the sweep.

    Others' rules stay as they are. Ours are put switched off, read back, compared, and only then switched on.
    """
    here: Deployment = ctx.obj.here
    installer = here.installer()
    installer.check_timing()
    diff = installer.compare()
    _show(diff)
    if not diff.drifted:
        return
    if not yes:
        _ask(f"Change the lifecycle rules of {here.objects.bucket}?")
    installer.install()
    render.say("installed and read back")


@click.command()
@format_option
@click.pass_context
def check(ctx: click.Context, *, output: str) -> None:
    """Compare the bucket's lifecycle rules with what they should be. Exits with 3 where they differ."""
    here: Deployment = ctx.obj.here
    installer = here.installer()
    installer.check_timing()
    diff = installer.compare()
    if output == "table":
        _show(diff)
    else:
        render.data(diff, output, rows=_lines(diff))
    ctx.exit(DRIFT if diff.drifted else 0)


@click.command()
@click.argument("name", required=False)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A value for a placeholder that no setting names.")
def policy(name: str | None, *, given: tuple[str, ...]) -> None:
    """Print a policy document, filled from the settings. Without NAME, list them.

    What the settings do not know is given with --set: the ARN of a role, the origin of a site; some of them more than once.
    """
    if name is None:
        render.table(["document", "what it is for", "needs --set"], map(_document_line, documents.names()))
        return
    document = documents.load(name)
    known = _from_settings() if placeholders(document) & FROM_SETTINGS else {}
    click.echo(json.dumps(fill(document, choose(name, document, known=known, given=_pairs(given))), indent=2))


def _document_line(name: str) -> tuple[str, str, str]:
    return name, documents.PURPOSES.get(name, ""), ", ".join(to_be_given(documents.load(name)))


def _from_settings() -> dict[str, str | int]:
    settings = load_settings()
    timing = settings.timing()
    # S3 counts a signature's age in milliseconds, and compares it with a text (Signature Version 4 condition keys).
    own = {"bucket": settings.bucket, "url_life_ms": str(int(timing.url_life.total_seconds() * 1000))}
    return lifecycle_values(timing, settings.prefix) | own


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: add --yes")
    click.confirm(question, abort=True, err=True)


def _pairs(given: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        found.setdefault(name, []).append(value)
    return found


def _lines(diff: LifecycleDiff) -> list[dict[str, Any]]:
    missing = [{"rule": rule["ID"], "drift": "missing", "found": None, "wanted": rule} for rule in diff.missing]
    changed = [{"rule": new["ID"], "drift": "changed", "found": old, "wanted": new} for old, new in diff.changed]
    surplus = [{"rule": rule["ID"], "drift": "surplus", "found": rule, "wanted": None} for rule in diff.surplus]
    return [*missing, *changed, *surplus]


def _show(diff: LifecycleDiff) -> None:
    for line in _lines(diff):
        click.echo(f"{line['drift']}: {line['rule']}")
        _show_rule("-", line["found"])
        _show_rule("+", line["wanted"])
    if diff.foreign:
        render.say(f"{len(diff.foreign)} other lifecycle rules, left alone")
    if not diff.drifted:
        render.say("the lifecycle rules are as they should be")


def _show_rule(mark: str, rule: Rule | None) -> None:
    if rule is not None:
        click.echo(f"  {mark} {json.dumps(rule, sort_keys=True)}")


COMMANDS = (init, install, check, policy)
