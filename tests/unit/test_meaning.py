"""When two items of a bucket's configuration mean the same, although a store wrote one of them down."""

from typing import Any

import pytest

from reconciler.core import meaning
from reconciler.core.parts import Configuration, Part, PartName

ACCOUNT = "123456789012"
STATEMENT: dict[str, Any] = {
    "Sid": "One",
    "Effect": "Deny",
    "Principal": {"AWS": [ACCOUNT]},
    "Action": ["s3:PutObject", "s3:DeleteObject"],
    "Resource": ["arn:aws:s3:::photos/*"],
    "Condition": {"StringNotEquals": {"s3:RequestObjectTag/status": ["pending"]}, "Bool": {"aws:SecureTransport": "false"}},
}
CORS: dict[str, Any] = {
    "ID": "x",
    "AllowedOrigins": ["https://a.example", "https://b.example"],
    "AllowedMethods": ["PUT", "POST"],
    "AllowedHeaders": ["content-type", "x-amz-tagging"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3000,
}
NOTIFICATION: dict[str, Any] = {
    "Kind": "queue",
    "Id": "x",
    "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:q",
    "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}},
}

SAME_STATEMENT = {
    "a list of one": {"Resource": "arn:aws:s3:::photos/*"},
    "the order of actions": {"Action": ["s3:DeleteObject", "s3:PutObject"]},
    "the case of actions": {"Action": ["s3:putobject", "S3:DeleteObject"]},
    "an account as its root": {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
    "the case of a condition's key": {
        "Condition": {"StringNotEquals": {"s3:requestobjecttag/status": "pending"}, "Bool": {"aws:securetransport": "false"}}
    },
    "a truth as a text": {
        "Condition": {"StringNotEquals": {"s3:RequestObjectTag/status": "pending"}, "Bool": {"aws:SecureTransport": False}}
    },
}
OTHER_STATEMENT = {
    "another effect": {"Effect": "Allow"},
    "another Sid": {"Sid": "Two"},
    "one action less": {"Action": "s3:PutObject"},
    "one resource more": {"Resource": ["arn:aws:s3:::photos/*", "arn:aws:s3:::photos"]},
    "the case of a resource": {"Resource": "arn:aws:s3:::Photos/*"},
    "another account": {"Principal": {"AWS": "999999999999"}},
    "everybody": {"Principal": "*"},
    "another kind of principal": {"Principal": {"Service": ACCOUNT}},
    "another operator": {"Condition": {"StringEquals": {"s3:RequestObjectTag/status": "pending"}}},
    "the case of a value": {
        "Condition": {"StringNotEquals": {"s3:RequestObjectTag/status": "Pending"}, "Bool": {"aws:SecureTransport": "false"}}
    },
    "no condition": {"Condition": {}},
}


@pytest.mark.parametrize("change", SAME_STATEMENT.values(), ids=SAME_STATEMENT)
def test_a_statement_worded_otherwise_means_the_same(change: dict[str, Any]) -> None:
    """As IAM reads it."""
    assert meaning.of_statement({**STATEMENT, **change}) == meaning.of_statement(STATEMENT)


@pytest.mark.parametrize("change", OTHER_STATEMENT.values(), ids=OTHER_STATEMENT)
def test_another_statement_means_something_else(change: dict[str, Any]) -> None:
    """However small the difference."""
    assert meaning.of_statement({**STATEMENT, **change}) != meaning.of_statement(STATEMENT)


def test_everybody_is_written_in_two_ways() -> None:
    """As `*`, and as every AWS principal."""
    one, other = ({**STATEMENT, "Principal": principal} for principal in ("*", {"AWS": ["*"]}))
    assert meaning.of_statement(one) == meaning.of_statement(other)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"AllowedMethods": ["POST", "PUT"]}, True),
        ({"AllowedOrigins": CORS["AllowedOrigins"][::-1]}, True),
        ({"AllowedHeaders": ["X-Amz-Tagging", "Content-Type"]}, True),
        ({"ExposeHeaders": ["etag"]}, True),
        ({"AllowedOrigins": ["https://a.example"]}, False),
        ({"AllowedMethods": ["PUT", "POST", "DELETE"]}, False),
        ({"AllowedHeaders": ["*"]}, False),
        ({"MaxAgeSeconds": 0}, False),
        ({"ID": "y"}, False),
    ],
    ids=["order of methods", "of origins", "case of headers", "of exposed ones", "origins", "methods", "headers", "age", "id"],
)
def test_cors_rules_are_compared_by_meaning(change: dict[str, Any], *, same: bool) -> None:
    """Sets have no order, header names no case."""
    assert (meaning.of_cors({**CORS, **change}) == meaning.of_cors(CORS)) is same


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"Events": NOTIFICATION["Events"][::-1]}, True),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "uploads/"}]}}}, True),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": "uploads/"}]}}}, False),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "Uploads/"}]}}}, False),
        ({"Filter": {}}, False),
        ({"Events": ["s3:ObjectCreated:*"]}, False),
        ({"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:other"}, False),
        ({"Kind": "topic"}, False),
    ],
    ids=["order of events", "Prefix", "suffix", "case of the prefix", "no filter", "events", "queue", "kind"],
)
def test_notifications_are_compared_by_meaning(change: dict[str, Any], *, same: bool) -> None:
    """S3 gives `Prefix` back for `prefix`."""
    assert (meaning.of_notification({**NOTIFICATION, **change}) == meaning.of_notification(NOTIFICATION)) is same


