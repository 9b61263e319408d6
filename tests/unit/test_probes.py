"""What each probe makes of what a store answers: a table for each promise, with answers that are read out one after the other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.memory import MemorySigner
from reconciler.core.promises import PROMISES, Result, Verdict
from reconciler.core.roles import PERMISSIONS, May, RoleFinding, actions, judge
from reconciler.doctor import DAILY, PROBES, Doctor
from reconciler.errors import StoreUnavailableError, TableUnavailableError
from reconciler.ports import Answer, SignedRequest
from reconciler.probes.bench import Bench, NotTriedError, Setting
from reconciler.probes.permissions import permissions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATED = Answer(status=200, headers={"date": "Sun, 22 Nov 2026 12:00:00 GMT"})
FOLDER = "uploads/.reconciler/doctor-1/"
TAGS = [{"Key": "status", "Value": "pending"}]
RULE = {"ID": "reconciler:uploads/:pending", "Filter": {"And": {"Prefix": "uploads/", "Tags": TAGS}}}

OK = Answer(status=200)
FORGED = Answer(status=403, code="SignatureDoesNotMatch")
DENIED = Answer(status=403, code="AccessDenied")
TAKEN = Answer(status=412, code="PreconditionFailed")
ABSENT = Answer(status=404, code="NoSuchKey")
BAD = Answer(status=400, code="InvalidRequest")
BROKE = Answer(status=500, code="InternalError")
UNKNOWN = Answer(status=501, code="NotImplemented")
ETAG = Answer(status=200, content={"ETag": '"abc"'})
BEGUN = Answer(status=200, content={"UploadId": "u1"})
KEPT, BROKEN, UNTRIED = Verdict.KEPT, Verdict.BROKEN, Verdict.UNTRIED


def tags(value: str | None) -> Answer:
    return Answer(status=200, content={"TagSet": [{"Key": "status", "Value": value}]} if value else {})


def listing(folder: str, *names: str) -> Answer:
    return Answer(status=200, content={"Contents": [{"Key": f"{FOLDER}{folder}/{name}"} for name in names]})


def modified(second: int) -> Answer:
    return Answer(status=200, content={"LastModified": NOW + timedelta(seconds=second)})


def rules(found: Any) -> Answer:
    return Answer(status=200, content={"Rules": [found]})


def errors(code: str) -> Answer:
    return Answer(status=200, content={"Errors": [{"Key": "k", "Code": code}]})


def announcing(rule: str) -> Answer:
    return Answer(status=200, headers={"x-amz-expiration": f'expiry-date="x", rule-id="{rule}"'} if rule else {})


def allowing(origin: str, methods: str = "PUT, POST", headers: str = "content-type, if-none-match, x-amz-tagging") -> Answer:
    said = {"origin": origin, "methods": methods, "headers": headers}
    return Answer(status=200, headers={f"access-control-allow-{name}": value for name, value in said.items()})


class Script:
    """A store that reads out its answers, whatever it is asked, and notes what it was asked."""

    bucket, endpoint, is_aws = "photos", "http://store.invalid", False

    def __init__(self, answers: Sequence[Answer | Exception]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, operation: str, *, old: bool = False, **parameters: Any) -> Answer:
        return self._next(operation, parameters)

    def presigned(self, operation: str, *, seconds: int = 60, **parameters: Any) -> str:
        return f"{self.endpoint}/{parameters['Key']}?signed"

    def form(self, key: str) -> SignedRequest:
        return SignedRequest(method="POST", url=self.endpoint, headers={}, fields={"key": key})

    def send(self, method: str, url: str, *, headers: Any = None, body: bytes = b"", fields: Any = None) -> Answer:
        return self._next(method, {"url": url, "headers": dict(headers or {}), "body": body, "fields": fields})

    def _next(self, what: str, parameters: dict[str, Any]) -> Answer:
        self.asked.append((what, parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FormSigner(MemorySigner):
    """Signs forms as well."""

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        return SignedRequest(method="POST", url="http://store.invalid", headers={}, fields={"key": key, "tagging": "<x/>"})


HERE = Setting(prefix="uploads/", skew=900, rule=RULE, now=lambda: NOW, sleep=lambda _: None)


def bench(*answers: Answer | Exception, **settings: Any) -> Bench:
    return Bench(store=Script(answers), signer=FormSigner("photos"), folder=FOLDER, here=replace(HERE, **settings))


def tried(name: str, *answers: Answer | Exception, **settings: Any) -> Result:
    """Run one probe as doctor does; every answer must be asked for."""
    at = bench(*answers, **settings)
    try:
        return PROBES[name].run(at)
    except NotTriedError as error:
        return Result(Verdict.UNTRIED, str(error))
    finally:
        assert isinstance(at.store, Script)
        assert at.store.answers == []


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


# Permissions

ALL = [OK, BAD, OK, OK, OK, OK, OK]  # list, put, delete, an object of our own, get, tags, tagging
READS = [OK] * 7


def may(*answers: Answer) -> dict[str, str]:
    """What is found of the permissions about objects; those to read the configuration are all given."""
    at = bench(*answers, *READS, OK)
    found = permissions(at)
    return {name: found[name].value for name in ("list", "put", "tag-put", "delete", "get", "get-tags", "retag")}


YES, NO, OPEN = "allowed", "denied", "not tried"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (ALL, [YES] * 7),
        ([OK, OK, OK, OK, OK, OK, OK], [YES] * 7),
        ([OK, DENIED, BAD, OK, OK, ABSENT, ABSENT, ABSENT], [YES, YES, NO, YES, OPEN, OPEN, OPEN]),
        ([OK, DENIED, DENIED, OK, OK, ABSENT, ABSENT, ABSENT], [YES, NO, NO, YES, OPEN, OPEN, OPEN]),
        ([OK, BAD, DENIED, OK, DENIED, DENIED, DENIED], [YES, YES, YES, NO, NO, NO, NO]),
        ([DENIED, BAD, DENIED, DENIED, DENIED, DENIED, DENIED], [NO, YES, YES, NO, OPEN, OPEN, OPEN]),
        ([OK, BROKE, OK, OK, ABSENT, ABSENT, DENIED], [YES, OPEN, OPEN, YES, OPEN, OPEN, NO]),
    ],
    ids=["all", "no MD5 is looked at", "no tags", "no PUT", "no deletion", "nothing but PUT", "a store that fails"],
)
def test_permissions_follow_from_refusals(answers: list[Answer], found: list[str]) -> None:
    """An AccessDenied is a missing permission, where it cannot stand for an absent key; other refusals are none."""
    names = ("list", "put", "tag-put", "delete", "get", "get-tags", "retag")
    assert may(*answers) == dict(zip(names, found, strict=True))


def test_who_may_not_delete_puts_nothing() -> None:
    """The one PUT has a Content-MD5 that does not fit."""
    at = bench(OK, BAD, DENIED, OK, DENIED, DENIED, DENIED, *READS, OK)
    permissions(at)
    assert isinstance(at.store, Script)
    puts = [parameters for operation, parameters in at.store.asked if operation == "put_object"]
    assert [bool(put.get("ContentMD5")) for put in puts] == [True]
    assert at.keys == []


def test_a_role_lacks_what_was_denied() -> None:
    """What was not tried is named apart, and the presigner's tag is the one that comes with its PUT."""
    found = dict.fromkeys(PERMISSIONS, May.YES) | {"retag": May.NO, "get-tags": May.UNTRIED}
    needed = frozenset({"s3:PutObject", "s3:PutObjectTagging", "s3:GetObjectTagging", "s3:PutLifecycleConfiguration"})
    untried = ("s3:GetObjectTagging", "s3:PutLifecycleConfiguration")
    assert judge("presigner", needed, found) == RoleFinding(role="presigner", lacks=(), untried=untried)
    assert judge("completer", needed, found) == RoleFinding(role="completer", lacks=("s3:PutObjectTagging",), untried=untried)
    assert judge("reconciler", needed, found).untried == ("s3:GetObjectTagging", "s3:PutLifecycleConfiguration", "s3:PutObject")


