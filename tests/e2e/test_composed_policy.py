"""The bucket policy that is composed for Ceph: what it lets pass, what it refuses, and what it costs.

`backend` owns the bucket, `other` may do everything by an Allow: whatever is refused is refused by a Deny.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yard_support
from botocore.exceptions import ClientError
from doctor_support import doctor_for
from support import HTTP, JPEG, PREFIX, Stage, s3_stage, sqlite_table
from yard_support import BACKEND, OTHER, Yard

from reconciler.adapters.memory import MemoryFindings
from reconciler.adapters.s3 import S3Signer
from reconciler.core.keys import marker_key
from reconciler.core.model import Status, Tag
from reconciler.doctor import learn
from reconciler.testing import TravellingObjects

pytestmark = pytest.mark.server
_found, yard = yard_support._found, yard_support.yard

KEY = f"{PREFIX}2026/11/22/a.jpg"


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
