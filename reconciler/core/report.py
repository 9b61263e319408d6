"""What became of a plan: one outcome an action, and their sum."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.core.actions import Deletion, Writing
from reconciler.core.model import Run
from reconciler.core.plan import Plan


class Fate(StrEnum):
    """What became of one action.

    SKIPPED: the world had moved, nothing was done. REPORTED: somebody has to look. FAILED: refused, failed, or unknown; the
    next run finds it again.
    """

    DONE = "done"
    SKIPPED = "skipped"
    REPORTED = "reported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One action and what became of it; `detail` says why it was not simply done."""

    action: Writing
    fate: Fate
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What applying one plan did."""

    plan: Plan
    started_at: datetime
    ended_at: datetime
    outcomes: tuple[Outcome, ...] = field(default=())

    def of(self, fate: Fate) -> tuple[Outcome, ...]:
        """Return the outcomes of one fate."""
        return tuple(outcome for outcome in self.outcomes if outcome.fate is fate)

    @property
    def deleted(self) -> tuple[Outcome, ...]:
        """The deletions that S3 has confirmed."""
        return tuple(outcome for outcome in self.of(Fate.DONE) if isinstance(outcome.action, Deletion))

    @property
    def bytes_deleted(self) -> int:
        """Bytes freed, as far as sizes are known."""
        return sum(outcome.action.facts.size or 0 for outcome in self.deleted)

    def counts(self) -> Mapping[str, int]:
        """Count the outcomes, as `kind: fate`."""
        counter = Counter(f"{outcome.action.kind}: {outcome.fate}" for outcome in self.outcomes)
        return dict(sorted(counter.items()))

    def as_run(self) -> Run:
        """Return the run as the table keeps it."""
        return Run(
            id=self.plan.id,
            finder=self.plan.finder.value,
            started_at=self.started_at,
            ended_at=self.ended_at,
            outcome="partial" if self.of(Fate.FAILED) else "done",
            counts=self.counts(),
            bytes_deleted=self.bytes_deleted,
        )