def test_the_actions_of_a_document_are_those_of_all_its_statements() -> None:
    """One or several to a statement."""
    assert actions({"Statement": [{"Action": "s3:A"}, {"Action": ["s3:B", "s3:A"]}]}) == {"s3:A", "s3:B"}


# The whole


def doctor(*answers: Answer | Exception) -> Doctor:
    return Doctor(
        store=Script(answers),
        signer=FormSigner("photos"),
        here=HERE,
        roles={"presigner": frozenset({"s3:PutObject"}), "installer": frozenset({"s3:PutObject"})},
        policies={},
        new_id=lambda: "1",
    )


NOBODY = [DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, *[DENIED] * 7, DENIED]


def test_without_permissions_nothing_is_tried() -> None:
    """Each promise names the actions that were missing; nothing lies there to be taken away."""
    patient = doctor(*NOBODY, DENIED)
    found = patient.examine()
    assert {finding.result.verdict for finding in found.findings} == {UNTRIED}
    assert not found.healthy
    assert patient.tidy() == []


def test_a_role_that_is_not_asked_for_may_lack_everything() -> None:
    """Then the diagnosis is good, as long as no promise is broken."""
    assert doctor(*NOBODY, DENIED).examine(needed=["reader"]).healthy
    assert set(DAILY) == {"presigner", "completer", "reconciler"}


def test_a_store_that_does_not_answer_ends_the_examination() -> None:
    """What was put until then can still be taken away."""
    gone = Answer(status=204)
    patient = doctor(OK, BAD, OK, OK, StoreUnavailableError("no answer"))
    with pytest.raises(StoreUnavailableError):
        patient.examine()
    assert isinstance(patient.store, Script)
    patient.store.answers = [OK, gone, gone, OK, OK]
    assert patient.tidy() == []
    assert [operation for operation, _ in patient.store.asked[-5:]].count("delete_object") == 2
