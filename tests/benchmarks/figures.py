"""A figure: one quantity with its spread, its size, and what it means; and all of them as JSON and as a table."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.series import Series
from benchmarks.sizes import Sizes
from rich.box import SIMPLE_HEAD
from rich.table import Table

_DIGITS = 4
_WHOLE = 100  # from here on decimals are noise


class BenchError(Exception):
    """What was to be measured did not happen: a figure of it would be worth nothing."""


def require(*, holds: bool, otherwise: str) -> None:
    """Raise BenchError unless the work that was timed was really done."""
    if not holds:
        raise BenchError(otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: its key in the document.
        series: once a round.
        unit: of the value.
        meaning: what was measured, against what.
        size: how many things one round went through.
        parts: what the value is the sum of.
        server: where it was counted, if it would be another figure elsewhere.
    """

    name: str
    series: Series
    unit: str
    meaning: str
    size: int
    parts: Mapping[str, float] = field(default_factory=dict)
    server: str | None = None

    def details(self) -> dict[str, Any]:
        """Return everything about it but its name."""
        spread = {"median": self.series.median, "min": self.series.low, "max": self.series.high}
        return {
            **{name: round(value, _DIGITS) for name, value in spread.items()},
            "rounds": len(self.series.values),
            "unit": self.unit,
            "size": self.size,
            "meaning": self.meaning,
            **({"parts": {name: round(value, _DIGITS) for name, value in self.parts.items()}} if self.parts else {}),
        }


def document(figures: Sequence[Figure], *, sizes: Sizes, seconds: float, load: float) -> dict[str, Any]:
    """Return the JSON document: every figure's median under its name, then what each means and where it was taken."""
    return {
        **{figure.name: round(figure.series.median, _DIGITS) for figure in figures},
        **{f"{figure.name}_server": figure.server for figure in figures if figure.server},
        "figures": {figure.name: figure.details() for figure in figures},
        "run": {
            "seconds": round(seconds, 1),
            "processors": os.cpu_count(),
            "load_before": round(load, 2),  # of the machine: where it is not near zero, trust the ratios, not the rates
            "sizes": asdict(sizes),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.system(),
        },
    }


def table(figures: Iterable[Figure]) -> Table:
    """Return the figures for the screen; below one, indented, the parts it is the sum of."""
    drawn = Table("figure", "median", "min .. max", "unit", "of", box=SIMPLE_HEAD)
    for column in drawn.columns[1:3]:
        column.justify = "right"
    for figure in figures:
        series = figure.series
        drawn.add_row(figure.name, _text(series.median), _spread(series), figure.unit, f"{figure.size:,}")
        for name, value in figure.parts.items():
            drawn.add_row(f"  {name}", _text(value))
    return drawn


def _spread(series: Series) -> str:
    return f"{_text(series.low)} .. {_text(series.high)}" if len(series.values) > 1 else ""


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.4g}"
