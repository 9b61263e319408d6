"""Planning: a bucket in sync, so that the plan is empty, beside the plain boto3 paginator that only counts.

Each plan and each count is a fresh process that does nothing else: that is what its peak memory is the memory of.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import BenchError, Figure, require
from benchmarks.filling import finish, put_objects
from benchmarks.lab import Lab, Place, pointed_at
from benchmarks.series import Series, once, race

from reconciler.core.model import Tag

TESTS = Path(__file__).parents[1]

Answer = dict[str, Any]


def measure(lab: Lab) -> Iterator[Figure]:
    """Plan a small bucket, then the same bucket grown large."""
    sizes, place = lab.sizes, lab.on_sqlite()
    _grow(place, lab, sizes.planned_small)
    small = _Answers(place, sizes.planned_small)
    race(1, plan=small.plan, paginator=small.paginate)
    _grow(place, lab, sizes.planned_large - sizes.planned_small)
    large = _Answers(place, sizes.planned_large)
    taken = race(sizes.plan_rounds, plan=large.plan, paginator=large.paginate)
    yield from _speeds(taken["plan"], taken["paginator"], sizes.planned_large)
    yield from _processors(large)
    yield from _peaks(small, "10k")
    yield from _peaks(large, "100k")
    yield _requests(large)


class _Answers:
    """What the processes answered about one bucket."""

    def __init__(self, place: Place, size: int) -> None:
        self.size = size
        self._place = place
        self._answers: dict[str, list[Answer]] = {"plan": [], "paginator": []}

    def plan(self) -> float:
        """Plan, and return the objects a second."""
        return self._ask("plan", {"listed": self.size, "kept": self.size, "actions": 0})

    def paginate(self) -> float:
        """Count, and return the objects a second."""
        return self._ask("paginator", {"listed": self.size + 1})  # it counts the marker as well

    def series(self, kind: str, name: str) -> Series:
        return Series(tuple(float(answer[name]) for answer in self._answers[kind]))

    def requests(self) -> Mapping[str, float]:
        """Return the requests of one plan per thousand objects, by operation."""
        found: Mapping[str, float] = self._answers["plan"][0]["requests"]
        return {name: sent * 1000 for name, sent in found.items()}

    def _ask(self, kind: str, expected: Answer) -> float:
        answer = _run(kind, self._place)
        seen = {name: answer[name] for name in expected}
        require(holds=seen == expected, otherwise=f"{kind}: {seen} instead of {expected}")
        self._answers[kind].append(answer)
        return self.size / float(answer["seconds"])


def _grow(place: Place, lab: Lab, count: int) -> None:
    finish(place, put_objects(place, count, tag=Tag.COMPLETED, writers=lab.sizes.writers))


def _run(kind: str, place: Place) -> Answer:
    with pointed_at(place.store) as environment:
        search = os.pathsep.join([str(TESTS), *filter(None, [environment.get("PYTHONPATH")])])
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "benchmarks.probe", kind, place.bucket, place.table_url],
            env={**environment, "PYTHONPATH": search},
            cwd=place.deployment.settings.journal.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchError(f"{kind} failed: {done.stderr[-2000:]}")
    answer: Answer = json.loads(done.stdout)
    return answer


def _speeds(plan: Series, paginator: Series, size: int) -> Iterator[Figure]:
    def figure(name: str, series: Series, unit: str, meaning: str) -> Figure:
        return Figure(name=name, series=series, unit=unit, meaning=meaning, size=size)

    yield figure(
        "plan_per_second", plan, "1/s", "objects listed, merged with their rows in SQLite and decided about; nothing to do"
    )
    yield figure("paginator_per_second", paginator, "1/s", "objects counted by boto3's plain paginator, without rows")
    yield figure("plan_vs_paginator", plan.over(paginator), "ratio", "objects planned per second / objects paginated per second")


def _processors(answers: _Answers) -> Iterator[Figure]:
    """Compare processor time, which other work on the machine disturbs less than the time on the wall."""
    plan, paginator = (answers.series(kind, "cpu_seconds") for kind in ("plan", "paginator"))
    for name, series, unit, meaning in (
        ("plan_cpu_seconds", plan, "s", "processor time of one plan"),
        ("paginator_cpu_seconds", paginator, "s", "processor time of one count by the paginator"),
        (
            "plan_vs_paginator_cpu",
            paginator.over(plan),
            "ratio",
            "objects planned / paginated, each per second of processor time",
        ),
    ):
        yield Figure(name=name, series=series, unit=unit, meaning=meaning, size=answers.size)


def _peaks(answers: _Answers, size: str) -> Iterator[Figure]:
    names = {
        f"plan_peak_mb_{size}": ("plan", "peak_mb", "peak memory of a process that plans"),
        f"plan_baseline_mb_{size}": ("plan", "baseline_mb", "of it, after the imports and making the client"),
        f"paginator_peak_mb_{size}": ("paginator", "peak_mb", "peak memory of a process that paginates"),
    }
    for name, (kind, key, meaning) in names.items():
        yield Figure(name=name, series=answers.series(kind, key), unit="MiB", meaning=meaning, size=answers.size)


def _requests(answers: _Answers) -> Figure:
    parts = answers.requests()
    return Figure(
        name="requests_per_planned_thousand",
        series=once(sum(parts.values())),
        unit="requests",
        meaning="a plan of a bucket in sync, per thousand objects; the marker is listed as well, which can cost one more page",
        size=answers.size,
        parts=parts,
    )
