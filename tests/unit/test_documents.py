"""Policy documents and lifecycle rules, as data."""

from typing import Any

import pytest
from unit.builders import PREFIX

from reconciler.core.documents import (
    choose,
    fill,
    pending_rule_id,
    placeholders,
    rule_prefix,
    same_meaning,
    to_be_given,
    told_by_arns,
)
from reconciler.errors import SettingsError

PENDING = {"Key": "status", "Value": "pending"}
TEAM = {"Key": "team", "Value": "blue"}


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


def test_several_values_become_several_items() -> None:
    """Where the placeholder is an item of a list; each once, and in the order in which they were given."""
    assert fill(["a", "${role}", "${role}", "z"], {"role": ["b", "c", "b"]}) == ["a", "b", "c", "z"]


def test_one_value_in_a_list_is_one_value() -> None:
    """Anywhere in a document."""
    assert fill({"one": "${role}", "text": "x${role}"}, {"role": ["b"]}) == {"one": "b", "text": "xb"}


@pytest.mark.parametrize("document", ["${role}", {"one": "x${role}"}], ids=["alone", "within"])
def test_several_values_have_no_place_outside_of_a_list(document: Any) -> None:
    """They are refused rather than joined."""
    with pytest.raises(SettingsError, match="one value"):
        fill(document, {"role": ["b", "c"]})


@pytest.mark.parametrize("nobody", [(), "", []], ids=["none", "empty", "empty list"])
def test_a_name_that_may_stand_for_nobody_is_left_out(nobody: Any) -> None:
    """Of a list alone, and only where it may: a missing presigner is a mistake."""
    assert fill(["${reconciler}", "${tagger}"], {"reconciler": "a", "tagger": nobody}) == ["a"]
    assert fill(["${reconciler}", "${tagger}"], {"reconciler": "a"}) == ["a"]
    with pytest.raises(SettingsError, match="'presigner'"):
        fill(["${presigner}"], {"presigner": nobody})


def test_placeholders_are_found_wherever_they_are() -> None:
    """In texts, lists and objects; a key is never one."""
    assert placeholders({"${key}": ["x${one}y${two}", {"three": "${three}"}, 4, None]}) == {"one", "two", "three"}
    assert placeholders([]) == placeholders({}) == frozenset()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], {}),
        (["", "eventbridge"], {}),
        (["arn:aws-cn:iam::123456789012:role/web", ""], {"partition": "aws-cn"}),
        (["arn:aws:sns:eu-west-1:123456789012:events"], {"partition": "aws"}),
        (
            ["arn:aws:iam::999999999999:role/web", "arn:aws:sqs:eu-west-1:123456789012:events"],
            {"partition": "aws", "queue": "arn:aws:sqs:eu-west-1:123456789012:events", "account": "123456789012"},
        ),
    ],
    ids=["none", "no ARN", "a role", "a topic", "a queue"],
)
def test_arns_tell_more_than_they_name(names: list[str], told: dict[str, str]) -> None:
    """The partition of everything, and the account that the queue is in."""
    assert told_by_arns(names) == told


# Choosing values

CORS = {"AllowedOrigins": ["${origin}"]}
POLICY = {"Statement": [{"Resource": "arn:${partition}:s3:::${bucket}/${prefix}*", "Roles": ["${presigner}", "${completer}"]}]}
KNOWN = {"bucket": "photos", "prefix": PREFIX}
ROLE = "arn:aws:iam::123456789012:role/web"
GIVEN = {"presigner": [ROLE], "completer": [ROLE]}


def test_settings_defaults_and_what_is_given_make_the_values() -> None:
    """What is given goes before a default."""
    assert choose("p", POLICY, known=KNOWN, given=GIVEN) == {"partition": "aws", "shared": (), **KNOWN, **GIVEN}
    assert choose("p", POLICY, known=KNOWN, given={**GIVEN, "partition": ["aws-cn"]})["partition"] == ["aws-cn"]


def test_what_must_be_given_is_what_nobody_else_knows() -> None:
    """Sorted."""
    assert to_be_given(POLICY) == ["completer", "presigner"]


def test_a_setting_that_is_set_need_not_be_given() -> None:
    """One that is empty does; what is given goes before it."""
    known: dict[str, Any] = {**KNOWN, "presigner": (ROLE,), "completer": ()}
    with pytest.raises(SettingsError, match=r"'p' needs a value for completer$"):
        choose("p", POLICY, known=known, given={})
    other = f"{ROLE}2"
    values = choose("p", POLICY, known=known, given={"completer": [ROLE], "presigner": [other]})
    assert (values["presigner"], values["completer"]) == ([other], [ROLE])


