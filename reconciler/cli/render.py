"""Rendering: results become text here and nowhere else. Data goes to stdout, talk to stderr."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import click
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from reconciler.core.actions import MarkChanged, Planned
from reconciler.core.model import Tag
from reconciler.core.plan import Plan
from reconciler.core.report import Fate, Outcome, RunReport
from reconciler.errors import ReconcilerError

UNFOLDED = 10_000  # columns where no terminal sets them: wider than any key
SHOWN = 20  # actions shown in a table before it is cut; --format jsonl shows all
MARKS = {
    "record-stored": "·",
    "settle": "=",
    "confirm": "=",
    "mark-changed": "!",
    "hold-back": "·",
    "quarantine": "~",
    "tombstone": "-",
    "delete": "-",
    "delete-untracked": "-",
    "finish-deletion": "-",
    "delete-late-arrival": "-",
    "forget": "·",
    "report": "!",
}


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value


def printable(value: Any) -> str:
    """Return a text that cannot speak to the terminal: what is unprintable is written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def talk(text: str) -> None:
    """Say what is good to know, unless --quiet."""
    if not click.get_current_context().find_root().params.get("quiet"):
        say(text)


def say(text: str) -> None:
    """Talk, on stderr."""
    click.echo(printable(text), err=True)


def fail(error: ReconcilerError) -> None:
    """Say in one line what is wrong, and in another what to do."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")


def data(value: Any, output: str, *, rows: Iterable[Any] = ()) -> None:
    """Print a result as json, or its rows as jsonl."""
    if output == "json":
        click.echo(json.dumps(plain(value), indent=2))
        return
    for row in rows:
        click.echo(json.dumps(plain(row)))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on stdout: folded to a terminal's width, as wide as it has to be elsewhere."""
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else UNFOLDED)
    grid = RichTable(box=None, pad_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        # As Text, because rich would read [brackets] in a key as markup.
        grid.add_row(*(Text("" if cell is None else printable(cell)) for cell in row))
    console.print(grid)


def plan(found: Plan, output: str) -> None:
    """Print a plan."""
    if output != "table":
        data(found, output, rows=found.actions)
        return
    if found.actions:
        table(["", "action", "reason", "tag", "bytes", "key"], (_cells(action) for action in found.actions[:SHOWN]))
        if len(found.actions) > SHOWN:
            say(f"... and {len(found.actions) - SHOWN} more; --format jsonl prints all")
    say(summary(found))


def summary(found: Plan) -> str:
    """Return a plan in one line."""
    looked_at = found.kept + len(found.actions)
    looked = count(found.seen.listed, "object") + " listed" if found.seen.listed else count(looked_at, "key") + " looked at"
    deletions = f"{count(len(found.deletions), 'deletion')}, {size(found.bytes_to_delete)}"
    return (
        f"{found.finder}: {looked}; {count(len(found.writing), 'action')} ({deletions}), "
        f"{len(found.reports)} to report, {found.kept} to keep"
    )


def reports(actions: Iterable[Planned]) -> None:
    """Tell what somebody should look at, on stderr: the first few of each reason, and how many more there are."""
    told: Counter[str] = Counter()
    for action in actions:
        told[action.reason.value] += 1
        if told[action.reason.value] <= SHOWN:
            say(f"report: {action.reason}: {action.key}{_advice(action)}")
    for reason, number in told.items():
        if number > SHOWN:
            say(f"report: {reason}: ... and {number - SHOWN:,} more; `reconcile plan --format jsonl` lists all")


def _advice(action: Planned) -> str:
    advice = {
        "disputed": "reconcile adopt KEY keeps it, reconcile release KEY lets it go",
        "changed": "reconcile accept KEY takes the new object, release KEY lets it go; with versions, restore KEY undoes it",
        "missing": "reconcile release KEY ends the row; with versions, reconcile restore KEY brings it back",
        "held-back": "reconcile adopt KEY keeps it; --accept-restored says that the table is no old backup",
        "unknown": "S3 did not answer; run again",
        "untracked": "--untracked quarantine or --untracked delete removes it",
    }
    text = advice.get(action.reason.value)
    return f" ({text})" if text else ""


def run(report: RunReport, output: str) -> None:
    """Print what applying a plan did."""
    if output != "table":
        data(_run_data(report), output, rows=report.outcomes)
        return
    counts = list(report.counts().items())
    if counts:
        table(["outcome", "count"], counts)
    talk(f"{count(len(report.deleted), 'object')} deleted, {size(report.bytes_deleted)} freed")


def _run_data(report: RunReport) -> dict[str, Any]:
    return {
        "run": report.plan.id,
        "finder": report.plan.finder,
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "counts": report.counts(),
        "deleted": len(report.deleted),
        "bytes_deleted": report.bytes_deleted,
        "outcomes": report.outcomes,
    }


def trouble(outcomes: Iterable[Outcome]) -> None:
    """Tell, on stderr, what was not done and what somebody should look at."""
    for outcome in outcomes:
        if outcome.fate is Fate.FAILED:
            say(f"failed: {outcome.action.kind}: {outcome.action.key}: {outcome.detail}")
        elif outcome.fate is Fate.REPORTED and not isinstance(outcome.action, MarkChanged):  # `reports` tells of those
            say(f"report: {outcome.action.key}: {outcome.detail}")


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(length: int) -> str:
    """Return bytes as a person reads them."""
    amount = float(length)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _cells(action: Planned) -> tuple[Any, ...]:
    return MARKS[action.kind], action.kind, action.reason, _tag(action), action.facts.size, action.key


def _tag(action: Planned) -> str:
    # Where no tag was needed none was read; "unknown" would sound like trouble.
    return "" if action.facts.tag is Tag.UNKNOWN else action.facts.tag.value
