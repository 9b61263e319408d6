"""The grace periods, and the inequalities between them."""

from datetime import timedelta

import pytest
from unit.builders import DAY, HOUR, MINUTE, NOW, TICK, completed, upload

from reconciler.core.model import Status
from reconciler.core.timing import Timing


def test_the_defaults_are_safe() -> None:
    """Whoever sets nothing has no problem."""
    assert Timing().problems() == []


@pytest.mark.parametrize(("retention", "problems"), [(90 * MINUTE, 0), (90 * MINUTE - TICK, 1)], ids=["equal", "below"])
def test_retention_outlives_every_upload(retention: timedelta, problems: int) -> None:
    """url_life + slowest_transfer + skew <= retention."""
    assert len(Timing(retention=retention).problems()) == problems


@pytest.mark.parametrize(("days", "problems"), [(7, 0), (6, 0), (5, 1)], ids=["above", "equal", "below"])
def test_the_rule_acts_after_the_sweep(days: int, problems: int) -> None:
    """lifecycle_days >= retention + 3 sweep intervals + 48 h: 1 + 3 + 2 days."""
    assert len(Timing(lifecycle_days=days).problems()) == problems


def test_a_problem_names_what_to_raise() -> None:
    """Each line ends with the setting that mends it."""
    problems = Timing(retention=HOUR, sweep_interval=7 * DAY).problems()
    assert [problem.split("raise ")[1] for problem in problems] == ["RECONCILER_RETENTION", "RECONCILER_LIFECYCLE_DAYS"]


def test_a_row_is_confirmed_after_the_wait_and_the_last_arrival() -> None:
    """max(settled_at + settle_wait, expires_at + slowest_transfer), whichever is later."""
    long_dead = completed(settled_at=NOW, expires_at=NOW - DAY)
    alive = completed(settled_at=NOW, expires_at=NOW + 3 * HOUR)
    assert [Timing().confirm_at(row) for row in (long_dead, alive)] == [NOW + HOUR, NOW + 4 * HOUR]


def test_an_unsettled_row_is_not_to_be_confirmed() -> None:
    """There is nothing to look at yet."""
    assert Timing().confirm_at(completed(settled_at=None)) is None


def test_a_tombstone_outlives_its_last_url() -> None:
    """max(deleted_at, expires_at) + tombstone_life + slowest_transfer, whichever is later."""
    long_dead = upload(Status.DELETED, deleted_at=NOW, expires_at=NOW - DAY)
    alive = upload(Status.DELETED, deleted_at=NOW, expires_at=NOW + DAY)
    assert [Timing().forget_at(row) for row in (long_dead, alive)] == [NOW + 7 * DAY + HOUR, NOW + 8 * DAY + HOUR]


def test_a_row_that_is_no_tombstone_is_not_forgotten() -> None:
    """Without deleted_at there is no end to count from."""
    assert Timing().forget_at(upload()) is None


def test_the_last_byte_arrives_after_the_url_has_died() -> None:
    """expires_at + slowest_transfer."""
    assert Timing().last_arrival(upload(expires_at=NOW)) == NOW + HOUR
