"""Policy documents and lifecycle rules, as data."""

from typing import Any

import pytest
from unit.builders import PREFIX

from reconciler.core.documents import disabled, fill, is_ours, merge_rules, pending_rule_id, rule_prefix, same_meaning
from reconciler.errors import SettingsError

PENDING = {"Key": "status", "Value": "pending"}
TEAM = {"Key": "team", "Value": "blue"}
OURS = {"ID": "reconciler:uploads/:pending", "Status": "Enabled"}
FOREIGN = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}


def rule(**given: Any) -> dict[str, Any]:
    return {"ID": "reconciler:uploads/:pending", "Status": "Enabled", "Expiration": {"Days": 7}, **given}


# Filling


def test_a_placeholder_takes_its_value() -> None:
    """Wherever in the document it stands; everything else stays as it was."""
    document = {"Resource": ["arn:aws:s3:::${bucket}/${prefix}*", 1, None, True]}
    filled = fill(document, {"bucket": "photos", "prefix": PREFIX})
    assert filled == {"Resource": ["arn:aws:s3:::photos/uploads/*", 1, None, True]}


def test_a_lone_placeholder_takes_the_type_of_its_value() -> None:
    """A number stays a number; within a longer text it becomes text."""
    assert fill(["${days}", "${days} days"], {"days": 7}) == [7, "7 days"]


def test_a_value_is_not_filled_again() -> None:
    """What looks like a placeholder in a value is only text."""
    assert fill(["${one}", "x${one}"], {"one": "${two}", "two": "no"}) == ["${two}", "x${two}"]


def test_filling_leaves_the_document_alone() -> None:
    """It can be filled again with other values."""
    document = {"Prefix": "${prefix}"}
    fill(document, {"prefix": PREFIX})
    assert document == {"Prefix": "${prefix}"}


@pytest.mark.parametrize(
    "document", ["${bucket}", "arn:${bucket}", [{"Resource": "${bucket}"}]], ids=["alone", "within", "nested"]
)
def test_a_placeholder_without_a_value_is_refused(document: Any) -> None:
    """And named."""
    with pytest.raises(SettingsError, match="'bucket'"):
        fill(document, {"prefix": PREFIX})


# Merging


def test_foreign_rules_are_carried_along_untouched() -> None:
    """They come first and are the very same values; ours are replaced."""
    wanted = [rule()]
    merged = merge_rules([OURS, FOREIGN, {"Status": "Enabled"}], wanted, prefix=PREFIX)
    assert merged == [FOREIGN, {"Status": "Enabled"}, *wanted]
    assert merged[0] is FOREIGN


def test_ours_are_told_by_their_id() -> None:
    """Another prefix's rules, and rules without an ID, are somebody else's."""
    ids = ("reconciler:uploads/:pending", "reconciler:uploads2/:pending", "uploads/", "", None)
    assert [is_ours({"ID": each}, prefix=PREFIX) for each in ids] == [True, False, False, False, False]
    assert not is_ours({}, prefix=PREFIX)


def test_the_pending_rule_is_one_of_ours() -> None:
    """As S3 names it in x-amz-expiration."""
    assert pending_rule_id(PREFIX) == "reconciler:uploads/:pending"
    assert pending_rule_id(PREFIX).startswith(rule_prefix(PREFIX))


def test_disabled_rules_are_copies() -> None:
    """Switched off, and otherwise the same; the wanted ones stay enabled."""
    wanted = [rule()]
    assert disabled(wanted) == [rule(Status="Disabled")]
    assert wanted == [rule()]


# Meaning

SAME = {
    "and-or-not": ({"And": {"Prefix": PREFIX, "Tags": [PENDING]}}, {"Prefix": PREFIX, "Tag": PENDING}),
    "tag-or-tags": ({"Prefix": PREFIX, "Tag": PENDING}, {"Prefix": PREFIX, "Tags": [PENDING]}),
    "and-around-one": ({"And": {"Prefix": PREFIX}}, {"Prefix": PREFIX}),
    "order-of-tags": (
        {"And": {"Prefix": PREFIX, "Tags": [PENDING, TEAM]}},
        {"And": {"Prefix": PREFIX, "Tags": [TEAM, PENDING]}},
    ),
    "empty-prefix": ({"Prefix": "", "Tag": PENDING}, {"Tag": PENDING}),
}
OTHER = {
    "other-prefix": ({"Prefix": PREFIX}, {"Prefix": "uploads2/"}),
    "other-tag": ({"Prefix": PREFIX, "Tag": PENDING}, {"Prefix": PREFIX, "Tag": TEAM}),
    "no-tag": ({"Prefix": PREFIX, "Tag": PENDING}, {"Prefix": PREFIX}),
    "one-more-tag": ({"Prefix": PREFIX, "Tag": PENDING}, {"And": {"Prefix": PREFIX, "Tags": [PENDING, TEAM]}}),
    "no-prefix": ({"Prefix": PREFIX, "Tag": PENDING}, {"Tag": PENDING}),
    "one-more-condition": ({"Prefix": PREFIX}, {"And": {"Prefix": PREFIX, "ObjectSizeGreaterThan": 1}}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_filters_worded_otherwise_mean_the_same(one: Any, other: Any) -> None:
    """Stores write the same conditions down in several ways."""
    assert same_meaning(rule(Filter=one), rule(Filter=other))
    assert same_meaning(rule(Filter=other), rule(Filter=one))


def test_the_old_place_of_the_prefix_means_the_same() -> None:
    """Beside the filter, as before 2018, or in it; no filter at all is every object."""
    assert same_meaning(rule(Prefix=PREFIX), rule(Filter={"Prefix": PREFIX}))
    assert same_meaning(rule(Prefix=""), rule(Filter={}))


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_other_conditions_mean_something_else(one: Any, other: Any) -> None:
    """Whichever is asked about first."""
    assert not same_meaning(rule(Filter=one), rule(Filter=other))
    assert not same_meaning(rule(Filter=other), rule(Filter=one))


@pytest.mark.parametrize("changed", [{"Status": "Disabled"}, {"Expiration": {"Days": 8}}, {"ID": "x"}], ids=["off", "days", "id"])
def test_everything_beside_the_filter_must_be_equal(changed: Any) -> None:
    """A rule switched off, or for other days, is another rule."""
    assert not same_meaning(rule(), rule(**changed))


def test_comparing_leaves_the_rules_alone() -> None:
    """They are put back as they were read."""
    one = rule(Filter={"And": {"Prefix": PREFIX, "Tags": [PENDING, TEAM]}})
    same_meaning(one, one)
    assert one == rule(Filter={"And": {"Prefix": PREFIX, "Tags": [PENDING, TEAM]}})
