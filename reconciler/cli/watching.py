"""watch: events, as they come."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click

from reconciler.adapters.event_file import EventFile
from reconciler.adapters.sqs import SqsQueue, make_sqs_client
from reconciler.adapters.webhook import HealthEndpoint, WebhookQueue
from reconciler.cli import render
from reconciler.cli.params import format_option
from reconciler.cli.waiting import stopping
from reconciler.ports import EventQueue
from reconciler.watching import Tally, Watcher
from reconciler.wiring import Deployment

PARTIAL = 5


@click.command()
@click.option("--sqs", metavar="URL", help="Receive from this SQS queue.")
@click.option("--webhook", metavar="HOST:PORT", help="Listen there for POST /events, and answer GET /health.")
@click.option(
    "--from",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Replay a file of JSON lines, one message a line; - is stdin.",
)
@click.option("--health", metavar="HOST:PORT", help="Answer GET /health there (with --sqs).")
@click.option(
    "--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="How many batches are worked on at once."
)
@format_option
@click.pass_context
def watch(
    ctx: click.Context,
    *,
    sqs: str | None,
    webhook: str | None,
    file: Path | None,
    health: str | None,
    threads: int,
    output: str,
) -> None:
    """Look after each key that an S3 event names, as soon as it comes.

    An event is only a hint: row and object are read again, and decided about as ever. Losing, repeating or reordering events
    changes nothing but how soon things happen; the sweep is needed all the same.

    Understands S3's notifications, also through SNS and EventBridge, and those of Ceph, MinIO and SeaweedFS. With --webhook,
    RECONCILER_WEBHOOK_SECRET is what the sender must know. Ctrl-C and SIGTERM end it gently: what was received is finished.
    """
    if sum(source is not None for source in (sqs, webhook, file)) != 1:
        raise click.UsageError("say where events come from: one of --sqs URL, --webhook HOST:PORT, --from FILE")
    if health and not sqs:
        raise click.UsageError("--health is for --sqs; a webhook answers GET /health itself, and a file ends")
    here: Deployment = ctx.obj.here
    tally = Tally("sqs" if sqs else "webhook" if webhook else "file")
    with ExitStack() as stack:
        queue = stack.enter_context(_source(here, tally, sqs=sqs, webhook=webhook, file=file))
        if health:
            endpoint = stack.enter_context(HealthEndpoint(health, tally.as_dict))
            render.talk(f"answering GET /health on port {endpoint.port}")
        stop = stack.enter_context(stopping("what was received is finished first ..."))
        Watcher(queue, here.consumer(), tally=tally, threads=threads, on_failure=_failed).run(stop)
    _show(tally, output)
    ctx.exit(PARTIAL if file and tally.counts["failed"] else 0)


@contextmanager
def _source(here: Deployment, tally: Tally, *, sqs: str | None, webhook: str | None, file: Path | None) -> Iterator[EventQueue]:
    if webhook:
        secret = here.settings.webhook_secret
        told = secret.get_secret_value() if secret else None
        with WebhookQueue(webhook, secret=told, health=tally.as_dict) as listening:
            render.talk(f"listening on port {listening.port}")
            yield listening
        return
    with closing(SqsQueue(make_sqs_client(sqs), sqs) if sqs else EventFile(file or Path("-"))) as queue:
        yield queue


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
