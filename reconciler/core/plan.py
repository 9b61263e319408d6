"""A plan is a value: what a finder found and what should be done about it, ordered, counted, timed, complete or not.

Making one writes nothing. Applying one needs nothing but the plan and the world it is compared with again.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, TypeGuard

from reconciler.core.actions import (
    Action,
    Delete,
    Deletion,
    Ending,
    Keep,
    LookAtTag,
    MarkChanged,
    Planned,
    Reason,
    Report,
    Writing,
)
from reconciler.core.decide import Untracked
from reconciler.core.model import ObjectEntry, Status, Tag, Upload

PLAN_VERSION: Literal[1] = 1


class Suspect(NamedTuple):
    """One key that a finder hands over: its row, its object as far as known, and its tag as far as known."""

    row: Upload | None
    entry: ObjectEntry | None
    tag: Tag = Tag.UNKNOWN

    @property
    def key(self) -> str:
        """The key: one of both sides is always there."""
        return (self.row or self.entry or ObjectEntry("")).key


class Finder(StrEnum):
    """Who found the keys of a plan."""

    SWEEP = "sweep"
    LISTING = "listing"
    SINCE = "since"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the operator asked of a plan.

    Attributes:
        since: look only at keys of the days from this moment on.
        untracked: what to do about objects without a row.
        tags: read the tag of every object for whose decision it could matter, not only where it is plainly needed.
        accept_restored: delete due uploads tagged `completing` even where the run meets a dispute.
    """

    since: datetime | None = None
    untracked: Untracked = Untracked.REPORT
    tags: bool = False
    accept_restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Where planning was cut short, and why; the keys behind `after` are still to be looked at."""

    after: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a finder went through, for the guards.

    Attributes:
        listed: objects listed (ours alone, without reconciler's own).
        tracked: of those, how many have a row.
        rows: rows the share of deletions is measured against: live ones for a full listing, all for sweep and --since.
        due: rows past their deadline.
    """

    listed: int = 0
    tracked: int = 0
    rows: int = 0
    due: int = 0

    @property
    def untracked(self) -> int:
        """Objects without a row."""
        return self.listed - self.tracked


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done to one bucket and table, and what it was decided on.

    `complete` is False where S3 did not answer for some key; the plan may still be applied: every action stands for itself. One
    that was `stopped` may not, before it has been resumed to its end: what it has not seen could speak against what it has.
    """

    id: str
    finder: Finder
    instance_id: str
    bucket: str
    prefix: str
    created_at: datetime
    options: PlanOptions
    seen: Seen
    kept: int = 0
    complete: bool = True
    stopped: Stopped | None = None
    actions: tuple[Planned, ...] = ()
    version: Literal[1] = PLAN_VERSION

    @property
    def writing(self) -> tuple[Writing, ...]:
        """The actions that apply would carry out."""
        return tuple(action for action in self.actions if not isinstance(action, Report))

    @property
    def deletions(self) -> tuple[Deletion, ...]:
        """The actions that delete an object's bytes."""
        return tuple(action for action in self.actions if isinstance(action, Deletion))

    @property
    def endings(self) -> tuple[Ending, ...]:
        """The actions after which a key is no longer what it was: they need the right bucket and table."""
        return tuple(action for action in self.actions if isinstance(action, Ending))

    @property
    def rolled_back(self) -> int:
        """How many deletions are of uploads that were being completed."""
        return sum(_was_completing(action) for action in self.actions)

    @property
    def reports(self) -> tuple[Planned, ...]:
        """What somebody should look at."""
        return tuple(action for action in self.actions if isinstance(action, Report | MarkChanged))

    @property
    def disputed(self) -> int:
        """How many keys have a tag that remembers more than the table."""
        return sum(action.reason is Reason.DISPUTED for action in self.actions)

    @property
    def bytes_to_delete(self) -> int:
        """How many bytes the deletions free, as far as sizes are known."""
        return sum(action.facts.size or 0 for action in self.deletions)

    def without_endings(self) -> "Plan":
        """Return what is left of the plan when nothing is to be deleted, buried or forgotten."""
        return replace(self, actions=tuple(action for action in self.actions if not isinstance(action, Ending)))

    def counts(self) -> dict[str, int]:
        """Count the actions by kind and reason, as `kind (reason)`."""
        counter = Counter(f"{action.kind} ({action.reason})" for action in self.actions)
        return dict(sorted(counter.items()))


def is_planned(action: Action) -> TypeGuard[Planned]:
    """Say whether a decided action belongs into a plan: everything but keeping, once its tag is known."""
    return not isinstance(action, Keep | LookAtTag)


def hold_back(actions: Iterable[Planned]) -> tuple[Planned, ...]:
    """Report, instead of deleting, due uploads that were being completed, where any key of the run is disputed.

    A dispute means that the table may be an old backup. A commit lost between the retag and the settle leaves the tag
    `completing`, which looks like a completion that was rolled back. Applying notes the dispute in the table, so that later
    runs go on holding back, until somebody says --accept-restored.
    """
    found = tuple(actions)
    if not any(action.reason is Reason.DISPUTED for action in found):
        return found
    return tuple(
        Report(key=action.key, reason=Reason.HELD_BACK, facts=action.facts) if _was_completing(action) else action
        for action in found
    )


def _was_completing(action: Planned) -> bool:
    return isinstance(action, Delete) and action.facts.status is Status.PENDING and action.facts.tag is Tag.COMPLETING
