"""The benchmarks, at tiny sizes: they still run, and still write what was promised. How fast anything is, is not asserted."""

import json
from typing import Any

import pytest
from benchmarks.figures import BenchError, Figure, document, require, table
from benchmarks.lab import Lab
from benchmarks.run import run
from benchmarks.series import Series, per_second, race
from benchmarks.sizes import TINY

from reconciler.demo.servers import Server

PROMISED = (
    "presign_vs_boto3",
    "plan_vs_paginator",
    "plan_peak_mb_10k",
    "plan_peak_mb_100k",
    "requests_per_completed",
    "requests_per_abandoned",
    "requests_per_planned_thousand",
)
COUNTED = ("requests_per_completed", "requests_per_completed_moto", "requests_per_abandoned", "requests_per_planned_thousand")


@pytest.fixture(name="written", scope="module")
def _written(moto: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run on moto and SQLite writes, as somebody else reads it."""
    lab = Lab(store=moto, announcing=None, postgres=None, folder=tmp_path_factory.mktemp("bench"), sizes=TINY)
    _, found = run(lab, say=lambda _: None)
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_figure_is_a_plain_number(written: dict[str, Any], name: str) -> None:
    """Under its name, at the top, and above zero."""
    assert isinstance(written[name], int | float)
    assert written[name] > 0


def test_every_figure_says_what_it_is(written: dict[str, Any]) -> None:
    """Its meaning, its unit, its size, and a median between minimum and maximum that stands at the top as well."""
    for name, figure in written["figures"].items():
        assert (name, figure["median"]) == (name, written[name])
        assert figure["min"] <= figure["median"] <= figure["max"]
        assert figure["meaning"]
        assert figure["unit"]
        assert figure["size"] > 0


@pytest.mark.parametrize("name", COUNTED)
def test_requests_are_the_sum_of_their_operations(written: dict[str, Any], name: str) -> None:
    """Nothing is counted that is not named."""
    parts = written["figures"][name]["parts"]
    assert sum(parts.values()) == pytest.approx(written[name], abs=0.01)
    assert "marker" not in parts


def test_a_completed_upload_has_told_s3(written: dict[str, Any]) -> None:
    """A retag was seen on the wire: whoever counts none has counted the wrong client."""
    assert written["figures"]["requests_per_completed"]["parts"]["PutObjectTagging"] >= 1


def test_the_server_of_the_request_figures_is_named(written: dict[str, Any]) -> None:
    """The count depends on what the store announces."""
    assert written["requests_per_completed_server"].startswith("moto")


def test_the_document_tells_its_sizes(written: dict[str, Any]) -> None:
    """Figures of a quick run are not taken for those of a full one."""
    assert written["run"]["sizes"]["planned_large"] == TINY.planned_large
    assert written["figures"]["plan_peak_mb_100k"]["size"] == TINY.planned_large


def test_a_ratio_is_taken_within_its_round() -> None:
    """The median of the ratios, not the ratio of the medians."""
    ours, theirs = Series((10.0, 2.0, 9.0)), Series((10.0, 1.0, 3.0))
    assert ours.over(theirs).median == 2.0


def test_a_rate_is_taken_by_the_clock_that_is_given() -> None:
    """Four things in two of its seconds are two a second."""
    seconds = iter((10.0, 12.0))
    assert per_second(4, lambda: None, clock=lambda: next(seconds)) == 2.0


def test_tracks_run_in_turn_and_then_backwards() -> None:
    """Neither side always goes first."""
    ran: list[str] = []

    def track(name: str) -> float:
        ran.append(name)
        return 1.0

    race(2, ours=lambda: track("ours"), theirs=lambda: track("theirs"))
    assert ran == ["ours", "theirs", "theirs", "ours"]


def test_work_that_was_not_done_is_no_figure() -> None:
    """The run ends with an error instead of a number."""
    with pytest.raises(BenchError, match="nothing was swept"):
        require(holds=False, otherwise="nothing was swept")


def test_the_table_shows_each_figure_and_its_parts() -> None:
    """One line each."""
    figure = Figure(name="asked", series=Series((2.0,)), unit="requests", meaning="m", size=1, parts={"Get": 1.5, "Put": 0.5})
    shown = table([figure])
    assert list(shown.columns[0].cells) == ["asked", "  Get", "  Put"]
    assert document([figure], sizes=TINY, seconds=1.0, load=0.0)["asked"] == 2.0
