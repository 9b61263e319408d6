"""`make bench`: measure everything, print a table, and write build/bench.json. Nothing is asserted of any speed."""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path

from benchmarks.figures import table
from benchmarks.lab import Lab, make_durable, pointed_at
from benchmarks.run import run
from benchmarks.sizes import FULL, QUICK, Sizes
from rich.console import Console
from servers.ceph import ceph, installed
from servers.postgres import postgres

from reconciler.demo.servers import any_server

TALK = Console(stderr=True)
WIDTH = 100  # what the table takes; where the screen is narrower, names are not to be cut off


@contextmanager
def open_lab(sizes: Sizes) -> Iterator[Lab]:
    """Start every server there is, in a folder of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reconciler-bench-")))
        TALK.print("starting the servers")
        store = stack.enter_context(any_server())
        announcing = stack.enter_context(ceph()) if installed() else None
        database = stack.enter_context(postgres())
        make_durable(database)
        with pointed_at(store), chdir(folder):  # nobody's own settings, from the environment or a file
            yield Lab(store=store, announcing=announcing, postgres=database, folder=folder, sizes=sizes)


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out: the figures are not comparable")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    given = parser.parse_args()
    output = given.output.resolve()
    with open_lab(QUICK if given.quick else FULL) as lab:
        figures, found = run(lab, say=TALK.print)
    Console(width=max(WIDTH, TALK.width)).print(table(figures))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=2) + "\n")
    TALK.print(f"{found['run']['seconds']:.0f} s in all; written to {output}")


if __name__ == "__main__":
    main()
