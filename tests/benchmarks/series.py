"""Measuring fairly: what is compared runs in turn, round by round, and each ratio is taken within its round.

A machine that slows down for a while slows both sides of a round down. The median is quoted, minimum and maximum beside it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Track = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Series:
    """The same quantity, once a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def over(self, other: "Series") -> "Series":
        """Return the ratio of each round."""
        return Series(tuple(ours / theirs for ours, theirs in zip(self.values, other.values, strict=True)))


def once(value: float) -> Series:
    """Return what is counted, not timed: every round would say the same."""
    return Series((value,))


def race(rounds: int, **tracks: Track) -> dict[str, Series]:
    """Run the tracks in turn, every second round backwards, and return what each returned."""
    found: dict[str, list[float]] = {name: [] for name in tracks}
    for number in range(rounds):
        names = list(tracks)
        for name in reversed(names) if number % 2 else names:
            found[name].append(tracks[name]())
    return {name: Series(tuple(values)) for name, values in found.items()}


def per_second(count: int, act: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Time an act that does something `count` times, by the wall's clock unless another is given."""
    start = clock()
    act()
    return count / (clock() - start)
