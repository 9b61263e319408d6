"""The policy dialects on servers: what doctor finds of each statement, that it puts the policy back, where it keeps findings."""

import json
from typing import Any

import pytest
import yard_support
from conftest import new_bucket
from doctor_support import doctor_for
from support import PREFIX
from yard_support import Yard, connect

from reconciler.adapters import documents
from reconciler.adapters.memory import MemoryFindings
from reconciler.adapters.s3 import S3Findings, S3Objects, S3Raw
from reconciler.core.dialects import AWS, PORTABLE, Effect, Findings, by_purpose
from reconciler.core.keys import store_key
from reconciler.doctor import known, learn
from reconciler.errors import StoreError

pytestmark = pytest.mark.server
_found, yard = yard_support._found, yard_support.yard

WORKING: dict[str, dict[str, set[str]]] = {
    "ceph": {
        AWS: {"TagsStay", "VersionsStay", "NotPublic"},
        PORTABLE: {"OnlyOurRolesUpload", "BornPending", "MarkerIsOurs", "OnlyOursTag", "OnlyReconcilerDeletes"},
    },
    "seaweedfs": {AWS: {"NoPost", "TagsStay", "VersionsStay", "NotPublic"}, PORTABLE: set()},
    "moto": {AWS: set(), PORTABLE: set()},
}


# What is found


@pytest.mark.parametrize("server", WORKING)
def test_what_works_on_a_server_is_found(server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every purpose of both dialects is tried, and those that work there are told from those that do not."""
    client = connect(request.getfixturevalue(server), monkeypatch)
    patient = doctor_for(client, new_bucket(client))
    found = patient.policy()
    assert patient.tidy() == []
    for dialect, name in ((AWS, "bucket-policy"), (PORTABLE, "bucket-policy-portable")):
        assert set(found.seen[dialect]) == set(by_purpose(documents.load(name)))
        assert Effect.UNTRIED not in {seen.effect for seen in found.seen[dialect].values()}
        assert {purpose for purpose, seen in found.seen[dialect].items() if seen.effect is Effect.WORKS} == WORKING[server][
            dialect
        ]


THEIRS = {
    "Version": "2012-10-17",
    "Id": "theirs",
    "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{}/public/*"},
    ],
}


@pytest.mark.parametrize("server", WORKING)
@pytest.mark.parametrize("theirs", [THEIRS, None], ids=["a policy", "none"])
def test_the_policy_is_what_it_was(
    server: str, theirs: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte as the store gave it before."""
    client = connect(request.getfixturevalue(server), monkeypatch)
    bucket = new_bucket(client)
    if theirs:
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(theirs).replace("{}/public", f"{bucket}/public"))
    store = S3Raw(client, bucket)
    before = store.ask("get_bucket_policy")
    patient = doctor_for(client, bucket)
    assert patient.policy().of(AWS, "TagsStay").effect is not Effect.UNTRIED
    assert patient.tidy() == []
    assert (store.ask("get_bucket_policy").code, store.ask("get_bucket_policy").content) == (before.code, before.content)


def test_who_may_not_read_the_policy_puts_none(yard: Yard) -> None:
    """One clear line, and nothing was put."""
    patient = doctor_for(yard.other, yard.bucket)
    with pytest.raises(StoreError, match="reading the bucket policy"):
        learn(patient, MemoryFindings())
    assert S3Raw(yard.owner, yard.bucket).ask("get_bucket_policy").code == "NoSuchBucketPolicy"


def test_findings_are_kept_in_the_bucket(yard: Yard) -> None:
    """Beside the marker, tagged like it; until somebody has tried, nothing is known."""
    kept, store = S3Findings(yard.owner, yard.bucket, PREFIX), S3Raw(yard.owner, yard.bucket)
    assert (kept.read(), known(store, kept)) == (None, Findings())
    found = learn(doctor_for(yard.owner, yard.bucket), kept)
    assert known(store, kept) == kept.read() == found
    assert S3Objects(yard.owner, yard.bucket).tags(store_key(PREFIX)) == {"status": "system"}


def test_findings_that_are_none_are_refused(yard: Yard) -> None:
    """In one line that says what to do."""
    yard.owner.put_object(Bucket=yard.bucket, Key=store_key(PREFIX), Body=b"{")
    with pytest.raises(StoreError) as caught:
        S3Findings(yard.owner, yard.bucket, PREFIX).read()
    assert "doctor --policy" in caught.value.hint
