"""Others' rules, statements and notifications: what is said of each, as tables; and what is only looked at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.builders import PREFIX

from reconciler.core import lints, openings, verified
from reconciler.core.lints import Place
from reconciler.core.remarks import Remark, Severity
from reconciler.core.timing import Timing

PLACE = Place(bucket="photos", prefix=PREFIX, timing=Timing(), versioned=False)
VERSIONED = replace(PLACE, versioned=True)
DRIFT, NOTE, NOT_KNOWN, FINE = Severity.DRIFT, Severity.NOTE, Severity.NOT_KNOWN, Severity.FINE
DAYS = {"Expiration": {"Days": 30}}


def rule(filter_: Any = None, **given: Any) -> dict[str, Any]:
    return {"ID": "theirs", "Status": "Enabled", "Filter": filter_ or {}, **given}


def tagged(**tags: str) -> dict[str, Any]:
    return {"And": {"Prefix": PREFIX, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}}


def severities(remarks: Any) -> list[Severity]:
    return [remark.severity for remark in remarks]


# Expiry

BROAD: dict[str, tuple[dict[str, Any], bool]] = {
    "the whole bucket": (rule({}, **DAYS), True),
    "no filter at all": ({"ID": "theirs", "Status": "Enabled", **DAYS}, True),
    "the old place of the prefix": ({"ID": "theirs", "Status": "Enabled", "Prefix": "up", **DAYS}, True),
    "our prefix": (rule({"Prefix": PREFIX}, **DAYS), True),
    "a folder of ours": (rule({"Prefix": f"{PREFIX}2026/"}, **DAYS), True),
    "the beginning of our prefix": (rule({"Prefix": "upl"}, **DAYS), True),
    "from a date on": (rule({"Prefix": PREFIX}, Expiration={"Date": datetime(2030, 1, 1, tzinfo=UTC)}), True),
    "large objects": (rule({"And": {"Prefix": PREFIX, "ObjectSizeGreaterThan": 1000}}, **DAYS), True),
    "small objects anywhere": (rule({"ObjectSizeLessThan": 1000}, **DAYS), True),
    "another tag": (rule({"Tag": {"Key": "team", "Value": "blue"}}, **DAYS), True),
    "completed ones": (rule(tagged(status="completed"), **DAYS), True),
    "completed ones of a team": (rule(tagged(team="blue", status="completed"), **DAYS), True),
    "half completed ones": (rule(tagged(status="completing"), **DAYS), True),
    "changed ones": (rule(tagged(status="changed"), **DAYS), True),
    "switched off": (rule({}, **DAYS, Status="Disabled"), False),
    "another prefix": (rule({"Prefix": "logs/"}, **DAYS), False),
    "a sibling": (rule({"Prefix": "uploads2/"}, **DAYS), False),
    "pending ones": (rule(tagged(status="pending"), **DAYS), False),
    "pending ones of a team": (rule(tagged(team="blue", status="pending"), **DAYS), False),
    "quarantined ones": (rule(tagged(status="quarantined"), **DAYS), False),
    "a status that is none": (rule(tagged(status="archived"), **DAYS), False),
    "lone delete markers": (rule({"Prefix": PREFIX}, Expiration={"ExpiredObjectDeleteMarker": True}), False),
    "moved to the archive": (rule({"Prefix": PREFIX}, Transitions=[{"Days": 30, "StorageClass": "GLACIER"}]), False),
    "parts alone": (rule({"Prefix": PREFIX}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}), False),
}


@pytest.mark.parametrize(("found", "warned"), BROAD.values(), ids=BROAD)
def test_an_expiry_that_can_reach_completed_uploads_is_drift(found: dict[str, Any], *, warned: bool) -> None:
    """Whatever its filter, if it is enabled and could match; the rule is named."""
    remarks = list(lints.broad_expiry(found, PLACE))
    assert [(r.severity, r.subject) for r in remarks] == ([(DRIFT, "theirs")] if warned else [])


@pytest.mark.parametrize(
    ("expiration", "status", "warned"),
    [
        ({"Days": 5}, "pending", True),
        ({"Days": 6}, "pending", False),
        ({"Days": 1}, "completed", False),
        ({"Date": "2030-01-01"}, "pending", True),
        ({}, "pending", False),
    ],
    ids=["too soon", "in time", "not pending", "a date", "no expiry"],
)
def test_a_rule_on_pending_objects_must_leave_the_sweep_its_time(
    expiration: dict[str, Any], status: str, *, warned: bool
) -> None:
    """By default retention, three sweeps and two days are six days."""
    found = rule(tagged(status=status), Expiration=expiration)
    assert severities(lints.hasty_expiry(found, PLACE)) == [DRIFT] * warned
    slower = replace(PLACE, timing=Timing(sweep_interval=timedelta(hours=1)))
    assert not list(lints.hasty_expiry(rule(tagged(status=status), Expiration={"Days": 5}), slower))


@pytest.mark.parametrize(
    ("found", "place", "warned"),
    [
        (rule({}, NoncurrentVersionExpiration={"NoncurrentDays": 29}), VERSIONED, True),
        (rule({}, NoncurrentVersionExpiration={"NoncurrentDays": 30}), VERSIONED, False),
        (rule({}, NoncurrentVersionExpiration={"NoncurrentDays": 1}), PLACE, False),
        (rule({"Prefix": "logs/"}, NoncurrentVersionExpiration={"NoncurrentDays": 1}), VERSIONED, False),
        (rule({}, NoncurrentVersionExpiration={"NoncurrentDays": 1}, Status="Disabled"), VERSIONED, False),
        (rule(tagged(status="pending"), NoncurrentVersionExpiration={"NoncurrentDays": 1}), VERSIONED, False),
    ],
    ids=["too soon", "in time", "no versions", "elsewhere", "switched off", "pending ones"],
)
def test_old_versions_must_last_as_long_as_restoring_is_promised(found: Any, place: Place, *, warned: bool) -> None:
    """Where there are versions."""
    assert severities(lints.hasty_noncurrent(found, place)) == [DRIFT] * warned


@pytest.mark.parametrize(("status", "warned"), [("Enabled", False), ("Disabled", True)])
def test_a_rule_of_ours_that_is_off_is_said_so(status: str, *, warned: bool) -> None:
    """It does nothing."""
    assert severities(lints.switched_off(rule(Status=status))) == [DRIFT] * warned


NONCURRENT = {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
ABORT = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
COVERING: dict[str, tuple[Any, bool]] = {
    "no rule": (None, False),
    "the whole bucket": ({}, True),
    "our prefix": ({"Prefix": PREFIX}, True),
    "above our prefix": ({"Prefix": "up"}, True),
    "a part of it": ({"Prefix": f"{PREFIX}2026/"}, False),
    "elsewhere": ({"Prefix": "logs/"}, False),
    "some tag": (tagged(team="blue"), False),
    "some sizes": ({"And": {"Prefix": PREFIX, "ObjectSizeGreaterThan": 1}}, False),
}


@pytest.mark.parametrize(("filter_", "covered"), COVERING.values(), ids=COVERING)
def test_some_rule_must_end_old_versions_and_unfinished_uploads(filter_: Any, *, covered: bool) -> None:
    """Ours or another's, for every object under the prefix, and enabled; versions only where there are any."""
    versions, parts = ([] if filter_ is None else [rule(filter_, **what)] for what in (NONCURRENT, ABORT))
    assert severities(lints.endless_versions(versions, VERSIONED)) == [DRIFT] * (not covered)
    assert severities(lints.endless_parts(parts, PLACE)) == [DRIFT] * (not covered)
    assert not list(lints.endless_versions(versions, PLACE))
    assert list(lints.endless_parts([{**each, "Status": "Disabled"} for each in parts], PLACE))


