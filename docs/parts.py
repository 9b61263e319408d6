"""The generated parts of the README: each function returns Markdown made from the code itself.

`make docs` writes them into the README with cog, `make check` fails where the README says something else.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from reconciler.cli.main import main
from reconciler.core.decide import TABLE
from reconciler.setting_types import parse_duration
from reconciler.settings import Settings


def decision_table() -> str:
    """Return the decision table."""
    lines = ["| row | object | condition | action | reason |", "|---|---|---|---|---|"]
    for rung in TABLE:
        action = rung.action.__dataclass_fields__["kind"].default
        lines.append(f"| {rung.row} | {rung.object} | {rung.condition} | {action} | {rung.reason} |")
    return "\n".join(lines)


def commands() -> str:
    """Return every command with its first sentence."""
    context = click.Context(main)
    rows = [(name, main.get_command(context, name)) for name in main.list_commands(context)]
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `reconcile {name}` | {_sentence(command.help or '')} |" for name, command in rows if command]
    return "\n".join(lines)


def exit_codes() -> str:
    """Return the exit codes, as `reconcile --help` lists them."""
    found = re.findall(r"^  (\d)  (.+)$", main.epilog or "", re.MULTILINE)
    return "\n".join(["| exit code | meaning |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in found)])


def settings() -> str:
    """Return every setting with its default and its meaning."""
    meanings = dict(_meanings())
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else f"`{_default(name, field.default)}`"
        lines.append(f"| `RECONCILER_{name.upper()}` | {default} | {meanings[name]} |")
    return "\n".join(lines)


def servers() -> str:
    """Return which server keeps which promise, as `reconcile doctor` found it (`make servers`)."""
    written = _written()
    names = written["servers"]
    lines = [_row("the store", *names.values()), "|---" * (len(names) + 1) + "|"]
    lines += [_row(row["promise"], *(row[server] for server in names)) for row in written["promises"]]
    return "\n".join(lines)


def instead() -> str:
    """Return what follows from each no in the table of servers, in doctor's own words."""
    written = _written()
    lines = []
    for row in written["promises"]:
        named = [_short(name) for server, name in written["servers"].items() if row[server].startswith("no:")]
        if named:
            lines.append(f"- **{row['promise']}** ({', '.join(named)}): {row['instead']}.")
    return "\n".join(lines)


def _written() -> Any:
    return json.loads(Path(__file__).with_name("servers.json").read_text())


def _short(name: str) -> str:
    return name.partition(" ")[0]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].removesuffix(".") + "."


def _meanings() -> Iterator[tuple[str, str]]:
    source = inspect.getsource(Settings)
    for name in Settings.model_fields:
        found = re.search(rf'^    {name}: .*?^    """(.+?)"""', source, re.MULTILINE | re.DOTALL)
        yield name, found[1] if found else ""


def _default(name: str, value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(kind.removeprefix("image/") for kind in value)) + " (images)"
    if name == "max_size":
        return "20MiB"
    text = str(value)
    for short in ("15m", "1h", "6h", "24h", "7d"):
        if value == parse_duration(short):
            return short
    return text if value is not None else "none"
