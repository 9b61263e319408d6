"""Parameter types and options that several commands share."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from reconciler.setting_types import parse_duration

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType[timedelta]):
    """A duration such as 15m, 24h or 3d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return a timedelta, or fail with what would be right."""
        try:
            span: timedelta = parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} is {error}", param, ctx)
        return span


def format_option(function: F) -> F:
    """Add --format."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(["table", "json", "jsonl"]),
        default="table",
        show_default=True,
        help="How to print the result on stdout.",
    )(function)


def plan_options(function: F) -> F:
    """Add what every plan may be asked for."""
    options = [
        click.option(
            "--accept-restored",
            is_flag=True,
            help="Delete due uploads tagged 'completing' although some key is disputed: the table is no old backup.",
        ),
        click.option(
            "--max-delete",
            type=click.IntRange(min=0),
            metavar="N",
            help="Allow this run up to N deletions, instead of the usual limits.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def listing_options(function: F) -> F:
    """Add what a plan from the listing may be asked for."""
    options = [
        click.option("--since", type=Duration(), metavar="SPAN", help="Look only at keys of this last span, such as 3d."),
        click.option(
            "--untracked",
            type=click.Choice(["report", "quarantine", "delete"]),
            default="report",
            show_default=True,
            help="What to do about objects without a row. One tagged completed is always only reported.",
        ),
        click.option("--tags", is_flag=True, help="Read the tag of every listed object: one request each."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def fail_on_report(function: F) -> F:
    """Add --fail-on-report."""
    return click.option("--fail-on-report", is_flag=True, help="Exit with 3 if anything is reported.")(function)
