"""plan, apply, sweep."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from reconciler.adapters.plan_file import read_plan, write_plan
from reconciler.cli import render
from reconciler.cli.params import fail_on_report, format_option, listing_options, plan_options
from reconciler.cli.waiting import progress, stopping
from reconciler.core.decide import Untracked
from reconciler.core.guards import Limits
from reconciler.core.plan import Plan, PlanOptions
from reconciler.core.report import Fate, RunReport
from reconciler.errors import PlanFileError, UnfinishedPlanError
from reconciler.logs import get_logger
from reconciler.wiring import Deployment

TO_DO, REFUSED, PARTIAL = 3, 4, 5
IN_A_FILE = "run it again, or plan with -o FILE: a plan in a file can be resumed"

log = get_logger()


@click.command()
@click.option("-o", "--output-file", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to a file for apply.")
@click.option("--sweep", "from_table", is_flag=True, help="Plan from the table alone, as sweep does, without listing the bucket.")
@click.option(
    "--resume",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Go on with a plan that was cut short, and write it to the same FILE (or to -o).",
)
@listing_options
@plan_options
@fail_on_report
@format_option
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    *,
    output_file: Path | None,
    from_table: bool,
    resume: Path | None,
    output: str,
    fail_on_report: bool,
    **asked: Any,
) -> None:
    """Show what apply would do. Writes nothing to bucket or table.

    The bucket's listing is compared with the table, key by key. Exits with 3 if there is something to do, with 4 if apply
    would refuse it as unsafe.

    With -o, Ctrl-C, SIGTERM or a failing S3 lose nothing: what was found so far is written, and --resume goes on behind its
    last key (exit code 5).
    """
    here: Deployment = ctx.obj.here
    if output_file and not output_file.parent.is_dir():
        raise PlanFileError(f"the folder {output_file.parent} does not exist", hint="create it first, or name another file")
    if resume:
        found, output_file = _resume(here, resume, from_table=from_table, **asked), output_file or resume
    else:
        found = _plan(here, from_table=from_table, **asked)
    if output_file:
        write_plan(found, output_file)
        render.say(render.summary(found))
    else:
        render.plan(found, output)
    render.reports(found.reports)
    if found.stopped:
        render.say(f"planning stopped behind {found.stopped.after}: {found.stopped.why}")
        render.say(_how_to_go_on(output_file))
        ctx.exit(PARTIAL)
    refusals = here.applier().check(found, limits=Limits(max_delete=asked["max_delete"]))
    if output_file:
        how = "" if refusals else f"; carry it out with: reconcile apply {output_file}"
        render.say(f"plan written to {output_file}{how}")
    for refusal in refusals:
        render.say("apply would refuse this plan:")
        render.fail(refusal)
    ctx.exit(REFUSED if refusals else _to_do(found, fail_on_report=fail_on_report))


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@listing_options
@plan_options
@fail_on_report
@format_option
@click.pass_context
def apply(ctx: click.Context, /, *, file: Path | None, yes: bool, output: str, fail_on_report: bool, **asked: Any) -> None:
    """Carry out a plan.

    With FILE, exactly what `reconcile plan -o FILE` wrote down, without asking. Without, it plans, shows, and asks. Every
    action is compared with the world once more; what has moved since is skipped. Every deletion is journalled.
    """
    here: Deployment = ctx.obj.here
    limits = Limits(max_delete=asked["max_delete"])
    if file:
        _nothing_asked("a plan file says what to do", **asked)
        found = read_plan(file)
    else:
        found = _plan(here, from_table=False, **asked)
        if found.stopped:
            raise UnfinishedPlanError(f"planning stopped behind {found.stopped.after}: {found.stopped.why}", hint=IN_A_FILE)
        if output == "table":
            render.plan(found, output)
        else:
            render.say(render.summary(found))
        _refuse(here, found, limits)
        if found.writing and not yes:
            _ask(found)
    report = _apply(here, found, limits)
    render.run(report, output)
    render.reports(found.reports)
    ctx.exit(_done(report, fail_on_report=fail_on_report))


@click.command()
@plan_options
@fail_on_report
@format_option
@click.pass_context
def sweep(ctx: click.Context, *, max_delete: int | None, accept_restored: bool, fail_on_report: bool, output: str) -> None:
    """Delete what was abandoned, from the table alone: the nightly job.

    Looks only at rows that are due, claimed, unsettled, unconfirmed or outlived, so it costs what the last day cost. To see
    first what it would do: reconcile plan --sweep.
    """
    here: Deployment = ctx.obj.here
    with progress("sweeping") as told:
        found = here.planner().sweep(PlanOptions(accept_restored=accept_restored), progress=told)
    render.talk(render.summary(found))
    report = _apply(here, found, Limits(max_delete=max_delete))
    render.run(report, output)
    render.reports(found.reports)
    ctx.exit(_done(report, fail_on_report=fail_on_report))


def _plan(
    here: Deployment,
    *,
    from_table: bool,
    since: Any,
    untracked: str,
    tags: bool,
    accept_restored: bool,
    max_delete: int | None,  # noqa: ARG001  the guards' business, not the planner's
) -> Plan:
    if from_table and (since is not None or tags or untracked != "report"):
        raise click.UsageError("--since, --untracked and --tags need the listing; leave out --sweep")
    options = PlanOptions(
        since=None if since is None else _ago(here, since),
        untracked=Untracked(untracked),
        tags=tags,
        accept_restored=accept_restored,
    )
    if from_table:
        with progress("planning") as told:
            return here.planner().sweep(options, progress=told)
    with progress("planning") as told, stopping() as stop:
        return here.planner().listing(options, progress=told, stopping=stop)


def _resume(here: Deployment, file: Path, *, from_table: bool, max_delete: int | None, **asked: Any) -> Plan:
    if from_table:
        raise click.UsageError("--resume goes on with a listing; a plan with --sweep is made anew")
    _nothing_asked("--resume goes on with what the plan was asked for", max_delete=max_delete, **asked)
    begun = read_plan(file)
    if begun.created_at + here.timing.plan_life < here.clock.now():
        raise PlanFileError(f"the plan {file} is older than a plan may be applied", hint="plan anew")
    with progress("planning") as told, stopping() as stop:
        return here.planner().resume(begun, progress=told, stopping=stop)


def _nothing_asked(why: str, *, since: Any, untracked: str, tags: bool, accept_restored: bool, max_delete: int | None) -> None:  # noqa: ARG001
    if since is not None or tags or accept_restored or untracked != "report":
        raise click.UsageError(f"{why}; --since, --untracked, --tags and --accept-restored are for a plan made anew")


def _how_to_go_on(file: Path | None) -> str:
    if file is None:
        return IN_A_FILE
    return f"go on with: reconcile plan --resume {file}"


def _ago(here: Deployment, span: timedelta) -> datetime:
    try:
        return here.clock.now() - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _apply(here: Deployment, found: Plan, limits: Limits) -> RunReport:
    report = here.applier().apply(found, limits=limits)
    log.info(
        "run_finished",
        run=found.id,
        finder=found.finder.value,
        deleted=len(report.deleted),
        bytes_deleted=report.bytes_deleted,
        failed=len(report.of(Fate.FAILED)),
        reported=len(found.reports) + len(report.of(Fate.REPORTED)),
        seconds=round((report.ended_at - report.started_at).total_seconds(), 1),
    )
    render.trouble(report.outcomes)
    return report


def _refuse(here: Deployment, found: Plan, limits: Limits) -> None:
    for refusal in here.applier().check(found, limits=limits):
        raise refusal


def _ask(found: Plan) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: add --yes, or apply a plan file")
    click.confirm(
        f"Carry out {render.count(len(found.writing), 'action')}, {len(found.deletions)} of them deletions?", abort=True, err=True
    )


def _to_do(found: Plan, *, fail_on_report: bool) -> int:
    if not found.complete:
        return PARTIAL
    return TO_DO if found.writing or (fail_on_report and found.reports) else 0


def _done(report: RunReport, *, fail_on_report: bool) -> int:
    if report.of(Fate.FAILED) or not report.plan.complete:
        return PARTIAL
    reported = report.plan.reports or report.of(Fate.REPORTED)
    return TO_DO if fail_on_report and reported else 0


COMMANDS = (plan, apply, sweep)
