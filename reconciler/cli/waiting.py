"""What takes long: it shows how far it is, and it can be stopped without losing what it has found."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from reconciler.cli.render import printable, say
from reconciler.finding import PAGE
from reconciler.planner import Progress, Stopping

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """Show on a terminal how many keys were looked at, how many a second, and the last of them; nothing otherwise."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    pace = _Pace()
    with console.status(f"{what} ...") as status:
        yield lambda looked, key: status.update(Text(f"{what}: {looked:,} keys, {pace.at(looked):,.0f}/s, at {printable(key)}"))


class _Pace:
    """Keys a second, from when it was made: what an earlier part of a resumed plan looked at does not count."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def at(self, looked: int) -> float:
        if self._first is None:
            self._first = max(0, looked - PAGE)
        return (looked - self._first) / max(time.monotonic() - self._began, 0.001)


@contextmanager
def stopping(announced: str = "stopping after the page at hand ...") -> Iterator[Stopping]:
    """Let Ctrl-C and SIGTERM ask for a gentle stop; the same signal once more ends the program at once."""
    asked = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, _: Any) -> None:
        asked.set()
        say(announced)
        signal.signal(number, before[number])

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # signals are the main thread's
        return
    for name in SIGNALS:
        before[name] = signal.signal(name, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