def test_everything_that_is_missing_is_named_at_once() -> None:
    """And the hint shows how to give it."""
    with pytest.raises(SettingsError, match="'p' needs a value for completer, presigner") as caught:
        choose("p", POLICY, known=KNOWN, given={})
    assert caught.value.hint.count("--set ") == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"orign": ["x"]}, "no placeholder 'orign'"),
        ({**GIVEN, "origin": ["https://example.org"]}, "no placeholder 'origin'"),
        ({**GIVEN, "bucket": ["mine"]}, "'bucket' comes from the settings"),
        ({**GIVEN, "partition": ["aws", "aws-cn"]}, "'partition' takes one value, not 2"),
    ],
    ids=["misspelt", "another document's", "a setting", "twice"],
)
def test_what_is_not_wanted_is_refused(given: Any, said: str) -> None:
    """A value that would go nowhere is a mistake."""
    with pytest.raises(SettingsError, match=said):
        choose("p", POLICY, known=KNOWN, given=given)


GOOD_ORIGINS = (
    "https://www.example.com",
    "http://localhost:8000",
    "https://*.example.com",
    "http://[::1]:3000",
    "https://xn--bcher-kva.example",
)
BAD_ORIGINS = (
    "www.example.com",
    "https://www.example.com/",
    "https://www.example.com/form",
    "https://Example.com",
    "https://",
    "*",
    "null",
    "ftp://example.com",
    "https://user@example.com",
    "https://a.example https://b.example",
    "${origin}",
    "",
)
GOOD_ROLES = (
    ROLE,
    "arn:aws-us-gov:iam::123456789012:role/service/path/web.app+x=y,z@w-v_u",
    "arn:aws:iam::123456789012:user/deploy",
    "arn:aws:iam:::user/other",
    "arn:aws:iam::tenant:user/other",
)
BAD_ROLES = (
    "web",
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::12345678901:role/web",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:assumed-role/web/session",
    "arn:aws:s3:::photos",
    "${presigner}",
    "*",
    "",
)


@pytest.mark.parametrize("origin", GOOD_ORIGINS)
def test_an_origin_is_what_a_browser_sends(origin: str) -> None:
    """A scheme, a host, perhaps a port; a star for one part of the host is S3's own."""
    assert choose("cors", CORS, known={}, given={"origin": [origin]})["origin"] == [origin]


@pytest.mark.parametrize("origin", BAD_ORIGINS)
def test_anything_else_is_no_origin(origin: str) -> None:
    """It would never match, or match every site; one bad one among several is enough."""
    with pytest.raises(SettingsError, match="no origin"):
        choose("cors", CORS, known={}, given={"origin": [GOOD_ORIGINS[0], origin]})


@pytest.mark.parametrize("role", GOOD_ROLES)
def test_a_role_is_named_by_its_arn(role: str) -> None:
    """A user's is as good; Ceph's have no account."""
    assert choose("p", POLICY, known=KNOWN, given={**GIVEN, "completer": [role]})["completer"] == [role]


@pytest.mark.parametrize("role", BAD_ROLES)
def test_what_names_no_role_is_refused(role: str) -> None:
    """It would shut the right one out, or let everybody in."""
    with pytest.raises(SettingsError, match="no ARN of a role or user"):
        choose("p", POLICY, known=KNOWN, given={**GIVEN, "completer": [role]})


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"bucket": "*"}, "bucket"),
        ({"bucket": "${bucket}"}, "bucket"),
        ({"prefix": "up*/"}, "prefix"),
        ({"prefix": "$x/"}, "prefix"),
    ],
)
def test_a_policy_takes_no_pattern_for_a_name(known: Any, name: str) -> None:
    """In an ARN a star stands for anything, and a dollar begins a variable."""
    with pytest.raises(SettingsError, match=f"{name} is "):
        choose("p", POLICY, known={**KNOWN, **known}, given=GIVEN)


def test_a_prefix_with_a_star_is_fine_where_it_is_no_pattern() -> None:
    """Such as in a lifecycle rule."""
    document = {"Rules": [{"Filter": {"Prefix": "${prefix}"}}]}
    assert choose("lifecycle", document, known={"prefix": "up*/"}, given={})["prefix"] == "up*/"


# Names


def test_the_pending_rule_is_one_of_ours() -> None:
    """As S3 names it in x-amz-expiration."""
    assert pending_rule_id(PREFIX) == "reconciler:uploads/:pending"
    assert pending_rule_id(PREFIX).startswith(rule_prefix(PREFIX))


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