def test_all_rules_are_looked_at() -> None:
    """Each lint has its say, on ours and on others'."""
    ours = [rule(tagged(status="pending"), ID="ours", Status="Disabled"), rule(ID="hasty", Filter=tagged(status="pending"))]
    ours[1]["Expiration"] = {"Days": 1}
    theirs = [rule({}, **DAYS), rule(tagged(status="pending"), ID="hasty too", Expiration={"Days": 1})]
    theirs.append(rule({"Prefix": PREFIX}, ID="versions", NoncurrentVersionExpiration={"NoncurrentDays": 1}))
    subjects = {remark.subject for remark in lints.lifecycle(ours, theirs, VERSIONED)}
    assert subjects == {"theirs", "hasty too", "versions", "ours", "hasty", "multipart uploads"}


def test_what_install_puts_is_without_fault() -> None:
    """Neither of the two documents is warned of, on its own bucket."""
    pending = rule(tagged(status="pending"), Expiration={"Days": 7})
    for place, more in ((PLACE, {}), (VERSIONED, NONCURRENT)):
        assert list(lints.lifecycle([pending, rule({"Prefix": PREFIX}, **ABORT, **more)], [], place)) == []


# Policy


def allow(**given: Any) -> dict[str, Any]:
    base = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/*"}
    return {**base, **given}


ALLOWS: dict[str, tuple[dict[str, Any], Severity | None]] = {
    "everybody writes": (allow(), DRIFT),
    "every AWS principal": (allow(Principal={"AWS": "*"}), DRIFT),
    "every AWS principal, in a list": (allow(Principal={"AWS": ["123456789012", "*"]}), DRIFT),
    "everybody but one": (allow(Principal=None, NotPrincipal={"AWS": "123456789012"}), DRIFT),
    "everything": (allow(Action="s3:*", Resource="*"), DRIFT),
    "everything but one": ({**allow(), "NotAction": "s3:DeleteBucket"}, DRIFT),
    "our prefix": (allow(Resource=f"arn:aws:s3:::photos/{PREFIX}*"), DRIFT),
    "one folder of ours": (allow(Resource=f"arn:aws:s3:::photos/{PREFIX}2026/*"), DRIFT),
    "one object of ours": (allow(Resource=f"arn:aws:s3:::photos/{PREFIX}a.jpg"), DRIFT),
    "every picture": (allow(Resource="arn:aws:s3:::photos/*.jpg"), DRIFT),
    "every bucket": (allow(Resource="arn:aws:s3:::*/*"), DRIFT),
    "among others": (allow(Resource=["arn:aws:s3:::photos/theirs/*", "arn:aws:s3:::photos/up*"]), DRIFT),
    "all but theirs": (allow(Resource=None, NotResource="arn:aws:s3:::photos/theirs/*"), DRIFT),
    "reading": (allow(Action=["s3:GetObject", "s3:ListBucket"]), NOTE),
    "reading and deleting": (allow(Action=["s3:GetObject", "s3:DeleteObject"]), DRIFT),
    "on a condition": (allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), NOTE),
    "a denial": (allow(Effect="Deny"), None),
    "one account": (allow(Principal={"AWS": "123456789012"}), None),
    "a service": (allow(Principal={"Service": "logging.s3.amazonaws.com"}), None),
    "theirs": (allow(Resource="arn:aws:s3:::photos/theirs/*"), None),
    "a sibling": (allow(Resource="arn:aws:s3:::photos/uploads2/*"), None),
    "the folder itself": (allow(Resource="arn:aws:s3:::photos/uploads"), None),
    "the bucket itself": (allow(Resource="arn:aws:s3:::photos", Action="s3:ListBucket"), None),
    "another bucket": (allow(Resource="arn:aws:s3:::other/*"), None),
    "all but the bucket": (allow(Resource=None, NotResource="arn:aws:s3:::photos/*"), None),
}


