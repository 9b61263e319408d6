"""The policy dialects on servers: what doctor finds of each statement, and what the composed policy refuses and lets pass.

On Ceph `backend` owns the bucket and `other` may do everything by an Allow, so that whatever is refused is refused by a Deny.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cli_support import shared_client
from conftest import new_bucket
from doctor_support import doctor_for
from support import HTTP, JPEG, PREFIX, Stage, s3_stage, sqlite_table

from reconciler.adapters import documents
from reconciler.adapters.memory import MemoryFindings
from reconciler.adapters.s3 import S3Findings, S3Objects, S3Raw, S3Signer
from reconciler.core.dialects import AWS, PORTABLE, Effect, Findings, by_purpose, compose
from reconciler.core.documents import DEFAULTS, fill
from reconciler.core.keys import marker_key, store_key
from reconciler.core.model import Status, Tag
from reconciler.demo.servers import Server
from reconciler.doctor import known, learn
from reconciler.errors import StoreError
from reconciler.testing import TravellingObjects

pytestmark = pytest.mark.server

BACKEND, OTHER = "arn:aws:iam:::user/backend", "arn:aws:iam:::user/other"  # as Ceph names its users
KEY = f"{PREFIX}2026/11/22/a.jpg"
WORKING: dict[str, dict[str, set[str]]] = {
    "ceph": {
        AWS: {"TagsStay", "VersionsStay", "NotPublic"},
        PORTABLE: {"OnlyOurRolesUpload", "BornPending", "OnlyOursTag", "OnlyReconcilerDeletes"},
    },
    "seaweedfs": {AWS: {"NoPost", "TagsStay", "VersionsStay", "NotPublic"}, PORTABLE: set()},
    "moto": {AWS: set(), PORTABLE: set()},
}


def connect(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return shared_client()


@dataclass
class Yard:
    """A bucket on Ceph, its owner, and somebody else who may do everything."""

    owner: Any
    other: Any
    bucket: str
    found: Findings

    def put_policy(self, statements: Any) -> None:
        arn = f"arn:aws:s3:::{self.bucket}"
        allow = {"Effect": "Allow", "Principal": {"AWS": [OTHER]}, "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
        self.owner.put_bucket_policy(
            Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow, *statements]})
        )

    def compose(self, *, presigner: str, completer: str, reconciler: str) -> None:
        """Put the policy that is composed for this server, with these roles."""
        values = {
            "bucket": self.bucket,
            "prefix": PREFIX,
            "url_life_ms": "900000",
            "presigner": presigner,
            "completer": completer,
            "reconciler": reconciler,
            "tagger": completer,
            **DEFAULTS,
        }
        aws, portable = (fill(documents.load(name), values) for name in ("bucket-policy", "bucket-policy-portable"))
        self.put_policy(compose(aws, portable, self.found).statements)


@pytest.fixture(scope="module", name="found")
def _found(ceph: Server) -> Findings:
    """What Ceph makes of both dialects, tried once."""
    with pytest.MonkeyPatch.context() as patch:
        owner = connect(ceph, patch)
        found = learn(doctor_for(owner, new_bucket(owner)), MemoryFindings())
    assert found is not None
    return found


@pytest.fixture
def yard(ceph: Server, found: Findings, monkeypatch: pytest.MonkeyPatch) -> Yard:
    other = connect(replace(ceph, access_key="otherkey", secret_key="othersecret"), monkeypatch)
    owner = connect(ceph, monkeypatch)
    return Yard(owner, other, new_bucket(owner), found)


@pytest.fixture
def stage(yard: Yard, tmp_path: Path) -> Iterator[Stage]:
    """A deployment that `other` has bound, under the composed policy: `backend` presigns and completes."""
    yard.put_policy([])
    table = sqlite_table(tmp_path)
    bound = s3_stage(yard.other, yard.bucket, table)
    yard.compose(presigner=BACKEND, completer=BACKEND, reconciler=OTHER)
    yield as_backend(bound, yard)
    table.engine.dispose()


def as_backend(stage: Stage, yard: Yard) -> Stage:
    stage.objects, stage.signer = TravellingObjects(yard.owner, yard.bucket, stage.clock), S3Signer(yard.owner, yard.bucket)
    return stage


def as_reconciler(stage: Stage, yard: Yard) -> Stage:
    stage.objects = TravellingObjects(yard.other, yard.bucket, stage.clock)
    return stage


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


# What the composed policy lets pass


def test_an_upload_lives_its_life_under_the_composed_policy(yard: Yard, stage: Stage) -> None:
    """Presigned, uploaded and completed by the backend; swept, adopted and planned by the reconciler."""
    kept, abandoned, disputed = stage.completed(), stage.upload(), stage.upload()
    yard.owner.put_object_tagging(Bucket=yard.bucket, Key=disputed, Tagging={"TagSet": [{"Key": "status", "Value": "completed"}]})
    as_reconciler(stage, yard).advance(hours=25)
    assert [outcome.action.key for outcome in stage.sweep().deleted] == [abandoned]
    stage.operator.adopt(disputed)
    assert [stage.row(key).status for key in (kept, abandoned, disputed)] == [
        Status.COMPLETED,
        Status.DELETED,
        Status.COMPLETED,
    ]
    assert stage.keys() == {kept, disputed}
    assert stage.tag(disputed) is Tag.COMPLETED


def test_the_reconciler_deletes_one_by_one_as_well(yard: Yard, stage: Stage) -> None:
    """A single DeleteObject is let pass like one in bulk."""
    key = stage.upload()
    yard.other.delete_object(Bucket=yard.bucket, Key=key)
    assert as_reconciler(stage, yard).keys() == set()


def test_the_reconciler_may_replace_its_marker(yard: Yard, stage: Stage) -> None:
    """And nobody else may."""
    marker = {"Bucket": yard.bucket, "Key": marker_key(PREFIX), "Body": b"{}", "Tagging": "status=system"}
    yard.other.put_object(**marker)
    with pytest.raises(ClientError, match="AccessDenied"):
        yard.owner.put_object(**marker)


# What it refuses


def _presigned(s3: Any, bucket: str, **signed: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": f"{PREFIX}2026/11/22/new", **signed})
    answer = HTTP.request("PUT", url, body=b"x", headers={"x-amz-tagging": signed["Tagging"]} if signed else {})
    if answer.status != 200:
        raise ClientError({"Error": {"Code": "AccessDenied" if answer.status == 403 else str(answer.status)}}, "PutObject")


def _put(s3: Any, bucket: str, **given: str) -> None:
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}2026/11/22/new", Body=b"x", **given)


def _tag(s3: Any, bucket: str, tag: str) -> None:
    s3.put_object_tagging(Bucket=bucket, Key=KEY, Tagging={"TagSet": [{"Key": "status", "Value": tag}]})


def _bulk(s3: Any, bucket: str) -> None:
    for error in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": KEY}]}).get("Errors", []):
        raise ClientError({"Error": error}, "DeleteObjects")


Verb = Callable[[Any, str], Any]
UPLOADS: dict[str, Verb] = {
    "a presigned PUT without a tag": _presigned,
    "a presigned PUT as completed": lambda s3, bucket: _presigned(s3, bucket, Tagging="status=completed"),
    "a PUT without a tag": _put,
    "a PUT as completed": lambda s3, bucket: _put(s3, bucket, Tagging="status=completed"),
    "a PUT as system": lambda s3, bucket: _put(s3, bucket, Tagging="status=system"),
    "a PUT with another tag": lambda s3, bucket: _put(s3, bucket, Tagging="plan=free"),
}
TAGGINGS: dict[str, Verb] = {
    "tagging as completed": lambda s3, bucket: _tag(s3, bucket, "completed"),
    "tagging as pending": lambda s3, bucket: _tag(s3, bucket, "pending"),
    "taking the tags away": lambda s3, bucket: s3.delete_object_tagging(Bucket=bucket, Key=KEY),
}
DELETIONS: dict[str, Verb] = {
    "a deletion": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=KEY),
    "a deletion in bulk": _bulk,
}


def _refused(verb: Verb, s3: Any, bucket: str) -> bool:
    try:
        verb(s3, bucket)
    except ClientError as error:
        return error.response["Error"]["Code"] == "AccessDenied"
    return False


@pytest.fixture
def guarded(yard: Yard) -> Yard:
    """`backend` presigns, `other` completes and reconciles; one object lies there."""
    yard.owner.put_object(Bucket=yard.bucket, Key=KEY, Body=JPEG, Tagging="status=pending")
    yard.compose(presigner=BACKEND, completer=OTHER, reconciler=OTHER)
    return yard


def test_what_is_not_tagged_pending_is_not_uploaded(guarded: Yard) -> None:
    """Neither by the presigner, who owns the bucket, nor by the reconciler."""
    for client in (guarded.owner, guarded.other):
        assert [name for name, verb in UPLOADS.items() if not _refused(verb, client, guarded.bucket)] == []


def test_nobody_but_completer_and_reconciler_tags(guarded: Yard) -> None:
    """Not even the owner of bucket and object; the tags are taken away by nobody."""
    assert [name for name, verb in TAGGINGS.items() if not _refused(verb, guarded.owner, guarded.bucket)] == []
    refused = [name for name, verb in TAGGINGS.items() if _refused(verb, guarded.other, guarded.bucket)]
    assert refused == ["taking the tags away"]


def test_nobody_but_the_reconciler_deletes(guarded: Yard) -> None:
    """Neither one by one nor in bulk."""
    assert [name for name, verb in DELETIONS.items() if not _refused(verb, guarded.owner, guarded.bucket)] == []
    assert [name for name, verb in DELETIONS.items() if _refused(verb, guarded.other, guarded.bucket)] == []


def test_who_has_none_of_the_roles_uploads_nothing(yard: Yard) -> None:
    """However well it is tagged."""
    yard.compose(presigner=BACKEND, completer=BACKEND, reconciler=BACKEND)
    assert _refused(lambda s3, bucket: _put(s3, bucket, Tagging="status=pending"), yard.other, yard.bucket)
    assert not _refused(lambda s3, bucket: _put(s3, bucket, Tagging="status=pending"), yard.owner, yard.bucket)


def test_what_lies_elsewhere_is_left_alone(guarded: Yard) -> None:
    """Another prefix is put, tagged and deleted as before."""
    where = {"Bucket": guarded.bucket, "Key": "theirs/a.jpg"}
    guarded.owner.put_object(**where, Body=b"x")
    guarded.owner.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "status", "Value": "mine"}]})
    guarded.owner.delete_object(**where)


COSTS: dict[str, Verb] = {
    "a multipart upload": lambda s3, bucket: s3.create_multipart_upload(Bucket=bucket, Key=KEY, Tagging="status=pending"),
    "a copy": lambda s3, bucket: s3.copy_object(
        Bucket=bucket, Key=f"{PREFIX}2026/copy", CopySource={"Bucket": bucket, "Key": KEY}, Tagging="status=pending"
    ),
}


@pytest.mark.parametrize("verb", COSTS.values(), ids=COSTS)
def test_what_it_costs_on_ceph(guarded: Yard, verb: Verb) -> None:
    """Multipart uploads and copies are refused although they are tagged pending, as policies/README.md says."""
    assert _refused(verb, guarded.owner, guarded.bucket)


def test_what_was_composed_can_be_tried_again_by_the_reconciler(guarded: Yard) -> None:
    """Under the policy itself some purposes cannot be tried any more; those stay as they were kept."""
    guarded.put_policy([])
    before = learn(doctor_for(guarded.other, guarded.bucket), MemoryFindings())
    assert before is not None
    guarded.compose(presigner=BACKEND, completer=BACKEND, reconciler=OTHER)
    assert learn(doctor_for(guarded.other, guarded.bucket), MemoryFindings(before)) == before