# Parts


def rule(name: str, days: int = 7) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": days}}


OURS, THEIRS = "reconciler:uploads/:a", "logs"
PART = Part(name=PartName.LIFECYCLE, mark="reconciler:uploads/:", variants=((rule(OURS),),))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (OURS, True),
        ("reconciler:uploads/:anything", True),
        ("reconciler:uploads2/:a", False),
        ("Reconciler:uploads/:a", False),
        ("", False),
        (None, False),
    ],
)
def test_ours_are_told_by_their_mark(name: str | None, *, ours: bool) -> None:
    """Another prefix's, and what has no name, is somebody else's."""
    assert PART.is_ours({"ID": name}) is ours


def test_an_item_without_room_for_a_mark_is_ours_where_it_is_wanted() -> None:
    """EventBridge is one switch for the whole bucket: ours if we turn it on, else somebody's."""
    switch = {"Kind": "eventbridge", "Id": "eventbridge"}
    wanting, not_wanting = (
        Part(name=PartName.NOTIFICATIONS, mark="reconciler:", variants=((item,),)) for item in (switch, NOTIFICATION)
    )
    assert (wanting.is_ours(switch), not_wanting.is_ours(switch)) == (True, False)


@pytest.mark.parametrize(
    ("items", "kinds"),
    [
        ([], ["missing"]),
        ([rule(OURS)], []),
        ([rule(OURS, 8)], ["changed"]),
        ([rule(OURS), rule(THEIRS)], ["foreign"]),
        ([rule(OURS), rule("reconciler:uploads/:old")], ["surplus"]),
        ([rule(OURS), rule(OURS)], ["surplus"]),
        ([rule(THEIRS), rule("reconciler:uploads/:old")], ["missing", "surplus", "foreign"]),
    ],
    ids=["nothing", "in place", "other days", "others", "not wanted", "twice", "everything"],
)
def test_each_kind_of_difference_is_told(items: list[Any], kinds: list[str]) -> None:
    """By identity, and then by meaning."""
    found = PART.compare(Configuration(tuple(items)), PART.variants[0])
    assert [kind for kind in ("missing", "changed", "surplus", "foreign") if getattr(found, kind)] == kinds
    assert found.drifted is bool(set(kinds) - {"foreign"})


def test_merging_carries_the_others_along_untouched() -> None:
    """They come first, in their order, and are the very same values; ours are replaced; the rest is kept."""
    theirs = [rule("b"), {"Status": "Enabled"}, rule("a")]
    found = Configuration((theirs[0], rule(OURS, 9), *theirs[1:]), {"Version": "2008-10-17"})
    merged = PART.merge(found, PART.variants[0])
    assert merged == Configuration((*theirs, rule(OURS)), {"Version": "2008-10-17"})
    assert merged.items[0] is theirs[0]


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (Configuration((rule("a"), rule("b"), rule(OURS)), {"x": 1, "y": 2}), True),
        (Configuration((rule("b"), rule("a")), {"x": 1}), True),
        (Configuration((rule("a"),), {"x": 1}), False),
        (Configuration((rule("a"), rule("b", 8)), {"x": 1}), False),
        (Configuration((rule("a"), rule("b"), rule("c")), {"x": 1}), False),
        (Configuration((rule("a"), rule("b"))), False),
    ],
    ids=["ours beside them", "another order", "one less", "one changed", "one more", "the rest lost"],
)
def test_what_is_not_ours_must_be_the_same_to_the_letter(after: Configuration, *, same: bool) -> None:
    """All of it, and what else the configuration holds."""
    assert PART.same_foreign(Configuration((rule("a"), rule("b")), {"x": 1}), after) is same


@pytest.mark.parametrize("name", [PartName.CORS, PartName.POLICY])
def test_where_order_means_something_it_must_be_kept(name: PartName) -> None:
    """The first CORS rule that fits answers."""
    part = Part(name=name, mark="reconciler:", variants=((),))
    one, other = {"ID": "a", "Sid": "a"}, {"ID": "b", "Sid": "b"}
    assert not part.same_foreign(Configuration((one, other)), Configuration((other, one)))
