"""What each probe makes of what a store answers: a table for each promise, with answers that are read out one after the other."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.scripted import (
    ABSENT,
    BAD,
    BEGUN,
    BROKE,
    BROKEN,
    DATED,
    DENIED,
    ETAG,
    FORGED,
    KEPT,
    NOW,
    OK,
    RULE,
    TAGS,
    TAKEN,
    UNKNOWN,
    UNTRIED,
    Script,
    allowing,
    announcing,
    errors,
    listing,
    modified,
    rules,
    tags,
    tried,
)

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.memory import MemorySigner
from reconciler.core.promises import PROMISES, Verdict
from reconciler.errors import StoreUnavailableError, TableUnavailableError
from reconciler.ports import Answer

NAMED = listing("names-2", "a", "a/b")
VERDICTS: list[tuple[str, list[Answer], Verdict, str]] = [
    ("tag", [OK, tags("pending")], KEPT, ""),
    ("tag", [OK, tags(None)], BROKEN, "drops the tag"),
    ("tag", [OK, tags("other")], BROKEN, "other"),
    ("tag", [BROKE], UNTRIED, "500"),
    ("tag", [OK, UNKNOWN], UNTRIED, "501"),
    ("signature", [FORGED, FORGED], KEPT, ""),
    ("signature", [OK, FORGED], BROKEN, "a false signature"),
    ("signature", [FORGED, OK], BROKEN, "another key"),
    ("signature", [FORGED, BROKE], UNTRIED, "500"),
    ("expiry", [DATED, DENIED], KEPT, ""),
    ("expiry", [DATED, OK], BROKEN, "an expired URL"),
    ("expiry", [OK], UNTRIED, "Date"),
    ("signed", [FORGED, FORGED, FORGED], KEPT, ""),
    ("signed", [OK, FORGED, OK], BROKEN, "tag, size"),
    ("unsigned", [OK, DENIED, DENIED, DENIED], KEPT, ""),
    ("unsigned", [OK, OK, DENIED, OK], BROKEN, "x-amz-tagging, x-amz-copy-source"),
    ("unsigned", [DENIED], UNTRIED, "403"),
    ("create-once", [OK, TAKEN], KEPT, ""),
    ("create-once", [OK, OK], BROKEN, "overwrites"),
    ("create-once", [OK, UNKNOWN], BROKEN, "501 NotImplemented, not 412"),
    ("create-once", [DENIED], UNTRIED, "403"),
    ("form", [OK, tags("pending")], KEPT, ""),
    ("form", [OK, tags(None)], BROKEN, "drops the tag"),
    ("form", [BAD, OK], BROKEN, "the field `tagging`"),
    ("form", [BAD, BAD], BROKEN, "every form"),
    ("form", [DENIED, DENIED], UNTRIED, "NoPost"),
    ("form-policy", [OK, DENIED, DENIED, BAD], KEPT, ""),
    ("form-policy", [OK, OK, DENIED, OK], BROKEN, "tag, size"),
    ("form-policy", [BAD, OK], BROKEN, "that was signed"),
    ("form-policy", [DENIED, DENIED], UNTRIED, "NoPost"),
    ("delete-many", [OK, OK, OK, ABSENT, ABSENT, ABSENT], KEPT, ""),
    ("delete-many", [OK, OK, OK, ABSENT, OK, ABSENT], BROKEN, "leaves 1 of 3"),
    ("delete-many", [OK, OK, BAD], BROKEN, "400"),
    ("delete-many", [OK, OK, errors("NoSuchKey")], BROKEN, "NoSuchKey"),
    ("delete-many", [OK, OK, DENIED], UNTRIED, "s3:DeleteObject"),
    ("delete-many-etag", [OK, OK, ETAG, errors("PreconditionFailed"), OK], KEPT, ""),
    ("delete-many-etag", [OK, OK, ETAG, OK, ABSENT], BROKEN, "ignores the etag"),
    ("delete-many-etag", [OK, OK, ETAG, BAD, OK], UNTRIED, "400"),
    ("delete-one-etag", [OK, OK, ETAG, TAKEN, OK], KEPT, ""),
    ("delete-one-etag", [OK, OK, ETAG, OK, ABSENT], BROKEN, "ignores the etag"),
    ("delete-one-etag", [OK, OK, ETAG, OK, OK], BROKEN, "says it deleted it"),
    ("order", [OK, OK, OK, listing("order", "a-b", "a/x", "a0")], KEPT, ""),
    ("order", [OK, OK, OK, listing("order", "a/x", "a-b", "a0")], BROKEN, "a/x, a-b, a0"),
    ("order", [OK, OK, OK, BROKE], UNTRIED, "500"),
    (
        "names",
        [OK, OK, listing("names-0", "a//b", "a/b"), OK, OK, listing("names-1", "a/../b", "a/./b"), OK, OK, NAMED],
        KEPT,
        "",
    ),
    (
        "names",
        [OK, OK, listing("names-0", "a/b"), BAD, BAD, OK, OK, NAMED],
        BROKEN,
        "`a//b` as a/b; refuses",
    ),
    ("absent", [ABSENT, ABSENT, ABSENT], KEPT, ""),
    ("absent", [ABSENT, OK, ABSENT], BROKEN, "200 to get_object"),
    ("absent", [DENIED, ABSENT, ABSENT], UNTRIED, "s3:ListBucket"),
    ("retag-time", [OK, modified(0), OK, modified(0)], KEPT, ""),
    ("retag-time", [OK, modified(0), OK, modified(1)], BROKEN, "sets it"),
    ("multipart-tags", [BEGUN, ETAG, OK, tags("pending")], KEPT, ""),
    ("multipart-tags", [BEGUN, ETAG, OK, tags(None)], BROKEN, "loses them"),
    ("multipart-tags", [UNKNOWN], UNTRIED, "CreateMultipartUpload"),
    ("multipart-once", [OK, BEGUN, ETAG, TAKEN], KEPT, ""),
    ("multipart-once", [OK, BEGUN, ETAG, OK], BROKEN, "ignores"),
    ("multipart-once", [OK, BEGUN, ETAG, UNKNOWN], BROKEN, "501"),
    ("rule", [rules(RULE)], KEPT, ""),
    ("rule", [rules({**RULE, "Filter": {"Prefix": "uploads/", "Tag": TAGS[0]}})], BROKEN, "drops `And`"),
    ("rule", [rules({**RULE, "Filter": {"Prefix": "uploads/"}})], BROKEN, "gives back"),
    ("rule", [rules({"ID": "theirs"})], UNTRIED, "not installed"),
    ("rule", [Answer(status=404, code="NoSuchLifecycleConfiguration")], UNTRIED, "not installed"),
    ("rule", [UNKNOWN], UNTRIED, "501"),
    ("announced", [rules({**RULE, "Status": "Enabled"}), OK, announcing("reconciler%3Auploads"), OK, announcing("")], KEPT, ""),
    ("announced", [rules({**RULE, "Status": "Enabled"}), OK, announcing(""), OK], BROKEN, "no such header"),
    ("announced", [rules({**RULE, "Status": "Enabled"}), OK, announcing("theirs"), OK], BROKEN, "another rule"),
    (
        "announced",
        [rules({**RULE, "Status": "Enabled"}), OK, announcing("reconciler%3A"), OK, announcing("reconciler%3A")],
        BROKEN,
        "still names it",
    ),
    ("announced", [rules({**RULE, "Status": "Disabled"})], UNTRIED, "switched off"),
    ("clocks", [DATED], KEPT, ""),
    ("clocks", [OK], UNTRIED, "Date"),
    ("cors", [], UNTRIED, "RECONCILER_ORIGINS"),
    ("address", [], UNTRIED, "RECONCILER_PRESIGN_ENDPOINT_URL"),
]


@pytest.mark.parametrize(("name", "answers", "verdict", "how"), VERDICTS)
def test_a_verdict_follows_from_the_answers(name: str, answers: list[Answer], verdict: Verdict, how: str) -> None:
    """Kept, or not kept and how, or not tried and why."""
    found = tried(name, *answers)
    assert found.verdict is verdict, found
    assert how in found.how


@pytest.mark.parametrize(
    ("name", "answers"), [("delete-many", [OK, OK]), ("delete-many-etag", [OK, OK, ETAG])], ids=["plain", "by etag"]
)
def test_a_deletion_that_could_kill_the_store_is_not_sent(
    name: str, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody is told of removals, or the settings say so, only the objects that were to go are put."""
    assert tried(name, *answers, bulk_delete=False).verdict is UNTRIED
    monkeypatch.setattr(Script, "pushed", {"TopicConfigurations": [{"Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}]})
    assert "Ceph 16" in tried(name, *answers).how


def test_every_promise_has_a_table() -> None:
    """No probe is left out."""
    assert {name for name, *_ in VERDICTS} == {promise.id for promise in PROMISES}


# What depends on the deployment


@pytest.mark.parametrize(
    ("answer", "verdict", "how"),
    [
        (allowing("https://a.example"), KEPT, ""),
        (allowing("*", headers="*"), KEPT, ""),
        (DENIED, BROKEN, "403"),
        (allowing("https://b.example"), BROKEN, "origin is not allowed"),
        (allowing("*", methods="GET"), BROKEN, "PUT is not allowed"),
        (allowing("*", headers="content-type"), BROKEN, "if-none-match, x-amz-tagging may not be sent"),
    ],
    ids=["as configured", "everything", "refused", "another origin", "another method", "fewer headers"],
)
def test_a_preflight_is_judged_as_a_browser_does(answer: Answer, verdict: Verdict, how: str) -> None:
    """Origin, method and every header have to be allowed."""
    found = tried("cors", answer, origins=("https://a.example",))
    assert (found.verdict, how in found.how) == (verdict, True)


@pytest.mark.parametrize(
    ("answers", "verdict", "how"),
    [
        ([OK, OK], KEPT, ""),
        ([OK, ABSENT], BROKEN, "another bucket"),
        ([FORGED], BROKEN, "SignatureDoesNotMatch"),
        ([StoreUnavailableError("no answer")], BROKEN, "no answer"),
    ],
    ids=["the same", "elsewhere", "refused", "nowhere"],
)
def test_an_address_leads_to_the_bucket_or_not(answers: list[Any], verdict: Verdict, how: str) -> None:
    """What is sent there has to lie in the bucket."""
    found = tried("address", *answers, presign_host=MemorySigner("photos"))
    assert (found.verdict, how in found.how) == (verdict, True)


class Broken(MovableClock):
    def now(self) -> datetime:
        raise TableUnavailableError("no route")


@pytest.mark.parametrize(
    ("here", "table", "verdict", "how"),
    [
        (0, MovableClock(NOW), KEPT, ""),
        (0, Broken(), UNTRIED, "no route"),
        (0, MovableClock(NOW - timedelta(hours=1)), BROKEN, "the table is 3600 s behind"),
        (-3600, MovableClock(NOW - timedelta(hours=1)), BROKEN, "S3 is 3600 s ahead"),
        (3600, None, BROKEN, "S3 is 3600 s behind"),
    ],
    ids=["agree", "no table", "the table behind", "S3 ahead", "S3 behind"],
)
def test_clocks_are_compared_with_this_machines(here: float, table: Any, verdict: Verdict, how: str) -> None:
    """S3's by its Date header; a table that does not answer leaves only that untried."""
    found = tried("clocks", DATED, now=lambda: NOW + timedelta(seconds=here), clock=table)
    assert (found.verdict, how in found.how) == (verdict, True)


@pytest.mark.parametrize(("late", "waited"), [(0, 2.1), (3, 5.1)])
def test_a_clock_behind_is_waited_for(late: float, waited: float) -> None:
    """A URL expires by S3's clock."""
    slept: list[float] = []
    tried("expiry", DATED, DENIED, now=lambda: NOW + timedelta(seconds=late), sleep=slept.append)
    assert slept == [pytest.approx(waited)]


def test_a_clock_far_behind_is_not_waited_for() -> None:
    """Then it is not tried whether a URL expires."""
    found = tried("expiry", DATED, now=lambda: NOW + timedelta(minutes=3), sleep=pytest.fail)
    assert (found.verdict, "180 s behind" in found.how) == (UNTRIED, True)
