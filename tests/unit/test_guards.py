"""Guards: each at, below and above its bound."""

from datetime import timedelta
from typing import Any

import pytest
from unit.builders import BINDING, HOUR, NOW, TICK, deletion, plan, report

from reconciler.core.actions import Reason
from reconciler.core.guards import MAX_CLOCK_SKEW, Limits, World, refusals
from reconciler.core.model import Binding
from reconciler.core.plan import Finder, Plan, Seen
from reconciler.errors import (
    BindingError,
    ClockSkewError,
    StalePlanError,
    TooManyDeletionsError,
    TooManyDisputesError,
    WrongTableError,
)

LIFE = 6 * HOUR


def world(**given: Any) -> World:
    return World(**{"binding": BINDING, "marker": BINDING, "now": NOW, "store_time": NOW, **given})


def refused(found: Plan, here: World | None = None, limits: Limits | None = None) -> list[type[Exception]]:
    return [type(each) for each in refusals(found, world=here or world(), limits=limits or Limits(), plan_life=LIFE)]


def deleting(count: int, *reports: Any, **given: Any) -> Plan:
    return plan(*(deletion(number) for number in range(count)), *reports, **given)


def test_an_ordinary_plan_is_not_refused() -> None:
    """Nothing stands against a few deletions."""
    assert refused(deleting(3)) == []


def test_a_plan_without_deletions_is_never_refused() -> None:
    """However old, whatever world it meets."""
    other = Binding("instance-2", "elsewhere", "x/")
    found = plan(
        *(report(number) for number in range(99)), finder=Finder.LISTING, seen=Seen(listed=500), created_at=NOW - 99 * LIFE
    )
    assert refused(found, world(binding=other, marker=None, store_time=NOW + 99 * HOUR), Limits(max_delete=0)) == []


def test_every_reason_is_told_at_once() -> None:
    """Not only the first one."""
    found = deleting(60, seen=Seen(rows=60), created_at=NOW - LIFE - TICK)
    here = world(marker=None, store_time=NOW + HOUR)
    assert refused(found, here) == [BindingError, StalePlanError, ClockSkewError, TooManyDeletionsError]


# Binding


@pytest.mark.parametrize(
    "marker",
    [None, Binding("instance-2", "photos", "uploads/"), Binding("instance-1", "photos", "other/")],
    ids=["no-marker", "other-instance", "other-prefix"],
)
def test_bucket_and_table_must_be_bound_to_each_other(marker: Binding | None) -> None:
    """The marker says exactly what the table says."""
    assert refused(deleting(1), world(marker=marker)) == [BindingError]


@pytest.mark.parametrize(
    "given",
    [{"instance_id": "instance-2"}, {"bucket": "photos2"}, {"prefix": "uploads2/"}],
    ids=["instance", "bucket", "prefix"],
)
def test_a_plan_is_for_one_table_bucket_and_prefix(given: dict[str, str]) -> None:
    """A plan made elsewhere is refused."""
    assert refused(deleting(1, **given)) == [BindingError]


# Age and clocks


@pytest.mark.parametrize(
    ("age", "wanted"),
    [
        pytest.param(timedelta(), [], id="new"),
        pytest.param(LIFE, [], id="at-its-life"),
        pytest.param(LIFE + TICK, [StalePlanError], id="beyond-its-life"),
        pytest.param(-MAX_CLOCK_SKEW, [], id="from-the-future-within-the-skew"),
        pytest.param(-MAX_CLOCK_SKEW - TICK, [StalePlanError], id="from-the-future"),
    ],
)
def test_a_plan_has_a_life(age: timedelta, wanted: list[type[Exception]]) -> None:
    """Neither older than plan_life nor made in the future."""
    assert refused(deleting(1, created_at=NOW - age)) == wanted


@pytest.mark.parametrize("sign", [1, -1], ids=["ahead", "behind"])
@pytest.mark.parametrize(
    ("skew", "wanted"),
    [
        pytest.param(MAX_CLOCK_SKEW - TICK, [], id="below"),
        pytest.param(MAX_CLOCK_SKEW, [], id="at"),
        pytest.param(MAX_CLOCK_SKEW + TICK, [ClockSkewError], id="above"),
    ],
)
def test_clocks_may_differ_by_a_quarter_of_an_hour(sign: int, skew: timedelta, wanted: list[type[Exception]]) -> None:
    """In either direction."""
    assert refused(deleting(1), world(store_time=NOW + sign * skew)) == wanted


def test_an_unknown_store_time_is_not_compared() -> None:
    """A store that sends no Date is not refused for it."""
    assert refused(deleting(1), world(store_time=None)) == []


# The wrong table


