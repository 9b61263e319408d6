"""The table of servers and promises: how it is written down. What doctor says of each server is held to it in test_doctor.py."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contract.known_faults import FAULTS
from servers.promises import (
    BY_TESTS,
    CELLS,
    NOT_TRIED,
    SERVERS,
    SHOWN,
    UNSHOWN,
    Recorder,
    Row,
    cell,
    faults_of,
    plain_name,
    server_of,
)

from reconciler.core.promises import PROMISES
from reconciler.doctor import PROBES

ROOT = Path(__file__).parents[2]
WRITTEN = json.loads((ROOT / "docs" / "servers.json").read_text())
SOURCES = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "reconciler" / "testing").glob("*.py")]
TESTS = {
    node.name
    for source in SOURCES
    for node in ast.walk(ast.parse(source.read_text()))
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}
OF_STORE = [promise for promise in PROMISES if promise.of_store]
ASKED = Row("keeps a promise", ("test_one", "test_other"), "do without")


def item(name: str, /, *, cls: Any = None, **parameters: str) -> Any:
    """A test as pytest has collected it."""
    return SimpleNamespace(name=name, cls=cls, callspec=SimpleNamespace(params=parameters))


def report(when: str, outcome: str, /, **noted: Any) -> Any:
    """A test's report as pytest hands it to plugins."""
    return SimpleNamespace(when=when, failed=outcome == "failed", user_properties=list(noted.items()))


# What is written down


@pytest.mark.parametrize("server", FAULTS)
def test_known_faults_name_tests(server: str) -> None:
    """A fault that no test shows any more is taken off the list."""
    assert [name for name in FAULTS[server] if name.partition("[")[0] not in TESTS] == []


def test_promises_name_tests() -> None:
    """Every test that is said to show a promise exists."""
    assert {name for tests in (*SHOWN.values(), *(row.tests for row in BY_TESTS)) for name in tests} - TESTS == set()


def test_every_promise_is_tried_and_shown() -> None:
    """Each has a probe, and each of a store's a test or a word that there is none."""
    assert set(PROBES) == {promise.id for promise in PROMISES}
    assert {promise.id for promise in OF_STORE} == {*SHOWN, *UNSHOWN}


def test_every_promise_is_written_down() -> None:
    """The committed table has one row a promise, in the same order, with what to do instead, for the same servers."""
    rows = [(each.text, each.instead, each.aws) for each in (*OF_STORE, *BY_TESTS)]
    assert [(row["promise"], row["instead"], row["aws"]) for row in WRITTEN["promises"]] == rows
    assert set(WRITTEN["servers"]) == {"aws", *SERVERS}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("row", BY_TESTS, ids=lambda row: row.text)
def test_what_tests_alone_show_is_written_down(row: Row, server: str) -> None:
    """The committed table says no, and why, exactly where a fault is known."""
    (written,) = [each[server] for each in WRITTEN["promises"] if each["promise"] == row.text]
    faults = faults_of(server, row.tests)
    assert written == cell({server: faults}, row, server) if faults else written in {"yes", NOT_TRIED}


# How it is written down


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({}, NOT_TRIED),
        ({"test_another": ""}, NOT_TRIED),
        ({"test_one": "", "test_other[case]": ""}, "yes"),
        ({"test_one": "", "test_other[case]": "forgets"}, "no: forgets"),
        ({"test_other[a]": "forgets", "test_other[b]": "forgets", "test_one": "loses"}, "no: loses, forgets"),
    ],
    ids=["nothing seen", "something else seen", "all passed", "one case failed", "each reason once"],
)
def test_a_row_is_kept_where_all_its_tests_pass(outcomes: dict[str, str], said: str) -> None:
    """One expected failure in one case is enough for a no."""
    assert cell({"ceph": outcomes}, ASKED, "ceph") == said


@pytest.mark.parametrize(
    ("collected", "server", "name"),
    [
        (item("test_a", cls=SimpleNamespace(server_name="moto")), "moto", "test_a"),
        (item("test_a[ceph]", wire="ceph"), "ceph", "test_a"),
        (item("test_a[no tag-ceph]", wire="ceph", change="no tag"), "ceph", "test_a[no tag]"),
        (item("test_a[ceph-x-amz-acl]", wire="ceph", name="x-amz-acl"), "ceph", "test_a[x-amz-acl]"),
        (item("test_a[seaweedfs-sqlite]", stage="seaweedfs-sqlite"), "seaweedfs", "test_a[sqlite]"),
        (item("test_a[memory]", stage="memory"), None, "test_a[memory]"),
    ],
    ids=["class", "parameter", "case before", "case behind", "with a database", "no server"],
)
def test_a_test_is_told_by_its_server_and_its_name(collected: Any, server: str | None, name: str) -> None:
    """The server is found in class or parameters, and left out of the name."""
    assert (server_of(collected), plain_name(collected)) == (server, name)


NOTED = {"server": "moto", "test": BY_TESTS[0].tests[0], "fault": ""}


def test_a_run_writes_down_what_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run without failures the file holds the servers' versions, doctor's cells and a row for every promise."""
    monkeypatch.setattr("servers.promises.versions", lambda: dict.fromkeys(SERVERS, "9.9"))
    recorder = Recorder(tmp_path / "servers.json")
    recorder.pytest_runtest_logreport(report("call", "passed", **NOTED))
    recorder.pytest_runtest_logreport(report("call", "passed", **{**NOTED, "test": "test_b", CELLS: {PROMISES[0].text: "yes"}}))
    recorder.pytest_sessionfinish()
    written = json.loads((tmp_path / "servers.json").read_text())
    seen = {row["promise"] for row in written["promises"] if row["moto"] == "yes"}
    assert seen == {PROMISES[0].text, BY_TESTS[0].text}
    assert len(written["promises"]) == len(OF_STORE) + len(BY_TESTS)


def test_a_run_that_failed_writes_nothing(tmp_path: Path) -> None:
    """Where a test has failed, nothing is known."""
    recorder = Recorder(tmp_path / "servers.json")
    recorder.pytest_runtest_logreport(report("call", "passed", **NOTED))
    recorder.pytest_runtest_logreport(report("setup", "failed"))
    recorder.pytest_sessionfinish()
    assert list(tmp_path.iterdir()) == []


def test_versions_are_written_as_major_and_minor() -> None:
    """A patch release of a server does not change the table."""
    names = [name for server, name in WRITTEN["servers"].items() if server != "aws"]
    assert [name for name in names if not re.fullmatch(r"[\w ]+ \d+\.\d+", name)] == []