@pytest.mark.parametrize(("statement", "severity"), ALLOWS.values(), ids=ALLOWS)
def test_what_opens_the_prefix_to_everybody_is_told(statement: dict[str, Any], severity: Severity | None) -> None:
    """Writing without a condition is drift; reading, and what has a condition, is a note."""
    stated = {name: value for name, value in statement.items() if value is not None}
    if "NotAction" in stated:
        del stated["Action"]
    found = list(openings.policy([stated], PLACE))
    assert [(r.severity, r.subject) for r in found] == ([(severity, "Theirs")] if severity else [])


# CORS


@pytest.mark.parametrize(
    ("origins", "methods", "warned"),
    [
        (["*"], ["PUT"], True),
        (["https://a.example", "*"], ["GET", "POST"], True),
        (["*"], ["DELETE"], True),
        (["*"], ["GET", "HEAD"], False),
        (["https://*.example.com"], ["PUT"], False),
    ],
)
def test_a_cors_rule_for_every_site_is_drift(origins: list[str], methods: list[str], *, warned: bool) -> None:
    """Where it lets it write."""
    found = list(openings.cors([{"AllowedOrigins": origins, "AllowedMethods": methods}]))
    assert [(r.severity, r.subject) for r in found] == [(DRIFT, "a rule without ID")] * warned


# Notifications


def notification(*events: str, kind: str = "queue", **filters: str) -> dict[str, Any]:
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return {"Kind": kind, "Id": "theirs", "QueueArn": "arn:q", "Events": events, "Filter": {"Key": {"FilterRules": rules}}}


OURS = notification("s3:ObjectCreated:*", "s3:ObjectRemoved:*", prefix=PREFIX)
OVERLAPS: dict[str, tuple[dict[str, Any], bool]] = {
    "the same": (OURS, True),
    "one of several": (notification("s3:ObjectCreated:Put", prefix=PREFIX), True),
    "everything of a kind": (notification("s3:*"), True),
    "the whole bucket": (notification("s3:ObjectRemoved:*"), True),
    "a folder of ours": (notification("s3:ObjectCreated:*", Prefix=f"{PREFIX}2026/"), True),
    "pictures": (notification("s3:ObjectCreated:*", Suffix=".jpg"), True),
    "a topic": (notification("s3:ObjectCreated:*", kind="topic"), True),
    "other events": (notification("s3:ObjectTagging:*"), False),
    "another prefix": (notification("s3:ObjectCreated:*", prefix="theirs/"), False),
    "EventBridge": ({"Kind": "eventbridge", "Id": "eventbridge"}, False),
}


