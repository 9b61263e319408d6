"""doctor: what this store keeps of our promises, and what these credentials may do."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from reconciler.cli import render
from reconciler.cli.params import format_option
from reconciler.core.dialects import Findings
from reconciler.core.promises import Finding
from reconciler.core.roles import ROLES, RoleFinding
from reconciler.doctor import DAILY, NOT_TRIED, Diagnosis, Doctor
from reconciler.errors import ReconcilerError
from reconciler.probes.bench import NotTriedError
from reconciler.settings import load_settings
from reconciler.wiring import make_doctor

NOT_WELL = 3


@click.command()
@click.option(
    "--role",
    "needed",
    multiple=True,
    type=click.Choice(ROLES),
    help=f"What these credentials are for, once for each; {', '.join(DAILY)} unless said.",
)
@click.option(
    "--policy",
    "with_policy",
    is_flag=True,
    help="Also try out which statements of the bucket policy this store heeds: puts them, for the folder alone, beside what is "
    "there, and puts that back.",
)
@format_option
@click.pass_context
def doctor(ctx: click.Context, *, needed: tuple[str, ...], with_policy: bool, output: str) -> None:
    """Try out what this store keeps of our promises.

    And what these credentials may do: which of the roles they can play, and what each lacks.

    Everything happens under {prefix}.reconciler/, which no plan looks at, and is taken away afterwards, also after Ctrl-C. The
    bucket's configuration is read and, without --policy, not put. Neither the table nor `reconcile init` is needed.

    Exits with 3 where a promise is not kept, or a permission is denied that the roles need. What is not kept has a line that
    says what to do instead.
    """
    patient = make_doctor(load_settings())
    with tidied(patient), told() as tell:
        found = patient.examine(needed=needed or DAILY, told=tell)
        policy = try_policy(patient, told=tell) if with_policy else None
    show(found, policy, output)
    ctx.exit(0 if found.healthy else NOT_WELL)


@contextmanager
def tidied(patient: Doctor) -> Iterator[None]:
    """Take away what was put however the block ends, and say what could not be taken away."""
    with _ended_by_sigterm():
        try:
            yield
        finally:
            try:
                left = patient.tidy()
            except (ReconcilerError, KeyboardInterrupt):
                render.say(f"left behind, perhaps: what lies under {patient.bench.folder}")
                raise
            for key in left:
                render.say(f"left behind: {key} (deleting it was refused; it expires if our lifecycle rule is installed)")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: by an exception, so that whoever cleans up can."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told() -> Iterator[Any]:
    """Show on a terminal what is being tried; nothing otherwise."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("trying ...") as status:
        yield lambda what: status.update(f"trying: {what}")


def try_policy(patient: Doctor, *, told: Callable[[str], None]) -> Findings | None:
    """Try the bucket policy out; None where that is not possible, which is said."""
    told("the bucket policy")
    if patient.store.is_aws:
        render.say("the bucket policy is not tried on AWS: it takes AWS's own dialect whole")
        return None
    try:
        return patient.policy()
    except NotTriedError as error:
        render.say(f"{NOT_TRIED}: {error}")
        return None


def show(found: Diagnosis, policy: Findings | None, output: str) -> None:
    """Print a diagnosis."""
    if output != "table":
        statements = _statements(policy)
        findings = [_finding(each) for each in found.findings]
        roles = [_role(each, found) for each in found.roles]
        whole = {"bucket": found.bucket, "prefix": found.prefix, "endpoint": found.endpoint, "healthy": found.healthy}
        render.data(
            {**whole, "promises": findings, "roles": roles, "policy": statements}, output, rows=[*findings, *roles, *statements]
        )
        return
    render.table(["promise", "", "how"], ((each.promise.text, each.result.verdict, each.result.how) for each in found.findings))
    click.echo()
    render.table(["role", "", "actions"], (_role_cells(each) for each in found.roles))
    if policy:
        click.echo()
        render.table(["statement", "dialect", "", "how"], (tuple(each.values()) for each in _statements(policy)))
    for each in found.findings:
        if each.broken:
            render.say(f"instead: {each.promise.text}: {each.promise.instead}")
    for role in found.roles:
        if role.lacks and role.role in found.needed:
            render.say(
                f"grant {', '.join(role.lacks)} to the {role.role}: `reconcile policy iam-{role.role}` prints its document"
            )


def _role_cells(role: RoleFinding) -> tuple[str, str, str]:
    untried = f"not tried: {', '.join(role.untried)}" if role.untried else ""
    if role.playable:
        return role.role, "can" if not role.untried else "can, as far as tried", untried
    return role.role, "cannot", "; ".join(filter(None, [f"denied: {', '.join(role.lacks)}", untried]))


def _statements(policy: Findings | None) -> list[dict[str, str]]:
    seen = policy.seen.items() if policy else ()
    return [
        {"statement": purpose, "dialect": dialect, "effect": each.effect.value, "how": each.how}
        for dialect, purposes in seen
        for purpose, each in purposes.items()
    ]


def _finding(each: Finding) -> dict[str, Any]:
    said = {"promise": each.promise.id, "text": each.promise.text, "verdict": each.result.verdict, "how": each.result.how}
    return {**said, "aws": each.promise.aws, "instead": each.promise.instead if each.broken else ""}


def _role(each: RoleFinding, found: Diagnosis) -> dict[str, Any]:
    can = {"role": each.role, "playable": each.playable, "needed": each.role in found.needed}
    return {**can, "lacks": each.lacks, "not_tried": each.untried}


COMMANDS = (doctor,)
