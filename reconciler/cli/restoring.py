"""restore: undoing a deletion on a bucket that keeps versions."""

import sys

import click

from reconciler.cli import render
from reconciler.restoring import Restoration
from reconciler.wiring import Deployment


@click.command()
@click.argument("key")
@click.option("--owner", help="Whose it is, where its row is forgotten.")
@click.option("--version-id", metavar="ID", help="Restore this version, where nothing else tells which.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def restore(ctx: click.Context, *, key: str, owner: str | None, version_id: str | None, yes: bool) -> None:
    """Bring back a deleted object on a bucket that keeps versions.

    Takes the bytes that were completed, also where the object is missing, or was replaced by another one: what is on top stays as
    a version. The upload is completed again, with its owner, type and tags. If it is cut short, run it again.
    """
    here: Deployment = ctx.obj.here
    restorer = here.restorer()
    found = restorer.find(key, owner=owner, version_id=version_id)
    render.say(_told(found))
    if not yes:
        _ask()
    row = restorer.restore(found)
    render.say(f"{row.key} is {row.status}, and {row.owner} has it back")


def _told(found: Restoration) -> str:
    version = found.version
    return (
        f"{found.key}: version {version.version_id}, {render.size(version.size)}, "
        f"stored {version.last_modified:%Y-%m-%d %H:%M}Z, goes back to {found.owner}"
    )


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: add --yes")
    click.confirm("Restore it?", abort=True, err=True)


COMMANDS = (restore,)
