"""All measures of one run, one after the other."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks import completing, planning, presigning, sweeping
from benchmarks.figures import Figure, document
from benchmarks.lab import Lab

MEASURES = {
    "presigning": presigning.measure,
    "completing": completing.measure,
    "sweeping": sweeping.measure,
    "planning": planning.measure,
}


def run(lab: Lab, *, say: Callable[[str], object]) -> tuple[list[Figure], dict[str, Any]]:
    """Measure everything; return the figures, and the document that holds them."""
    start, load = time.monotonic(), os.getloadavg()[0]
    figures: list[Figure] = []
    for name, measure in MEASURES.items():
        begun = time.monotonic()
        with closing(lab):
            figures += measure(lab)
        say(f"{name}: {time.monotonic() - begun:.0f} s")
    seconds = time.monotonic() - start
    return figures, document(figures, sizes=lab.sizes, seconds=seconds, load=load)
