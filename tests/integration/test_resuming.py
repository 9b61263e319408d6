"""A plan that was cut short: it comes back as far as it got, may not be applied, and goes on behind its last key."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cli_support
import pytest
from cli_support import Desk, one_line
from integration_support import Around, around_objects, put, tag_as, untracked
from support import PREFIX, Stage

from reconciler import finding, planner
from reconciler.adapters.plan_file import read_plan, write_plan
from reconciler.adapters.s3 import S3Objects
from reconciler.core.actions import Reason
from reconciler.core.guards import Limits
from reconciler.core.model import ObjectEntry
from reconciler.core.plan import Plan, PlanOptions
from reconciler.errors import BindingError, PlanFileError, StoreUnavailableError, UnfinishedPlanError

desk, cli = cli_support.desk, cli_support.cli

DOWN = StoreUnavailableError("S3 does not answer")
PAGE = 5


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and decisions in pages of five."""
    monkeypatch.setattr(finding, "PAGE", PAGE)
    monkeypatch.setattr(planner, "PAGE", PAGE)


@pytest.fixture
def stage(memory: Stage, small_pages: None) -> Stage:
    """Twenty-three due uploads among completed ones and objects without a row, listed in pages of five."""
    for number in range(23):
        memory.completed() if number % 4 else memory.upload()
        put(memory, f"{PREFIX}2026/11/20/{number:02}.jpg")
    memory.advance(hours=25)
    around_objects(memory).instead("pages", paged)
    return memory


def paged(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Sequence[ObjectEntry]]:
    """List in pages of five."""
    entries = [entry for page in original(*args, **kwargs) for entry in page]
    for start in range(0, len(entries), PAGE):
        yield entries[start : start + PAGE]


