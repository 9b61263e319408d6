"""watch: events, as they come."""

from pathlib import Path

import click

from reconciler.adapters.event_file import EventFile
from reconciler.cli import render
from reconciler.cli.params import format_option
from reconciler.cli.waiting import stopping
from reconciler.ports import EventQueue
from reconciler.watching import Tally, Watcher
from reconciler.wiring import Deployment

PARTIAL = 5


@click.command()
@click.option(
    "--from",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Replay a file of JSON lines; - is stdin.",
)
@click.option(
    "--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="How many batches are worked on at once."
)
@format_option
@click.pass_context
def watch(ctx: click.Context, *, file: Path | None, threads: int, output: str) -> None:
    """Look after each key that an S3 event names, as soon as it comes.

    An event is only a hint: row and object are read again, and decided about as ever. Losing, repeating or reordering events
    changes nothing but how soon things happen; the sweep is needed all the same.

    Ctrl-C and SIGTERM end it gently: what was received is finished, or given back. Needs `reconcile init`.
    """
    here: Deployment = ctx.obj.here
    queue = _source(file)
    watcher = Watcher(queue, here.consumer(), threads=threads, on_failure=_failed)
    with stopping("what was received is finished first ...") as stop:
        tally = watcher.run(stop)
    _show(tally, output)
    ctx.exit(PARTIAL if file and tally.counts["failed"] else 0)


def _source(file: Path | None) -> EventQueue:
    if file is None:
        raise click.UsageError("say where events come from: --from FILE")
    return EventFile(file)


def _failed(message: str, why: str) -> None:
    render.say(f"failed: message {message}: {why}")


def _show(tally: Tally, output: str) -> None:
    found = tally.as_dict()
    if output != "table":
        render.data(found, output, rows=[found])
        return
    render.table(["what", "count"], found["counts"].items())
    if found["longest_lag_seconds"] is not None:
        render.talk(f"the longest from an event to its end: {found['longest_lag_seconds']:,.1f} s")


COMMANDS = (watch,)
