"""The portable wording of the bucket policy: of the same shape, for purposes there are, and explained."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters import documents
from reconciler.core.dialects import AWS, PORTABLE, Effect, Findings, Seen, by_purpose, compose
from reconciler.core.documents import DEFAULTS, ROLES, fill
from reconciler.probes.scenes import CASES

PORTABLE_DOCUMENT = documents.load("bucket-policy-portable")
README = (Path(documents.folder()) / "README.md").read_text()
SECTION = README.split("## The portable dialect", 1)[1].split("\n## ", 1)[0]
KNOWN_TO_CEPH = {"s3:RequestObjectTag/status"}

# What was found by trying on the servers; tests/e2e/test_dialects.py finds it anew.
ON_CEPH = ["OnlyOurRolesUpload", "BornPending", "OnlyOursTag", "TagsStay", "OnlyReconcilerDeletes", "VersionsStay", "NotPublic"]


def statements() -> list[Any]:
    roles = {role: f"arn:aws:iam:::user/{role}" for role in ROLES}
    filled = fill(PORTABLE_DOCUMENT, {"bucket": "photos", "prefix": "uploads/", **DEFAULTS, **roles})
    found: list[Any] = filled["Statement"]
    return found


def test_it_denies_under_the_prefix_alone() -> None:
    """To everybody, or to everybody but some."""
    assert {each["Effect"] for each in statements()} == {"Deny"}
    assert all(each["Resource"].startswith("arn:aws:s3:::photos/uploads/") for each in statements())
    assert all(("Principal" in each) != ("NotPrincipal" in each) for each in statements())


def test_it_serves_purposes_of_the_policy_of_aws() -> None:
    """None of its own."""
    assert set(by_purpose(PORTABLE_DOCUMENT)) <= set(by_purpose(documents.load("bucket-policy")))


def test_it_uses_what_ceph_knows() -> None:
    """One key, and one value each: with several a negation denies everything there."""
    keys = [(key, value) for each in statements() for keys in each.get("Condition", {}).values() for key, value in keys.items()]
    assert {key for key, _ in keys} == KNOWN_TO_CEPH
    assert all(isinstance(value, str) for _, value in keys)


def test_sids_are_unlike_each_other() -> None:
    """So that a store takes the document."""
    sids = [each["Sid"] for each in statements()]
    assert len(set(sids)) == len(sids)


def test_every_statement_and_action_is_explained() -> None:
    """In the section on the dialect."""
    words = {
        word
        for each in statements()
        for word in (each["Sid"], *([each["Action"]], each["Action"])[isinstance(each["Action"], list)])
    }
    assert [word for word in words if f"`{word}`" not in SECTION] == []


@pytest.mark.parametrize("name", ["bucket-policy", "bucket-policy-portable"])
def test_every_purpose_can_be_tried_out(name: str) -> None:
    """Each has its scenes; without them it would be left out for ever."""
    assert set(by_purpose(documents.load(name))) <= set(CASES)


def test_what_is_composed_for_ceph_has_a_statement_for_each_purpose_that_works() -> None:
    """In the order of AWS's document, and fits what a bucket policy may hold."""
    aws_words = {"TagsStay", "VersionsStay", "NotPublic"}
    works = Seen(Effect.WORKS)
    findings = Findings(
        {AWS: dict.fromkeys(aws_words, works), PORTABLE: dict.fromkeys(set(ON_CEPH) - aws_words, works)},
    )
    composed = compose(documents.load("bucket-policy"), PORTABLE_DOCUMENT, findings)
    assert list(by_purpose({"Statement": composed.statements})) == ON_CEPH
    assert set(composed.left_out) == set(by_purpose(documents.load("bucket-policy"))) - set(ON_CEPH)
    assert len(json.dumps(composed.statements)) < 20 * 1024  # a bucket policy's limit on AWS
