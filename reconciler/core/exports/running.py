"""What runs reconciler, as a value: which commands, when, with which settings. The dialects are built from it.

Runs need not exclude each other: the protocol lets any number run at once. What each dialect sees to is that they do not pile up,
that a missed one is made up for, and that a failed one is not tried again at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.errors import SettingsError

JOURNAL = "-"  # stderr: where there is no disk that lasts, the log is the journal
HEALTH_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command that runs by the clock. `at` is a cron line of five fields, in UTC."""

    name: str
    about: str
    command: tuple[str, ...]
    at: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """What `reconcile` is called with."""
        return ("--quiet", *self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The jobs, the settings they run with, and the queue that `watch` reads, where there is one.

    `environment` holds no secret: the table's URL is handed over by each dialect's own means. With `look` the full run only
    plans, and fails where there is anything to do.
    """

    environment: Mapping[str, str]
    sweep_at: str
    full_at: str
    look: bool = False
    queue_url: str | None = None

    @property
    def jobs(self) -> tuple[Job, Job]:
        """The sweep, and the full run over the bucket's listing, which with `look` writes nothing."""
        about = "compares the whole bucket with the table"
        full = ("plan", "--fail-on-report") if self.look else ("apply", "--yes", "--fail-on-report")
        return (
            Job(name="sweep", about="deletes what was abandoned", command=("sweep", "--fail-on-report"), at=self.sweep_at),
            Job(name="full", about=f"{about}, and only looks" if self.look else about, command=full, at=self.full_at),
        )

    @property
    def watch(self) -> tuple[str, ...] | None:
        """The arguments of the long-running consumer; None where no queue is known."""
        return None if self.queue_url is None else ("watch", "--sqs", self.queue_url)


_FIELD = r"(?:\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/[0-9]{1,2})?"
_CRON = re.compile(rf"{_FIELD}(?:,{_FIELD})*")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def check_cron(line: str) -> tuple[str, str, str, str, str]:
    """Return the five fields of a cron line, or raise SettingsError. Numbers only: names of months and days are not for all."""
    fields = line.split(" ")
    right = len(fields) == len(_RANGES) and all(_fits(each, *span) for each, span in zip(fields, _RANGES, strict=True))
    if not right:
        raise SettingsError(f"{line!r} is no cron line", hint="five fields of numbers, in UTC: '0 2 * * *' is every night at two")
    minute, hour, day, month, weekday = fields
    if "*" not in (day, weekday):
        raise SettingsError(
            f"{line!r} names days of the month and of the week", hint="cron runs on either, others on both: name only one of them"
        )
    return minute, hour, day, month, weekday


def weekdays(field: str) -> list[int]:
    """Return the days that a cron line's last field stands for, Sunday being 0."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0", "", "6") if span == "*" else span.partition("-")
        found |= {day % 7 for day in range(int(first), int(last or first) + 1, int(step or 1))}
    return sorted(found)


def _fits(field: str, least: int, most: int) -> bool:
    if not _CRON.fullmatch(field):
        return False
    values = [int(number) for part in field.split(",") for number in re.findall(r"\d+", part.partition("/")[0])]
    steps = [int(part.partition("/")[2]) for part in field.split(",") if "/" in part]
    spans = [part.partition("/")[0].split("-") for part in field.split(",") if "-" in part]
    upwards = all(int(first) <= int(last) for first, last in spans)
    return all(least <= value <= most for value in values) and all(steps) and upwards


def queue_url(arn: str | None) -> str | None:
    """Return the address of an SQS queue by its ARN; None for whatever else events are sent to."""
    found = re.fullmatch(r"arn:(aws[a-z-]*):sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]+)", arn or "")
    if found is None:
        return None
    partition, region, account, name = found.groups()
    return f"https://sqs.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}/{account}/{name}"
