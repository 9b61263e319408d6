"""What the audience sees: numbered steps, a few lines of real output, and each check as it is made.

Plain text at 80 columns; colours only on a terminal (rich honours NO_COLOR). Whatever is not as it must be is said in red
where it happens and once more at the end.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

WIDTH = 80
INDENT = 4
SHOWN = 3  # entries of a difference that are spelled out


class Screen:
    """Prints the story and keeps the score."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._console.width = min(self._console.width, WIDTH)
        self._steps = 0
        self.checks = 0
        self.failures: list[str] = []

    def title(self, text: str) -> None:
        """Open the evening."""
        self._print(text, style="bold")

    def step(self, title: str, sentence: str) -> None:
        """Begin the next step: a title, and one plain sentence of what is done and why."""
        self._steps += 1
        self._print("")
        self._print(f"{self._steps:>2}. {title}", style="bold cyan")
        self._wrapped(sentence)

    def line(self, text: str) -> None:
        """Print a line of real output; what is too long goes on below, a little further in."""
        wider = " " * (len(text) - len(text.lstrip()) + INDENT + 4)
        lines = self._lines(text.lstrip(), first=wider[2:], rest=wider)
        self._print("\n".join(lines))

    def note(self, text: str) -> None:
        """Say something that belongs to no output."""
        self._wrapped(text)

    def warn(self, text: str) -> None:
        """Say what the audience should not overlook."""
        self._wrapped(text, style="yellow")

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
        """Print a table; the columns named in `right` hold numbers."""
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
        for heading in headings:
            grid.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
        for row in rows:
            grid.add_row(*(str(cell) for cell in row))
        self._console.print(Padding(grid, (0, 0, 0, INDENT + 2), expand=False), markup=False)

    def check(self, what: str, *, expected: Any, found: Any) -> None:
        """Compare what must be with what is."""
        self.checks += 1
        if expected == found:
            self._wrapped(f"ok: {what}", style="green")
            return
        wanted, seen = _difference(expected, found)
        self.failures.append(f"{what}: expected {wanted}, found {seen}")
        self._wrapped(f"NOT SO: {self.failures[-1]}", style="bold red")

    def verdict(self, seconds: float) -> bool:
        """Say whether everything was as it must be, and return it."""
        self._print("")
        if not self.failures:
            self._print(f"All {self.checks} checks are as they must be. {seconds:.0f} seconds.", style="bold green")
            return True
        self._print(f"{len(self.failures)} of {self.checks} checks are not as they must be:", style="bold red")
        for failure in self.failures:
            self._wrapped(failure, style="red")
        return False

    def stop(self, text: str) -> None:
        """Say in one line why the story ends early."""
        self._print("")
        self._wrapped(text, style="bold red", indent=0)

    def _wrapped(self, text: str, *, style: str | None = None, indent: int = INDENT) -> None:
        space = " " * indent
        self._print("\n".join(self._lines(text, first=space, rest=space)), style=style)

    def _lines(self, text: str, *, first: str, rest: str) -> list[str]:
        return textwrap.wrap(
            text,
            self._console.width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, soft_wrap=True)


def size(count: int) -> str:
    """Return bytes as a person reads them; a dash for none."""
    return f"{count / 1024:,.1f} KiB" if count else "-"


def _difference(expected: Any, found: Any) -> tuple[str, str]:
    """Return both sides as text; of two mappings only the entries that differ, and not all of them."""
    if not (isinstance(expected, dict) and isinstance(found, dict)):
        return str(expected), str(found)
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)][:SHOWN]
    return ", ".join(_entry(expected, key) for key in keys), ", ".join(_entry(found, key) for key in keys)


def _entry(side: dict[Any, Any], key: Any) -> str:
    return f"{key}: {side.get(key, 'nothing')}"
