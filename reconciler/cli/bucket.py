"""init, install, check: what is done once, and looked after."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from reconciler.cli import drift, render
from reconciler.cli.params import format_option
from reconciler.core.dialects import Findings
from reconciler.core.parts import PartName
from reconciler.core.verified import VERIFIED
from reconciler.core.wanted import left_out_events
from reconciler.doctor import learn
from reconciler.errors import NotSupportedError, ReadBackError, ReconcilerError, StoreUnavailableError
from reconciler.installer import Installer, Look
from reconciler.wiring import Deployment

DRIFT = 3
IN_PART = 5
PARTS = [name.value for name in PartName]
F = TypeVar("F", bound=Callable[..., Any])


def parts_options(*names: str) -> Callable[[F], F]:
    """Add --only and --without, for these parts."""

    def add(function: F) -> F:
        kind = click.Choice(names)
        without = click.option("--without", "without", type=kind, multiple=True, help="Leave this part out; may be repeated.")
        return click.option("--only", "only", type=kind, multiple=True, help="Only this part; may be repeated.")(
            without(function)
        )

    return add


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
@parts_options(*PARTS)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def install(ctx: click.Context, *, only: tuple[str, ...], without: tuple[str, ...], yes: bool) -> None:
    """Put the bucket's configuration in place: the safety net.

    Lifecycle rules expire what is still tagged pending after a week, if nobody runs the sweep. CORS, notifications and a bucket
    policy need settings of their own, and are left out without.

    What others have put there stays as it is. Everything is read back and compared.
    """
    here: Deployment = ctx.obj.here
    names = _chosen(PARTS, only, without)
    installer = here.installer()
    if PartName.LIFECYCLE in names:
        installer.check_timing()
    if PartName.POLICY in names:
        _try_policy(here, installer, yes=yes)
    looks = installer.look([PartName(name) for name in names])
    drift.show(looks)
    drifted = [look for look in looks if look.drifted]
    if not drifted:
        return
    if not yes:
        _ask(f"Change the {_listed([look.name.value for look in drifted])} configuration of {here.objects.bucket}?")
    ctx.exit(_install(installer, drifted))


def _try_policy(here: Deployment, installer: Installer, *, yes: bool) -> None:
    """Find out, once, which statements of the bucket policy this store heeds, where it is not AWS."""
    if installer.wanted.unset(PartName.POLICY) or installer.known() != Findings():
        return
    if not yes:
        _ask(f"Try out, with statements for a folder of our own, what this store makes of {here.objects.bucket}'s policy?")
    render.talk("trying out which statements of the bucket policy this store heeds ...")
    learn(here.doctor(), here.findings)


def _install(installer: Installer, looks: Sequence[Look]) -> int:
    """Install part by part; the first that fails ends it, and what was done before is named."""
    done: list[str] = []
    for look in looks:
        try:
            refused = look.part and left_out_events(look.part, installer.install(look))
        except NotSupportedError as error:
            render.say(f"{look.name}: not known here: {error.message}")
        except ReconcilerError as error:
            if not done and not isinstance(error, ReadBackError | StoreUnavailableError):
                raise
            render.fail(error)
            render.say(f"{look.name} was not installed; done before: {_listed(done) or 'nothing'}")
            return IN_PART
        else:
            done.append(look.name.value)
            if refused:
                render.say(f"{look.name}: without {', '.join(refused)}: this store refuses or cannot bear them; plans notice")
    if done:
        render.say(f"installed and read back: {_listed(done)}")
    return 0


@click.command()
@parts_options(*PARTS, VERIFIED)
@format_option
@click.pass_context
def check(ctx: click.Context, *, only: tuple[str, ...], without: tuple[str, ...], output: str) -> None:
    """Compare the bucket's configuration with what it should be. Exits with 3 where it differs.

    Looks at others' rules as well, for what would delete or open completed uploads; and (`verified`) at public access, object
    ownership, versioning and TLS, which install leaves alone.
    """
    here: Deployment = ctx.obj.here
    names = _chosen([*PARTS, VERIFIED], only, without)
    installer = here.installer()
    if PartName.LIFECYCLE in names:
        installer.check_timing()
    checked = installer.check([PartName(name) for name in names if name != VERIFIED], verify=VERIFIED in names)
    if output == "table":
        drift.show(checked.looks)
        drift.show_remarks(checked.remarks)
    else:
        render.data(drift.document(checked), output, rows=drift.records(checked))
    ctx.exit(DRIFT if checked.drifted else 0)


def _chosen(names: Sequence[str], only: Sequence[str], without: Sequence[str]) -> list[str]:
    chosen = [name for name in names if name in (only or names) and name not in without]
    if not chosen:
        raise click.UsageError("--only and --without leave nothing to look at")
    return chosen


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: add --yes")
    click.confirm(question, abort=True, err=True)


COMMANDS = (init, install, check)
