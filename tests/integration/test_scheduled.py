"""The Lambda function of the schedule, on moto: what it does, and when it fails so that somebody looks."""

from collections.abc import Iterator
from datetime import timedelta

import cli_support
import pytest
from cli_support import Desk

from reconciler.errors import ClockSkewError, SettingsError
from reconciler.integrations import scheduled
from reconciler.integrations.scheduled import NeedsSomebodyError, handler

desk = cli_support.desk
cli = cli_support.cli


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No connection is kept from one test to the next."""
    scheduled._here.cache_clear()
    yield
    scheduled._here.cache_clear()


def test_the_sweep_deletes_what_was_abandoned(cli: Desk) -> None:
    """And says how much."""
    kept, abandoned = cli.completed(), cli.abandoned()
    assert handler({"run": "sweep"}) == {"run": "sweep", "counts": {"delete: done": 1}, "deleted": 1}
    assert (cli.there(kept), cli.there(abandoned)) == (True, False)


def test_the_full_run_finds_what_the_table_does_not_know(cli: Desk) -> None:
    """A changed object is marked, and the function fails: somebody must look."""
    key = cli.changed()
    with pytest.raises(NeedsSomebodyError, match="mark-changed"):
        handler({"run": "apply"})
    assert cli.tag(key) == "changed"


def test_a_plan_writes_nothing(cli: Desk) -> None:
    """Where there is nothing to do it says so; else it fails, and leaves all as it was."""
    cli.completed()
    assert handler({"run": "plan"}) == {"run": "plan", "counts": {}}
    cli.abandoned()
    before = cli.state()
    with pytest.raises(NeedsSomebodyError, match="delete"):
        handler({"run": "plan"})
    assert cli.state() == before


def test_a_dispute_fails_the_run(cli: Desk) -> None:
    """What needs a word is not passed over."""
    cli.disputed()
    with pytest.raises(NeedsSomebodyError, match="tells the keys"):
        handler({"run": "sweep"})


def test_the_guards_stand(cli: Desk) -> None:
    """With clocks that are too far apart nothing is deleted."""
    key = cli.abandoned()
    cli.later(timedelta(minutes=20))
    with pytest.raises(ClockSkewError):
        handler({"run": "sweep"})
    assert (cli.there(key), cli.status(key)) == (True, "pending")


@pytest.mark.parametrize("event", [{}, {"run": None}, {"run": "delete everything"}, {"Records": []}])
def test_an_event_that_names_no_run_is_refused(cli: Desk, event: dict[str, object]) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(SettingsError, match="names no run"):
        handler(event)


def test_a_process_connects_once(cli: Desk) -> None:
    """Invocations share the client and the engine."""
    handler({"run": "sweep"})
    first = scheduled._here()
    handler({"run": "sweep"})
    assert scheduled._here() is first