def fails_after(pages: int) -> Callable[..., Any]:
    """List so many pages, and fail then."""

    def listed(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
        for number, page in enumerate(paged(original, *args, **kwargs)):
            if number == pages:
                raise DOWN
            yield page

    return listed


def stops_after(pages: int) -> Callable[[], bool]:
    asked = iter([False] * (pages - 1))
    return lambda: next(asked, True)


def result(plan: Plan) -> Plan:
    """A plan without what every plan has of its own."""
    return replace(plan, id="", created_at=plan.created_at.min)


@pytest.mark.parametrize("pages", range(1, 10))
def test_a_plan_stopped_anywhere_and_resumed_is_the_plan_in_one_go(stage: Stage, pages: int) -> None:
    """Actions, counts and completeness are the same, wherever it was cut."""
    begun = stage.planner.listing(stopping=stops_after(pages))
    assert begun.stopped is not None
    assert (begun.stopped.why, begun.complete) == ("it was interrupted", False)
    assert result(stage.planner.resume(begun)) == result(stage.planner.listing())


@pytest.mark.parametrize("pages", range(2, 9))
def test_a_listing_that_fails_on_the_way_loses_nothing(stage: Stage, pages: int) -> None:
    """What was decided before S3 failed is in the plan, and the rest comes with its resumption."""
    whole = stage.planner.listing()
    assert isinstance(stage.objects, Around)
    stage.objects.instead("pages", fails_after(pages))
    begun = stage.planner.listing()
    assert begun.stopped is not None
    assert begun.stopped.why == DOWN.message
    assert begun.actions == tuple(each for each in whole.actions if each.key <= begun.stopped.after)
    stage.objects.instead("pages", paged)
    assert result(stage.planner.resume(begun)) == result(whole)


def test_a_plan_may_be_cut_short_again_and_again(stage: Stage) -> None:
    """One page at a time arrives at the same plan."""
    plan = stage.planner.listing(stopping=lambda: True)
    parts = 1
    while plan.stopped:
        plan, parts = stage.planner.resume(plan, stopping=lambda: True), parts + 1
    assert parts > 4
    assert result(plan) == result(stage.planner.listing())


def test_a_listing_that_fails_at_once_is_an_error(stage: Stage) -> None:
    """Where nothing was looked at there is no plan."""
    stage.objects.instead("pages", fails_after(0))
    with pytest.raises(StoreUnavailableError):
        stage.planner.listing()


def test_a_plan_cut_short_is_not_applied(stage: Stage) -> None:
    """What it has not seen could speak against what it has."""
    begun = stage.planner.listing(stopping=stops_after(9))
    assert begun.deletions
    with pytest.raises(UnfinishedPlanError, match="stopped behind"):
        stage.applier.apply(begun, limits=Limits())


def test_a_dispute_met_later_holds_back_what_was_found_before(memory: Stage, small_pages: None) -> None:
    """The plan as a whole decides what is held back, wherever it was cut."""
    around_objects(memory).instead("pages", paged)
    rolled_back = sorted(memory.upload() for _ in range(12))
    for key in rolled_back:
        tag_as(memory, key, "completing")
    memory.advance(hours=25)
    memory.sweep()
    last = put(memory, f"{PREFIX}2027/01/01/z.jpg", status="completed")
    memory.table.insert(replace(memory.row(memory.upload()), key=last))
    memory.advance(hours=25)
    begun = memory.planner.listing(stopping=lambda: True)
    assert begun.deletions
    whole = memory.planner.resume(begun)
    held_back = {action.key for action in whole.reports if action.reason is Reason.HELD_BACK}
    assert held_back == set(rolled_back)
    assert not held_back & {action.key for action in whole.deletions}


def test_what_was_asked_for_holds_to_the_end(stage: Stage) -> None:
    """A plan of the last days, reading tags, goes on so."""
    asked = PlanOptions(since=stage.clock.now(), tags=True)
    untracked(stage)
    whole = stage.planner.listing(asked)
    begun = stage.planner.listing(asked, stopping=lambda: True)
    while begun.stopped:
        begun = stage.planner.resume(begun, stopping=lambda: True)
    assert result(begun) == result(whole)
    assert begun.options == asked


def test_a_finished_plan_is_not_resumed(stage: Stage) -> None:
    """There is nothing left to look at."""
    with pytest.raises(PlanFileError, match="finished"):
        stage.planner.resume(stage.planner.listing())


def test_another_tables_plan_is_not_resumed(stage: Stage) -> None:
    """A plan goes on where it began."""
    begun = stage.planner.listing(stopping=lambda: True)
    with pytest.raises(BindingError, match="another table"):
        stage.planner.resume(replace(begun, instance_id="another"))


# On the command line


def interrupt(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Send this program a signal whenever it has listed its second page."""
    listed = S3Objects.pages

    def pages(self: S3Objects, prefix: str, **kwargs: Any) -> Iterator[Any]:
        for count, page in enumerate(paged(listed, self, prefix, **kwargs)):
            if count == 2:
                os.kill(os.getpid(), number)
            yield page

    monkeypatch.setattr(S3Objects, "pages", pages)


def fill(desk: Desk, count: int = 20) -> list[str]:
    keys = [desk.upload() for _ in range(count)]
    desk.age(*keys)
    return sorted(keys)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_keeps_what_was_found(
    cli: Desk, small_pages: None, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The plan is written as far as it got, exits with 5, says how to go on; resumed, it is whole and can be applied."""
    keys = fill(cli)
    with monkeypatch.context() as patch:
        interrupt(patch, number)
        cut = cli.run("plan", "-o", "plan.json")
    assert cut.exit_code == 5
    assert "planning stopped behind" in cut.stderr
    assert "reconcile plan --resume plan.json" in cut.stderr
    assert 0 < len(read_plan(Path("plan.json")).actions) < len(keys)
    assert one_line(cli.run("apply", "plan.json"), 4)
    assert cli.run("plan", "--resume", "plan.json").exit_code == 3
    assert [action.key for action in read_plan(Path("plan.json")).actions] == keys
    cli.ok("apply", "plan.json")
    assert not any(cli.there(key) for key in keys)


def test_without_a_file_a_signal_says_what_would_have_helped(
    cli: Desk, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is shown as far as it got."""
    fill(cli)
    interrupt(monkeypatch, signal.SIGTERM)
    result = cli.run("plan")
    assert result.exit_code == 5
    assert "-o FILE" in result.stderr


def test_the_handlers_are_given_back(cli: Desk) -> None:
    """After planning, Ctrl-C and SIGTERM mean what they meant before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    cli.ok("plan")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_apply_does_nothing_where_its_listing_fails(cli: Desk, small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted by half a plan."""
    keys = fill(cli)
    listed = S3Objects.pages
    monkeypatch.setattr(S3Objects, "pages", lambda self, prefix, **kwargs: fails_after(2)(listed, self, prefix, **kwargs))
    assert "planning stopped" in one_line(cli.run("apply", "--yes"), 4)
    assert all(cli.there(key) for key in keys)


@pytest.mark.parametrize(
    "args",
    [("--since", "3d"), ("--tags",), ("--untracked", "delete"), ("--accept-restored",), ("--sweep",)],
    ids=lambda args: args[0],
)
def test_a_resumed_plan_takes_no_other_options(cli: Desk, args: tuple[str, ...]) -> None:
    """It goes on as it was asked for: anything else is wrong usage."""
    assert cli.run("plan", "--resume", "plan.json", *args).exit_code == 2


def test_an_old_plan_is_not_resumed(cli: Desk, small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be applied any more."""
    fill(cli)
    interrupt(monkeypatch, signal.SIGTERM)
    cli.run("plan", "-o", "plan.json")
    begun = read_plan(Path("plan.json"))
    write_plan(replace(begun, created_at=begun.created_at.replace(year=2025)), Path("plan.json"))
    assert "older" in one_line(cli.run("plan", "--resume", "plan.json"))
