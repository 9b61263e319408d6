"""Guards: what a plan that deletes must not look like. Each stands for a disaster that another collector had.

A refused plan is refused as a whole, never cut short. One that deletes nothing is refused only where it was made for another
table, bucket or prefix.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.actions import Quarantine
from reconciler.core.model import Binding
from reconciler.core.plan import Finder, Plan
from reconciler.errors import (
    BindingError,
    ClockSkewError,
    RefusedError,
    StalePlanError,
    TooManyDeletionsError,
    TooManyDisputesError,
    UnfinishedPlanError,
    WrongTableError,
)

MAX_CLOCK_SKEW = timedelta(minutes=15)  # what S3 itself allows a signature (RequestTimeTooSkewed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one run may delete.

    Attributes:
        free: this many deletions are never too many a share.
        share: beyond `free`, the largest share of what was looked at.
        cap: the most that one run deletes.
        max_delete: the operator's word for one run; it replaces the three above.
    """

    free: int = 50
    share: float = 0.15
    cap: int = 100_000
    max_delete: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the guards compare a plan with: read anew when it is applied."""

    binding: Binding
    marker: Binding | None
    now: datetime
    store_time: datetime | None


def refusals(plan: Plan, *, world: World, limits: Limits, plan_life: timedelta) -> list[RefusedError]:
    """Return every reason to refuse the plan; none where it may be applied."""
    found = list(_elsewhere(plan, world.binding)) if plan.writing else []
    if plan.stopped:
        found.append(UnfinishedPlanError(f"planning stopped behind {plan.stopped.after}: {plan.stopped.why}"))
    if plan.endings:
        found += [*_marker(plan, world), *_stale(plan, world.now, plan_life), *_clocks(world)]
    if _destructive(plan):
        found += [*_wrong_table(plan), *_disputes(plan), *_too_many(plan, limits)]
    return found


def _destructive(plan: Plan) -> int:
    """Count what takes objects away: deletions, and the quarantine that leads to them."""
    return len(plan.deletions) + sum(isinstance(action, Quarantine) for action in plan.actions)


def _elsewhere(plan: Plan, binding: Binding) -> Iterator[RefusedError]:
    if (plan.instance_id, plan.bucket, plan.prefix) != (binding.instance_id, binding.bucket, binding.prefix):
        yield BindingError("the plan was made for another table, bucket or prefix", hint="plan again")


def _marker(plan: Plan, world: World) -> Iterator[RefusedError]:
    if world.marker is None:
        yield BindingError(f"the bucket {plan.bucket!r} has no marker under {plan.prefix!r}: no table is bound to it")
    elif world.marker != world.binding:
        yield BindingError(
            f"the bucket says it belongs to instance {world.marker.instance_id} "
            f"({world.marker.bucket}/{world.marker.prefix}), "
            f"the table is instance {world.binding.instance_id} ({world.binding.bucket}/{world.binding.prefix})"
        )


def _stale(plan: Plan, now: datetime, life: timedelta) -> Iterator[RefusedError]:
    age = now - plan.created_at
    if age > life:
        yield StalePlanError(f"the plan is {_hours(age)} old; plans may be applied for {_hours(life)}")
    if age < -MAX_CLOCK_SKEW:
        yield StalePlanError(f"the plan was made {_hours(-age)} in the future")


def _clocks(world: World) -> Iterator[RefusedError]:
    if world.store_time is None:
        return
    skew = abs(world.now - world.store_time)
    if skew > MAX_CLOCK_SKEW:
        yield ClockSkewError(f"the table's clock and S3's differ by {_hours(skew)}; at most 15 min are allowed")


def _wrong_table(plan: Plan) -> Iterator[RefusedError]:
    seen = plan.seen
    if plan.finder is Finder.SWEEP or not seen.listed:
        return
    if not seen.rows and not seen.tracked and plan.deletions:
        yield WrongTableError(f"the bucket lists {seen.listed} objects, but the table is empty")
    elif seen.listed >= 100 and seen.tracked * 2 < seen.listed:  # noqa: PLR2004  DESIGN: half of at least 100
        yield WrongTableError(f"only {seen.tracked} of {seen.listed} listed objects have a row")


def _disputes(plan: Plan) -> Iterator[RefusedError]:
    if _many(plan.disputed, plan.seen.due):
        yield TooManyDisputesError(
            f"{plan.disputed} of {plan.seen.due} due uploads are tagged completed: the table looks like a restored backup",
            hint="settle them with `reconcile adopt KEY` or `reconcile release KEY` before anything is deleted",
        )
    if not plan.options.accept_restored and _many(plan.rolled_back, plan.seen.due):
        yield TooManyDisputesError(
            f"{plan.rolled_back} of {plan.seen.due} due uploads were being completed: the table looks like a restored backup",
            hint="if it is none, and your application rolled them back, run once with --accept-restored",
        )


def _many(count: int, due: int) -> bool:
    return count > 10 and count > due / 100  # noqa: PLR2004  DESIGN: more than 10 and 1 %


def _too_many(plan: Plan, limits: Limits) -> Iterator[RefusedError]:
    count = _destructive(plan)
    look = "reconcile plan --sweep" if plan.finder is Finder.SWEEP else "reconcile plan"
    hint = f"look at `{look}`; if it is right, run once with --max-delete {count}"
    if limits.max_delete is not None:
        if count > limits.max_delete:
            yield TooManyDeletionsError(f"{count} deletions, more than --max-delete {limits.max_delete}", hint=hint)
        return
    scope = plan.seen.rows + (plan.seen.untracked if plan.finder is Finder.LISTING else 0)
    if count > limits.free and count > limits.share * scope:
        yield TooManyDeletionsError(
            f"{count} deletions of {scope} are more than {limits.free} and more than {limits.share:.0%}",
            hint=hint,
        )
    elif count > limits.cap:
        yield TooManyDeletionsError(f"{count} deletions are more than {limits.cap} for one run", hint=hint)


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004
