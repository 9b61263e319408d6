"""list, show, adopt, release, accept: looking at uploads, and settling what is disputed."""

import json
from datetime import datetime
from typing import Any

import click

from reconciler.cli import render
from reconciler.cli.params import format_option
from reconciler.cli.words import WHY
from reconciler.core.actions import Action
from reconciler.core.keys import parse_reference
from reconciler.core.model import Status, Tag, Upload
from reconciler.core.rows import Where
from reconciler.errors import UnknownUploadError
from reconciler.reading import bound, find, vote
from reconciler.wiring import Deployment


@click.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]), multiple=True, help="Only rows in this status.")
@click.option("--owner", help="Only this owner's.")
@click.option("--due", is_flag=True, help="Only rows past their deadline.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most this many.")
@format_option
@click.pass_context
def list_(ctx: click.Context, *, status: tuple[str, ...], owner: str | None, due: bool, limit: int, output: str) -> None:
    """List uploads, oldest first."""
    here: Deployment = ctx.obj.here
    bound(here.table, bucket=here.objects.bucket, prefix=here.prefix)
    statuses = tuple(Status(name) for name in status) or ((Status.PENDING, Status.DELETING, Status.QUARANTINED) if due else ())
    where = Where(
        statuses=statuses,
        equals={"owner": owner} if owner else {},
        until={"due_at": here.clock.now()} if due else {},
    )
    rows = here.table.select(where, order="created_at", limit=limit)
    total = here.table.count(where)
    if total > len(rows):
        render.say(f"{len(rows)} of {total}; --limit shows more")
    if output != "table":
        render.data(rows, output, rows=rows)
        return
    headings = ["status", "owner", "created", "due", "bytes", "key"]
    render.table(headings, ((r.status, r.owner, _when(r.created_at), _due(r), r.size, r.key) for r in rows))


@click.command()
@click.argument("key")
@click.option("--why", is_flag=True, help="Say what would be decided about it now, and why.")
@format_option
@click.pass_context
def show(ctx: click.Context, *, key: str, why: bool, output: str) -> None:
    """Show what is known about one KEY (or URL).

    Its row, its object, and the object's tag; with --why also what would be decided about it now.
    """
    here: Deployment = ctx.obj.here
    bound(here.table, bucket=here.objects.bucket, prefix=here.prefix)
    key = parse_reference(key, bucket=here.objects.bucket, prefix=here.prefix)
    row = here.table.get(key)
    facts = find(here.objects, key)
    if row is None and facts is None:
        raise UnknownUploadError(f"there is neither a row nor an object at {key}")
    tag = (vote(here.objects, key) if facts else None) or Tag.NONE
    action = here.planner().look(key) if why else None
    known = {"key": key, "row": row, "object": facts and {**render.plain(facts.entry), "tag": tag}}
    if action is not None:
        known["decision"] = {"action": action.kind, "reason": action.reason, "why": WHY[action.reason]}
    if output != "table":
        render.data(known, output, rows=[known])
        return
    render.table(["", ""], _pairs(known))
    if action is not None:
        click.echo(_decision(action, row))


@click.command()
@click.argument("key")
@click.option("--owner", help="Whose it is, where it has no row.")
@click.pass_context
def adopt(ctx: click.Context, *, key: str, owner: str | None) -> None:
    """Keep a disputed object, or one without a row, as completed.

    Settles a dispute in favour of the object: the tag remembers a completion that the table has lost.
    """
    _tell(ctx.obj.here.operator().adopt(key, owner=owner))


@click.command()
@click.argument("key")
@click.pass_context
def release(ctx: click.Context, *, key: str) -> None:
    """Let a completed or disputed object go.

    It is deleted by the sweep after the release grace (RECONCILER_RELEASE_GRACE, 7 days).
    """
    _tell(ctx.obj.here.operator().release(key))


@click.command()
@click.argument("key")
@click.pass_context
def accept(ctx: click.Context, *, key: str) -> None:
    """Keep the object that replaced a completed one.

    Settles a report of `changed`: from now on it is the completed object.
    """
    _tell(ctx.obj.here.operator().accept(key))


def _tell(row: Upload) -> None:
    until = ""
    if row.status is Status.DELETING:
        until = f": the first sweep after {_when(row.due_at)} deletes it; until then `reconcile adopt KEY` takes it back"
    render.say(f"{row.key} is {row.status}{until}")


def _pairs(known: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = [("key", known["key"])]
    for part in ("row", "object"):
        values = render.plain(known[part])
        if values is None:
            pairs.append((part, "none"))
            continue
        pairs += [(f"{part} {name}", _cell(value)) for name, value in values.items() if value not in (None, {}) and name != "key"]
    return pairs


def _cell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _decision(action: Action, row: Upload | None) -> str:
    when = (
        f" It is due {_when(row.due_at)}." if row and row.status in (Status.PENDING, Status.DELETING, Status.QUARANTINED) else ""
    )
    return f"now: {action.kind} ({action.reason}). {WHY[action.reason]}{when}"


def _due(row: Upload) -> str:
    return "" if row.status in (Status.COMPLETED, Status.DELETED) else _when(row.due_at)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


COMMANDS = (list_, show, adopt, release, accept)
