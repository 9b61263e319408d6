"""`reconcile`: the command line. Each command parses, calls one use case, renders, and sets an exit code."""

import sys
import traceback
from functools import cached_property
from typing import Any

import click

from reconciler import logs
from reconciler.cli import bucket, doctor, exporting, policy, reconciling, render, restoring, table, watching
from reconciler.errors import ReconcilerError
from reconciler.settings import load_settings
from reconciler.wiring import Deployment, deploy

HELP = """Keep a bucket of direct uploads and its table in step, and delete what was abandoned.

\b
Once:     reconcile init, then reconcile install
Nightly:  reconcile sweep
Always:   reconcile watch (optional: acts on S3 events within seconds)
Weekly:   reconcile plan -o plan.json, look at it, reconcile apply plan.json
"""

EPILOG = """
\b
Exit codes:
  0  nothing to do, or all done
  1  error: stderr says what is wrong, and what to do
  2  wrong usage
  3  there is something to do: actions that apply would take, or drift
     (reports alone exit 0, or 3 with --fail-on-report)
  4  refused as unsafe; nothing was changed
  5  done in part: what failed or is unknown is on stderr, the next run finds it again

Settings come from the environment (RECONCILER_BUCKET, RECONCILER_PREFIX, RECONCILER_TABLE_URL, ...), .env and
reconciler.toml; credentials, region and endpoint are AWS's own (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3).
"""


class Context:
    """What the commands share. Nothing is connected before a command needs it."""

    @cached_property
    def here(self) -> Deployment:
        """The deployment that the settings name."""
        return deploy(load_settings())

    def close(self) -> None:
        """Close what was connected."""
        if "here" in self.__dict__:
            self.here.table.engine.dispose()


class Reconcile(click.Group):
    """Turns the library's errors into one line and an exit code. A trace is shown only where it was asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """List the commands in the order they are needed in."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ReconcilerError as error:
            if ctx.params.get("trace"):
                traceback.print_exc()
            render.fail(error)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as error:
            if ctx.params.get("trace"):
                raise
            render.say(f"error: unexpected {type(error).__name__}: {error}")
            render.say("  hint: this is a bug; run `reconcile --trace ...` and report what it prints")
            ctx.exit(1)


@click.group(
    cls=Reconcile, help=HELP, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="reconciler")
@click.option("-v", "--verbose", is_flag=True, help="Log every action on stderr.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what needs somebody: for cron.")
@click.option("--trace", is_flag=True, help="Show the trace of an error.")
@click.pass_context
def main(ctx: click.Context, /, *, verbose: bool, quiet: bool, trace: bool) -> None:  # noqa: ARG001  read from ctx.params
    """Set up what every command shares."""
    logs.set_up(verbose=verbose, quiet=(quiet or sys.stderr.isatty()) and not verbose)
    ctx.obj = Context()
    ctx.call_on_close(ctx.obj.close)


COMMANDS = (
    *bucket.COMMANDS,
    *policy.COMMANDS,
    *doctor.COMMANDS,
    *reconciling.COMMANDS,
    *watching.COMMANDS,
    *table.COMMANDS,
    *restoring.COMMANDS,
    *exporting.COMMANDS,
)
for command in COMMANDS:
    main.add_command(command)