@pytest.mark.parametrize(("theirs", "warned"), OVERLAPS.values(), ids=OVERLAPS)
def test_notifications_for_the_same_event_of_the_same_key_overlap(theirs: dict[str, Any], *, warned: bool) -> None:
    """S3 would refuse to hold both."""
    assert (openings.overlap(OURS, theirs), openings.overlap(theirs, OURS)) == (warned, warned)
    assert severities(openings.notifications([OURS], [theirs])) == [NOTE] * warned


def test_suffixes_that_cannot_both_be_met_do_not_overlap() -> None:
    """Where both sides have one."""
    pictures, texts = (notification("s3:ObjectCreated:*", suffix=suffix) for suffix in (".jpg", ".txt"))
    assert not openings.overlap(pictures, texts)


def test_whose_notification_it_is_is_told() -> None:
    """By its Id and its destination."""
    (found,) = openings.notifications([OURS], [notification("s3:ObjectCreated:*")])
    assert (found.subject, "arn:q" in found.text) == ("theirs", True)


# Verified

ALL_ON = dict.fromkeys(verified.SWITCHES, True)
TLS = {
    "Sid": "T",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
VERIFIED: dict[str, tuple[Remark, Severity]] = {
    "all four on": (verified.access_block(ALL_ON, by_acls=False), FINE),
    **{f"{name} off": (verified.access_block({**ALL_ON, name: False}, by_acls=False), DRIFT) for name in verified.SWITCHES},
    "nothing set": (verified.access_block({}, by_acls=False), DRIFT),
    "three on, where ACLs count": (verified.access_block({**ALL_ON, "BlockPublicAcls": False}, by_acls=True), FINE),
    "all four on, where ACLs count": (verified.access_block(ALL_ON, by_acls=True), NOTE),
    **{
        f"{name} off, where ACLs count": (verified.access_block({**ALL_ON, name: False}, by_acls=True), DRIFT)
        for name in verified.SWITCHES[1:]
    },
    "owner enforced": (verified.ownership("BucketOwnerEnforced"), FINE),
    "owner preferred": (verified.ownership("BucketOwnerPreferred"), DRIFT),
    "writer": (verified.ownership("ObjectWriter"), DRIFT),
    "no ownership set": (verified.ownership(""), DRIFT),
    "versions": (verified.versioning("Enabled"), FINE),
    "no versions": (verified.versioning(""), FINE),
    "suspended": (verified.versioning("Suspended"), NOTE),
    "tls demanded": (verified.tls([TLS], PLACE), FINE),
    "tls demanded of the prefix": (verified.tls([{**TLS, "Resource": f"arn:aws:s3:::photos/{PREFIX}*"}], PLACE), FINE),
    "tls demanded in other words": (
        verified.tls(
            [{**TLS, "Principal": {"AWS": ["*"]}, "Action": ["*"], "Condition": {"Bool": {"AWS:securetransport": False}}}], PLACE
        ),
        FINE,
    ),
    "no policy": (verified.tls([], PLACE), NOTE),
    "tls allowed": (verified.tls([{**TLS, "Effect": "Allow"}], PLACE), NOTE),
    "tls of somebody": (verified.tls([{**TLS, "Principal": {"AWS": "123456789012"}}], PLACE), NOTE),
    "tls of one action": (verified.tls([{**TLS, "Action": "s3:GetObject"}], PLACE), NOTE),
    "tls elsewhere": (verified.tls([{**TLS, "Resource": "arn:aws:s3:::photos/theirs/*"}], PLACE), NOTE),
    "tls of the bucket": (verified.tls([{**TLS, "Resource": "arn:aws:s3:::photos"}], PLACE), NOTE),
    "tls the wrong way": (verified.tls([{**TLS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}], PLACE), NOTE),
    "tls and more": (
        verified.tls([{**TLS, "Condition": {**TLS["Condition"], "StringEquals": {"aws:x": "y"}}}], PLACE),  # type: ignore[dict-item]
        NOTE,
    ),
    "not implemented": (verified.not_known("object-ownership"), NOT_KNOWN),
}


@pytest.mark.parametrize(("remark", "severity"), VERIFIED.values(), ids=VERIFIED)
def test_what_is_looked_at_is_judged(remark: Remark, severity: Severity) -> None:
    """What a store does not implement is never fine; each text says something."""
    assert (remark.part, remark.severity) == ("verified", severity)
    assert remark.text
