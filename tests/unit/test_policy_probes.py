"""How the bucket policy is tried out: what each answer means, and that what others put there survives whatever happens."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from unit.scripted import ABSENT, DENIED, OK, Script, bench

from reconciler.core.dialects import AWS, PORTABLE, Effect, Findings, Seen
from reconciler.ports import Answer
from reconciler.probes.bench import Bench, NotTriedError
from reconciler.probes.policy import SID, try_policy

THEIRS = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::photos/public/*",
}
RESOURCE = "arn:${partition}:s3:::${bucket}/${prefix}*"
TAGS_STAY = {"Sid": "TagsStay", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObjectTagging", "Resource": RESOURCE}
DELETES = {
    "Sid": "OnlyReconcilerDeletes",
    "Effect": "Deny",
    "NotPrincipal": {"AWS": ["${reconciler}"]},
    "Action": "s3:DeleteObject",
    "Resource": RESOURCE,
}
Heeds = Callable[[str, Any, list[Any]], bool]


class Bucket(Script):
    """A bucket that holds a policy, and asks `heeds` whether it denies a request; everything else is done."""

    def __init__(self, *theirs: Any, heeds: Heeds = lambda *_: False, takes: Answer = OK) -> None:
        super().__init__([])
        self.policy = json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": list(theirs)}, indent=3) if theirs else None
        self.history: list[str | None] = []
        self._heeds = heeds
        self._takes = takes

    def _next(self, what: str, parameters: dict[str, Any]) -> Answer:
        self.asked.append((what, parameters))
        if what == "get_bucket_policy":
            return (
                Answer(status=200, content={"Policy": self.policy})
                if self.policy
                else Answer(status=404, code="NoSuchBucketPolicy")
            )
        if what == "put_bucket_policy" and SID in parameters["Policy"] and not self._takes.ok:
            return self._takes
        if what in ("put_bucket_policy", "delete_bucket_policy"):
            self.policy = parameters.get("Policy")
            self.history.append(self.policy)
            return OK
        return DENIED if self._heeds(what, parameters, self.ours()) else OK

    def ours(self) -> list[Any]:
        """The statements that are being tried."""
        return [each for each in json.loads(self.policy or '{"Statement": []}')["Statement"] if each["Sid"].startswith(SID)]


def on(bucket: Bucket) -> Bench:
    at = bench()
    object.__setattr__(at, "store", bucket)
    return at


def tried(bucket: Bucket, statement: Any = TAGS_STAY, dialect: str = AWS) -> Seen:
    """Try one statement out, and insist that the policy is what it was."""
    before = bucket.policy
    found = try_policy(on(bucket), {dialect: {"Version": "2012-10-17", "Statement": [statement]}})
    assert bucket.policy == before
    return found.of(dialect, statement["Sid"])


def _as_it_says(what: str, _: Any, ours: list[Any]) -> bool:
    return bool(ours) and what == "delete_object_tagging"


def _everything(what: str, _: Any, ours: list[Any]) -> bool:
    return bool(ours)


def _always(what: str, _: Any, ours: list[Any]) -> bool:
    return what == "delete_object_tagging"


def _no_put(what: str, _: Any, ours: list[Any]) -> bool:
    return what == "PUT"


@pytest.mark.parametrize(
    ("bucket", "seen"),
    [
        (Bucket(heeds=_as_it_says), Seen(Effect.WORKS)),
        (Bucket(THEIRS, heeds=_as_it_says), Seen(Effect.WORKS)),
        (Bucket(THEIRS), Seen(Effect.NEVER, "lets through taking the tags away")),
        (Bucket(heeds=_everything), Seen(Effect.SHUTS_OUT, "refuses tagging pending as completing")),
        (Bucket(THEIRS, takes=Answer(status=400, code="MalformedPolicy")), Seen(Effect.NOT_TAKEN, "400 MalformedPolicy")),
        (Bucket(THEIRS, heeds=_always), Seen(Effect.UNTRIED, "taking the tags away is denied without it")),
        (Bucket(heeds=_no_put), Seen(Effect.UNTRIED, "a presigned PUT is refused without it (403 AccessDenied)")),
    ],
    ids=["heeded", "beside others'", "ignored", "too much", "not taken", "denied anyway", "nothing is let through"],
)
def test_what_a_statement_does_is_seen(bucket: Bucket, seen: Seen) -> None:
    """It has to refuse what it must, and to let everything else pass."""
    assert tried(bucket) == seen


def _but_for(named: str) -> Heeds:
    """A store that denies deletions, but for this principal."""

    def heeds(what: str, _: Any, ours: list[Any]) -> bool:
        return what.startswith("delete_object") and any(each["NotPrincipal"]["AWS"] != [named] for each in ours)

    return heeds


@pytest.mark.parametrize(
    ("heeds", "effect"),
    [(_but_for("*"), Effect.WORKS), (_but_for("nobody we know"), Effect.SHUTS_OUT), (lambda *_: False, Effect.NEVER)],
    ids=["heeds the principal", "heeds none", "ignores it"],
)
def test_a_role_is_tried_as_nobodys_and_as_everybodys(heeds: Heeds, effect: Effect) -> None:
    """Denied to everybody while nobody has the role, to nobody while everybody has it."""
    assert tried(Bucket(THEIRS, heeds=heeds), DELETES, PORTABLE).effect is effect


@pytest.mark.parametrize(
    "statement",
    [{**TAGS_STAY, "Resource": "arn:${partition}:s3:::${bucket}"}, {**TAGS_STAY, "Sid": "Newer"}],
    ids=["of the bucket", "unknown"],
)
def test_what_cannot_be_tried_safely_is_not(statement: Any) -> None:
    """A statement about more than the folder, or of a purpose without scenes, is never put."""
    bucket = Bucket(THEIRS)
    assert tried(bucket, statement).effect is Effect.UNTRIED
    assert bucket.history == []


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_where_the_policy_cannot_be_read_nothing_is_put(code: str) -> None:
    """It could not be carried along."""
    bucket = Bucket(THEIRS)
    refused = Answer(status=403 if code == "AccessDenied" else 501, code=code)
    bucket._next = lambda what, _: refused if what == "get_bucket_policy" else pytest.fail(what)  # type: ignore[method-assign]
    with pytest.raises(NotTriedError, match=code):
        try_policy(on(bucket), {AWS: {"Statement": [TAGS_STAY]}})


def test_where_it_may_not_be_put_that_is_said() -> None:
    """By the action that is missing."""
    with pytest.raises(NotTriedError, match="s3:PutBucketPolicy"):
        tried(Bucket(THEIRS, takes=DENIED))


def test_somebody_elses_change_meanwhile_is_kept() -> None:
    """Ours are taken out of what stands there then; the run ends at the next statement."""
    changed = {**THEIRS, "Sid": "Changed"}

    def meddle(what: str, _: Any, ours: list[Any]) -> bool:
        if ours and what == "delete_object_tagging":
            bucket.policy = json.dumps({"Version": "2012-10-17", "Statement": [changed, *ours]})
        return False

    bucket = Bucket(THEIRS, heeds=meddle)
    with pytest.raises(NotTriedError, match="at the same time"):
        try_policy(on(bucket), {AWS: {"Statement": [TAGS_STAY, {**DELETES, "Sid": "VersionsStay"}]}})
    assert json.loads(bucket.policy or "")["Statement"] == [changed]


def test_an_interruption_puts_the_policy_back() -> None:
    """Whenever it comes."""

    def interrupt(what: str, _: Any, ours: list[Any]) -> bool:
        if ours:
            raise KeyboardInterrupt
        return False

    bucket = Bucket(THEIRS, heeds=interrupt)
    before = bucket.policy
    with pytest.raises(KeyboardInterrupt):
        try_policy(on(bucket), {AWS: {"Statement": [TAGS_STAY]}})
    assert bucket.policy == before


def test_what_a_killed_run_has_left_is_taken_out() -> None:
    """And nothing else."""
    bucket = Bucket(THEIRS, {**TAGS_STAY, "Sid": f"{SID}0"})
    assert try_policy(on(bucket), {}) == Findings({})
    assert json.loads(bucket.policy or "") == {"Version": "2012-10-17", "Id": "x", "Statement": [THEIRS]}


def test_a_policy_that_cannot_be_put_back_is_said() -> None:
    """With what is to be taken out."""
    bucket = Bucket(heeds=lambda *_: False)
    usual = bucket._next
    bucket._next = lambda what, parameters: ABSENT if what == "delete_bucket_policy" else usual(what, parameters)  # type: ignore[method-assign]
    with pytest.raises(NotTriedError, match=SID):
        try_policy(on(bucket), {AWS: {"Statement": [TAGS_STAY]}})