@pytest.mark.parametrize("finder", [Finder.LISTING, Finder.SINCE])
@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        pytest.param(Seen(listed=1), [WrongTableError], id="empty-table"),
        pytest.param(Seen(), [], id="empty-bucket-and-table"),
        pytest.param(Seen(listed=1, rows=1), [], id="few-objects"),
        pytest.param(Seen(listed=99, tracked=1, rows=9), [], id="below-a-hundred"),
        pytest.param(Seen(listed=100, tracked=49, rows=9), [WrongTableError], id="below-half"),
        pytest.param(Seen(listed=100, tracked=50, rows=9), [], id="half"),
        pytest.param(Seen(listed=101, tracked=50, rows=9), [WrongTableError], id="just-below-half"),
    ],
)
def test_the_table_must_know_what_is_listed(finder: Finder, seen: Seen, wanted: list[type[Exception]]) -> None:
    """At least half of a hundred or more; and it may not be empty."""
    assert refused(deleting(1, finder=finder, seen=seen)) == wanted


def test_a_sweep_lists_nothing() -> None:
    """So there is nothing to compare."""
    assert refused(deleting(1, finder=Finder.SWEEP, seen=Seen())) == []


# Disputes


@pytest.mark.parametrize(
    ("disputed", "due", "wanted"),
    [
        pytest.param(10, 20, [], id="ten"),
        pytest.param(11, 20, [TooManyDisputesError], id="eleven"),
        pytest.param(11, 1100, [], id="one-percent"),
        pytest.param(11, 1099, [TooManyDisputesError], id="above-one-percent"),
        pytest.param(100, 10_000, [], id="a-hundred-of-many"),
    ],
)
def test_disputes_may_be_few(disputed: int, due: int, wanted: list[type[Exception]]) -> None:
    """More than 10 and more than 1 % of the due rows: the table looks like a restored backup."""
    found = deleting(1, *(report(number) for number in range(disputed)), seen=Seen(rows=10_000, due=due))
    assert refused(found) == wanted


def test_other_reports_are_no_disputes() -> None:
    """Missing objects say nothing about the table's age."""
    assert refused(deleting(1, *(report(number, Reason.MISSING) for number in range(50)))) == []


# Too many


@pytest.mark.parametrize(
    ("count", "rows", "wanted"),
    [
        pytest.param(50, 50, [], id="fifty-are-free"),
        pytest.param(51, 50, [TooManyDeletionsError], id="above-fifty-and-share"),
        pytest.param(60, 400, [], id="at-the-share"),
        pytest.param(61, 400, [TooManyDeletionsError], id="above-the-share"),
        pytest.param(60, 401, [], id="below-the-share"),
    ],
)
def test_deletions_are_a_share_of_what_was_looked_at(count: int, rows: int, wanted: list[type[Exception]]) -> None:
    """More than 50 and more than 15 % are too many."""
    assert refused(deleting(count, seen=Seen(rows=rows))) == wanted


@pytest.mark.parametrize(
    ("finder", "wanted"),
    [(Finder.LISTING, []), (Finder.SINCE, [TooManyDeletionsError]), (Finder.SWEEP, [TooManyDeletionsError])],
)
def test_a_full_listing_counts_untracked_objects_as_well(finder: Finder, wanted: list[type[Exception]]) -> None:
    """Live rows plus untracked objects under the whole prefix; for the others, the rows alone."""
    assert refused(deleting(60, finder=finder, seen=Seen(rows=200, listed=400, tracked=200))) == wanted


@pytest.mark.parametrize(("count", "wanted"), [(5, []), (6, [TooManyDeletionsError])], ids=["at", "above"])
def test_no_run_deletes_more_than_the_cap(count: int, wanted: list[type[Exception]]) -> None:
    """However many rows there are."""
    assert refused(deleting(count, seen=Seen(rows=10**9)), limits=Limits(cap=5)) == wanted


@pytest.mark.parametrize(
    ("max_delete", "wanted"),
    [
        pytest.param(99, [TooManyDeletionsError], id="below"),
        pytest.param(100, [], id="at"),
        pytest.param(101, [], id="above"),
        pytest.param(0, [TooManyDeletionsError], id="none"),
    ],
)
def test_max_delete_takes_the_place_of_the_limits(max_delete: int, wanted: list[type[Exception]]) -> None:
    """It allows what share and cap would refuse."""
    assert refused(deleting(100, seen=Seen(rows=100)), limits=Limits(cap=5, max_delete=max_delete)) == wanted


def test_max_delete_also_forbids() -> None:
    """It refuses what would be free without it."""
    assert refused(deleting(3), limits=Limits(max_delete=2)) == [TooManyDeletionsError]


def test_a_refusal_names_the_counts_and_the_flag() -> None:
    """What the operator needs to acknowledge it."""
    (error,) = refusals(deleting(60, seen=Seen(rows=100)), world=world(), limits=Limits(), plan_life=LIFE)
    assert error.message == "60 deletions of 100 are more than 50 and more than 15%"
    assert error.hint.endswith("--max-delete 60")
    assert error.exit_code == 4
