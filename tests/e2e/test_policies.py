"""The policy documents on servers that evaluate them: each is taken, reads back, and does what it says and no more.

Ceph has two users. `backend` owns every bucket; `other` may do nothing, until a document's statements are put with him as their
principal. So the identity documents are tried with the real use cases, and all that they do not name is refused.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from ceph_policies import for_ceph, without_ownership
from cli_support import shared_client
from support import HTTP, JPEG, OWNER, PREFIX, Stage, s3_stage, send, sqlite_table

from reconciler.adapters import documents
from reconciler.adapters.memory.configuration import BLOCKED
from reconciler.adapters.s3 import S3Bucket, S3Signer
from reconciler.core.documents import DEFAULTS, fill, rule_prefix, same_meaning
from reconciler.core.keys import marker_key
from reconciler.core.model import Status, Tag
from reconciler.core.parts import PartName
from reconciler.core.timing import Timing
from reconciler.core.wanted import Wanted
from reconciler.demo.servers import Server
from reconciler.errors import AccessDeniedError, NotUploadedError
from reconciler.installer import Installer
from reconciler.reading import find
from reconciler.testing import TravellingObjects

pytestmark = pytest.mark.server

ORIGIN = "https://www.example.com"
OTHER_ARN = "arn:aws:iam:::user/other"  # as Ceph names its users
OWNER_ARN = "arn:aws:iam:::user/backend"
ROLES = ("iam-presigner", "iam-completer", "iam-reconciler", "iam-reader", "iam-installer", "iam-tagger")
TOPIC = "arn:aws:sns:default::events"
FOR_OTHERS = [name for name in PartName if name is not PartName.NOTIFICATIONS]

# What Ceph 16.2 gets wrong: a strict expected failure each, so that a server which mends it is noticed.
NEVER_APPLIES = {
    "TlsOnly": "sets no aws:SecureTransport over plain HTTP",
    "SigV4Only": "knows no s3:signatureversion",
    "OnlyOurRolesUpload": "knows no aws:PrincipalArn",
    "PresignedOnly": "knows no s3:authType",
    "BornPending": "knows no s3:authType",
    "NoOtherTag": "knows no aws:PrincipalArn",
    "MarkerIsOurs": "knows no aws:PrincipalArn",
    "NoOverwrite": "knows no s3:ObjectCreationOperation",
    "NoPost": "knows no s3:authType",
    "ShortUrls": "knows no s3:signatureAge",
    "OnlyOursTag": "knows no aws:PrincipalArn",
    "OnlyPresignerBegins": "knows no aws:PrincipalArn",
    "CompleteFromPending": "knows no aws:PrincipalArn",
    "SettleFromCompleting": "knows no aws:PrincipalArn",
    "OnlyReconcilerJudges": "knows no aws:PrincipalArn",
    "NoWayBack": "sets no s3:RequestObjectTag where tags are put",
    "OnlyReconcilerDeletes": "knows no aws:PrincipalArn",
}


def _faulty(reason: str, raises: type[Exception] = AssertionError) -> pytest.MarkDecorator:
    return pytest.mark.xfail(reason=f"Ceph {reason}", raises=raises, strict=True)


@dataclass
class Shop:
    """A bucket, its owner, and somebody else who may do what the documents say that are put for him."""

    endpoint: str
    owner: Any
    other: Any
    bucket: str

    def values(self, **given: Any) -> dict[str, Any]:
        """Return what the placeholders stand for."""
        return {
            "bucket": self.bucket,
            "prefix": PREFIX,
            "rule": rule_prefix(PREFIX),
            "lifecycle_days": 7,
            "noncurrent_days": 30,
            "url_life_ms": "900000",
            "origin": ORIGIN,
            "presigner": OTHER_ARN,
            "completer": OTHER_ARN,
            "reconciler": OTHER_ARN,
            "tagger": OTHER_ARN,
            "notify": TOPIC,
            **DEFAULTS,
            **given,
        }

    def load(self, name: str, **given: Any) -> Any:
        """Return a document filled for this bucket."""
        return fill(documents.load(name), self.values(**given))

    def grant(self, *names: str, change: Callable[[Any], Any] = lambda document: document) -> None:
        """Let the other one do what these identity documents say."""
        statements = [statement for name in names for statement in change(self.load(name))["Statement"]]
        granted = [{**each, "Sid": f"S{number}", "Principal": {"AWS": OTHER_ARN}} for number, each in enumerate(statements)]
        self.put_policy({"Version": "2012-10-17", "Statement": granted})

    def put_policy(self, document: Any) -> None:
        self.owner.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(document))

    def put(self, key: str, tag: str | None = None) -> str:
        """Put an object as the owner."""
        tagging = {"Tagging": f"status={tag}"} if tag else {}
        self.owner.put_object(Bucket=self.bucket, Key=key, Body=JPEG, ContentType="image/jpeg", **tagging)
        return key

    def versioned(self) -> None:
        self.owner.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})


def _shop(server: Server, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for name, value in (server.environment() | {"AWS_ACCESS_KEY_ID": "otherkey", "AWS_SECRET_ACCESS_KEY": "othersecret"}).items():
        monkeypatch.setenv(name, value)
    other = shared_client()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    owner = shared_client()
    bucket = f"photos-{uuid.uuid4().hex[:12]}"
    owner.create_bucket(Bucket=bucket)
    return Shop(server.endpoint, owner, other, bucket)


@pytest.fixture
def shop(ceph: Server, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return _shop(ceph, monkeypatch)


@pytest.fixture(params=["ceph", "seaweedfs"])
def any_shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return _shop(request.getfixturevalue(request.param), monkeypatch)


@pytest.fixture
def stage(shop: Shop, tmp_path: Path) -> Iterator[Stage]:
    """A deployment bound by the owner, who signs as well: whoever put an object may do everything with it on Ceph.

    All other requests are the other one's, who may do nothing yet.
    """
    table = sqlite_table(tmp_path)
    bound = s3_stage(shop.owner, shop.bucket, table)
    bound.objects = TravellingObjects(shop.other, shop.bucket, bound.clock)
    yield bound
    table.engine.dispose()


# Taken, and read back


@pytest.mark.parametrize("name", ["lifecycle", "lifecycle-versioned"])
def test_lifecycle_rules_are_taken_and_read_back(any_shop: Shop, name: str) -> None:
    """The store gives the same rules back."""
    any_shop.versioned()
    wanted = any_shop.load(name)
    any_shop.owner.put_bucket_lifecycle_configuration(Bucket=any_shop.bucket, LifecycleConfiguration=wanted)
    found = {rule["ID"]: rule for rule in any_shop.owner.get_bucket_lifecycle_configuration(Bucket=any_shop.bucket)["Rules"]}
    assert found.keys() == {rule["ID"] for rule in wanted["Rules"]}
    assert all(same_meaning(rule, found[rule["ID"]]) for rule in wanted["Rules"])


def test_cors_is_taken_and_read_back(any_shop: Shop) -> None:
    """The store gives the same rules back."""
    wanted = any_shop.load("cors")
    any_shop.owner.put_bucket_cors(Bucket=any_shop.bucket, CORSConfiguration=wanted)
    assert any_shop.owner.get_bucket_cors(Bucket=any_shop.bucket)["CORSRules"] == wanted["CORSRules"]


def test_the_bucket_policy_is_taken_and_read_back(shop: Shop) -> None:
    """Word for word."""
    wanted = shop.load("bucket-policy")
    shop.put_policy(wanted)
    assert json.loads(shop.owner.get_bucket_policy(Bucket=shop.bucket)["Policy"]) == wanted


def test_a_store_that_does_not_know_the_operators_refuses_the_whole_policy(
    seaweedfs: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SeaweedFS knows no ArnNotEquals: it takes nothing, rather than a part that would lock everybody out."""
    there = _shop(seaweedfs, monkeypatch)
    with pytest.raises(ClientError, match="InvalidPolicyDocument"):
        there.put_policy(there.load("bucket-policy"))
    there.put("uploads/still-works")


@pytest.mark.parametrize("name", ROLES)
def test_every_identity_document_is_taken(shop: Shop, name: str) -> None:
    """As it is printed, for a principal; but for one action that Ceph does not know."""
    shop.grant(name, change=without_ownership)
    found = json.loads(shop.owner.get_bucket_policy(Bucket=shop.bucket)["Policy"])["Statement"]
    wanted = without_ownership(shop.load(name))["Statement"]
    assert [each["Action"] for each in found] == [each["Action"] for each in wanted]


@pytest.mark.parametrize("name", ["iam-reader", "iam-installer"])
@_faulty("knows no s3:GetBucketOwnershipControls", ClientError)
def test_an_identity_document_that_looks_is_taken_as_it_is(shop: Shop, name: str) -> None:
    """With the right to look at object ownership in it."""
    shop.grant(name)


# CORS does what it says


def _preflight(shop: Shop, *, origin: str = ORIGIN, method: str = "PUT", headers: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    shop.owner.put_bucket_cors(Bucket=shop.bucket, CORSConfiguration=shop.load("cors"))
    return HTTP.request("OPTIONS", f"{shop.endpoint}/{shop.bucket}/{PREFIX}x.jpg", headers=asked)


def test_a_browser_may_send_what_a_ticket_says(any_shop: Shop, tmp_path: Path) -> None:
    """The preflight from the site is answered with its origin, for every header of a ticket."""
    table = sqlite_table(tmp_path)
    ticket = s3_stage(any_shop.owner, any_shop.bucket, table).presign()
    table.engine.dispose()
    answer = _preflight(any_shop, headers=",".join(sorted(name.lower() for name in ticket.headers)))
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert ticket.method in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://www.example.com", "https://www.example.com.evil.example"])
def test_another_site_may_not(any_shop: Shop, origin: str) -> None:
    """The preflight is refused, and no origin is named."""
    answer = _preflight(any_shop, origin=origin, headers="content-type")
    assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (403, None)


@pytest.mark.parametrize(("method", "header"), [("DELETE", "content-type"), ("PUT", "x-amz-acl")], ids=["method", "header"])
def test_a_browser_may_send_nothing_else(any_shop: Shop, method: str, header: str) -> None:
    """Another method, or a header that no ticket has, is not allowed by the answer."""
    answer = _preflight(any_shop, method=method, headers=header)
    assert method not in answer.headers.get("Access-Control-Allow-Methods", "") or header not in answer.headers.get(
        "Access-Control-Allow-Headers", ""
    )


# The identity documents are enough


def test_the_reconciler_document_binds(shop: Shop, tmp_path: Path) -> None:
    """Init writes the marker, tagged `system`, and learns that what is absent is absent."""
    shop.grant("iam-reconciler")
    table = sqlite_table(tmp_path)
    bound = s3_stage(shop.other, shop.bucket, table)
    assert bound.objects.marker(marker_key(PREFIX))[0] == bound.table.binding()
    assert bound.tag(marker_key(PREFIX)) is Tag.SYSTEM
    table.engine.dispose()


def test_the_presigner_document_uploads(shop: Shop, stage: Stage) -> None:
    """A ticket signed by a presigner is stored, tagged pending; a second one is refused with 412."""
    shop.grant("iam-presigner")
    stage.signer = S3Signer(shop.other, shop.bucket)
    ticket = stage.presign()
    assert [send(ticket, JPEG), send(ticket, JPEG)] == [200, 412]
    assert stage.tag(ticket.key) is Tag.PENDING


@pytest.mark.parametrize("key", [marker_key(PREFIX), f"{PREFIX}avatars/.reconciler/instance.json"])
def test_the_presigner_document_marks_nothing(shop: Shop, key: str) -> None:
    """A stolen presigner cannot make the prefix, or a part of it, another deployment's: not even tagged as it may tag."""
    shop.grant("iam-presigner")
    put = {"Bucket": shop.bucket, "Body": b"{}", "Tagging": "status=pending"}
    with pytest.raises(ClientError, match="AccessDenied"):
        shop.other.put_object(Key=key, **put)
    shop.other.put_object(Key=OURS, **put)


@_faulty("sets no s3:RequestObjectTag for a form")
def test_the_presigner_document_uploads_by_form(shop: Shop, stage: Stage) -> None:
    """A form, too."""
    shop.grant("iam-presigner")
    stage.signer = S3Signer(shop.other, shop.bucket)
    form = stage.uploads.presign_post(filename="me.jpg", content_type="image/jpeg", max_size=10_000, owner=OWNER)
    assert HTTP.request("POST", form.url, fields={**form.fields, "file": ("me.jpg", JPEG, "image/jpeg")}).status == 204


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_the_completer_document_completes(shop: Shop, stage: Stage, *, versioned: bool) -> None:
    """From the first look to the settled tag; on a versioned bucket, too."""
    if versioned:
        shop.versioned()
    key = stage.upload()
    shop.grant("iam-completer", change=for_ceph)
    stage.uploads.complete(key, owner=OWNER)
    assert (stage.row(key).status, stage.tag(key)) == (Status.COMPLETED, Tag.COMPLETED)


def test_the_completer_document_tells_what_was_never_uploaded(shop: Shop, stage: Stage) -> None:
    """404 and not 403: the user hears that the upload has not finished."""
    shop.grant("iam-completer")
    ticket = stage.presign()
    with pytest.raises(NotUploadedError):
        stage.uploads.complete(ticket.key, owner=OWNER)


@_faulty("sets no s3:RequestObjectTag where tags are put", AccessDeniedError)
def test_the_completer_document_completes_as_it_is(shop: Shop, stage: Stage) -> None:
    """With every condition in it."""
    key = stage.upload()
    shop.grant("iam-completer")
    stage.uploads.complete(key, owner=OWNER)


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_the_reconciler_document_sweeps(shop: Shop, stage: Stage, *, versioned: bool) -> None:
    """The abandoned upload is voted on and deleted; the completed one is confirmed and stays."""
    if versioned:
        shop.versioned()
    kept, abandoned = stage.upload(), stage.upload()
    shop.grant("iam-completer", change=for_ceph)
    stage.uploads.complete(kept, owner=OWNER)
    shop.grant("iam-reconciler", change=for_ceph)
    stage.advance(hours=25)
    assert {outcome.action.key for outcome in stage.sweep().deleted} == {abandoned}
    assert stage.keys() == {kept}
    assert stage.row(kept).confirmed_at is not None


def test_the_reconciler_document_plans_applies_and_mends(shop: Shop, stage: Stage) -> None:
    """A lost tag is put again, an untracked object quarantined, and a changed one marked."""
    shop.grant("iam-completer", change=for_ceph)
    changed, lost = stage.completed(), stage.completed()
    shop.put(lost, "pending")
    shop.put(f"{PREFIX}2026/11/20/untracked.jpg")
    shop.owner.put_object(Bucket=shop.bucket, Key=changed, Body=b"another")
    shop.grant("iam-reconciler", change=for_ceph)
    stage.advance(hours=25)
    stage.apply(stage.plan(tags=True, untracked="quarantine"))
    tags = {key: stage.tag(key) for key in stage.keys()}  # noqa: SIM118  a Stage is no mapping
    assert tags == {changed: Tag.CHANGED, lost: Tag.COMPLETED, f"{PREFIX}2026/11/20/untracked.jpg": Tag.QUARANTINED}


def test_the_reconciler_document_restores(shop: Shop, stage: Stage) -> None:
    """A deleted upload comes back on a versioned bucket, and is settled."""
    shop.versioned()
    key = stage.upload()
    shop.grant("iam-completer", "iam-reconciler", change=for_ceph)
    stage.uploads.complete(key, owner=OWNER)
    stage.operator.release(key)
    stage.advance(days=8)
    stage.sweep()
    stage.restore(key)
    assert (stage.row(key).status, stage.tag(key)) == (Status.COMPLETED, Tag.COMPLETED)
    assert stage.objects.peek(key, length=len(JPEG)).head == JPEG


@pytest.mark.parametrize("change", [for_ceph, lambda document: document], ids=["for Ceph", "as it is"])
def test_the_reconciler_document_uploads_nothing(shop: Shop, change: Callable[[Any], Any]) -> None:
    """Not even tagged as a copy is, and no copy from elsewhere."""
    shop.grant("iam-reconciler", change=change)
    source = shop.put("elsewhere/a.jpg")
    with pytest.raises(ClientError, match="AccessDenied"):
        shop.other.put_object(Bucket=shop.bucket, Key=f"{PREFIX}a.jpg", Body=JPEG, Tagging="status=completing")
    with pytest.raises(ClientError, match="AccessDenied"):
        shop.other.copy_object(
            Bucket=shop.bucket,
            Key=f"{PREFIX}a.jpg",
            CopySource={"Bucket": shop.bucket, "Key": source},
            Tagging="status=completing",
        )


@_faulty("asks for s3:DeleteObject on the bucket where objects are deleted in bulk")
def test_the_reconciler_document_deletes_as_it_is(shop: Shop, stage: Stage) -> None:
    """Without the bucket among the resources."""
    abandoned = stage.upload()
    shop.grant("iam-reconciler")
    stage.advance(hours=25)
    assert [outcome.action.key for outcome in stage.sweep().deleted] == [abandoned]


def test_what_ceph_needs_for_bulk_deletes_opens_nothing_else(shop: Shop) -> None:
    """Although the bucket is among the resources, a key outside of the prefix is not deleted."""
    shop.put("theirs.jpg")
    shop.grant("iam-reconciler", change=for_ceph)
    answer = shop.other.delete_objects(Bucket=shop.bucket, Delete={"Objects": [{"Key": "theirs.jpg"}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


def test_the_reader_document_looks(shop: Shop, stage: Stage) -> None:
    """Plan with every tag, one object, and the bucket's configuration."""
    key = stage.upload()
    shop.grant("iam-reader", change=for_ceph)
    stage.advance(hours=25)
    assert [action.key for action in stage.plan(tags=True).deletions] == [key]
    facts = find(stage.objects, key)
    assert facts is not None
    assert all(look.drifted for look in _installer(shop).check(FOR_OTHERS, verify=False).looks)


def test_the_installer_document_installs(shop: Shop) -> None:
    """Every part is put, read back, and as it should be; notifications are the owner's alone on Ceph."""
    shop.grant("iam-installer", change=for_ceph)
    installer = _installer(shop)
    for look in installer.look(FOR_OTHERS):
        installer.install(look)
    assert not any(look.drifted for look in installer.look(FOR_OTHERS))


@_faulty("lets nobody but the owner look at notifications", AccessDeniedError)
def test_the_installer_document_looks_at_notifications(shop: Shop) -> None:
    """As its `Check` says."""
    shop.grant("iam-installer", change=for_ceph)
    _installer(shop).look([PartName.NOTIFICATIONS])


def _installer(shop: Shop) -> Installer:
    return Installer(
        bucket=S3Bucket(shop.other, shop.bucket),
        name=shop.bucket,
        wanted=Wanted(documents={name: documents.load(name) for name in documents.names()}, values=shop.values(), prefix=PREFIX),
        timing=Timing(),
    )


# ... and no more


def _tag(s3: Any, bucket: str, key: str, value: str) -> None:
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "status", "Value": value}]})


def _read_cors(s3: Any, bucket: str) -> None:
    with suppress(s3.exceptions.from_code("NoSuchCORSConfiguration")):
        S3Bucket(s3, bucket).read(PartName.CORS)


def _rules(s3: Any, bucket: str) -> None:
    with suppress(s3.exceptions.from_code("NoSuchLifecycleConfiguration")):
        S3Bucket(s3, bucket).read(PartName.LIFECYCLE)


OURS, THEIRS = f"{PREFIX}2026/11/22/a.jpg", "theirs/a.jpg"
VERBS: dict[str, Callable[[Any, str], Any]] = {
    "list": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, Prefix=PREFIX),
    "list elsewhere": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, Prefix="theirs/"),
    "read": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=OURS),
    "read elsewhere": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=THEIRS),
    "read tags": lambda s3, bucket: s3.get_object_tagging(Bucket=bucket, Key=OURS),
    "upload pending": lambda s3, bucket: s3.put_object(Bucket=bucket, Key=f"{PREFIX}new", Body=b"x", Tagging="status=pending"),
    "upload untagged": lambda s3, bucket: s3.put_object(Bucket=bucket, Key=f"{PREFIX}new", Body=b"x"),
    "upload completed": lambda s3, bucket: s3.put_object(
        Bucket=bucket, Key=f"{PREFIX}new", Body=b"x", Tagging="status=completed"
    ),
    "upload elsewhere": lambda s3, bucket: s3.put_object(Bucket=bucket, Key="theirs/new", Body=b"x", Tagging="status=pending"),
    "upload the marker": lambda s3, bucket: s3.put_object(
        Bucket=bucket, Key=marker_key(PREFIX), Body=b"{}", Tagging="status=system"
    ),
    "upload an untagged marker": lambda s3, bucket: s3.put_object(Bucket=bucket, Key=marker_key(PREFIX), Body=b"{}"),
    "copy": lambda s3, bucket: s3.copy_object(
        Bucket=bucket, Key=f"{PREFIX}copy", CopySource={"Bucket": bucket, "Key": OURS}, Tagging="status=pending"
    ),
    "tag": lambda s3, bucket: _tag(s3, bucket, OURS, "completed"),
    "tag what is quarantined": lambda s3, bucket: _tag(s3, bucket, f"{PREFIX}quarantined.jpg", "completed"),
    "tag elsewhere": lambda s3, bucket: _tag(s3, bucket, THEIRS, "completed"),
    "untag": lambda s3, bucket: s3.delete_object_tagging(Bucket=bucket, Key=OURS),
    "make public": lambda s3, bucket: s3.put_object_acl(Bucket=bucket, Key=OURS, ACL="public-read"),
    "read rules": _rules,
    "put rules": lambda s3, bucket: s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}}]
        },
    ),
    "read the policy": lambda s3, bucket: s3.get_bucket_policy(Bucket=bucket),
    "read CORS": _read_cors,
    "read notifications": lambda s3, bucket: s3.get_bucket_notification_configuration(Bucket=bucket),
    "read versioning": lambda s3, bucket: s3.get_bucket_versioning(Bucket=bucket),
    "read public access": lambda s3, bucket: s3.get_public_access_block(Bucket=bucket),
    "put CORS": lambda s3, bucket: s3.put_bucket_cors(
        Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedOrigins": [ORIGIN], "AllowedMethods": ["GET"]}]}
    ),
    "put public access": lambda s3, bucket: s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCKED),
    "put versioning": lambda s3, bucket: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
    "delete the policy": lambda s3, bucket: s3.delete_bucket_policy(Bucket=bucket),
    "delete elsewhere": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=THEIRS),
    "delete": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=f"{PREFIX}quarantined.jpg"),
    "delete the bucket": lambda s3, bucket: s3.delete_bucket(Bucket=bucket),
}
LOOKING = {"read rules", "read CORS", "read versioning", "read public access", "read the policy"}
MAY: dict[str, set[str]] = {
    "iam-presigner": {"upload pending"},
    "iam-completer": {"list", "read", "read tags", "tag"},
    "iam-reconciler": {
        "list",
        "read",
        "read tags",
        "read versioning",
        "copy",
        "upload the marker",
        "tag",
        "tag what is quarantined",
        "delete",
    },
    "iam-reader": {"list", "read", "read tags", *LOOKING},
    "iam-installer": {*LOOKING, "put rules", "put CORS"},
    "iam-tagger": {"read", "read tags", "tag", "tag what is quarantined"},
}


def _allowed(s3: Any, bucket: str, verb: Callable[[Any, str], Any]) -> bool:
    try:
        verb(s3, bucket)
    except (ClientError, AccessDeniedError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else "AccessDenied"
        assert code in ("AccessDenied", "403"), code
        return False
    return True


@pytest.mark.parametrize("name", [*ROLES, None], ids=[*ROLES, "nobody"])
def test_an_identity_document_allows_what_it_names_and_nothing_else(shop: Shop, name: str | None) -> None:
    """Every other request is refused with 403; without a document, every one is."""
    shop.put(OURS, "pending")
    shop.put(THEIRS)
    shop.put(f"{PREFIX}quarantined.jpg", "quarantined")
    if name:
        shop.grant(name, change=for_ceph)
    allowed = {verb for verb, request in VERBS.items() if _allowed(shop.other, shop.bucket, request)}
    assert allowed == MAY.get(name or "", set())


# The bucket policy


def _presigned_put(s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": f"{PREFIX}new"})
    _raise_for(HTTP.request("PUT", url, body=b"x"))


def _sigv2(s3: Any, bucket: str) -> None:
    config = Config(signature_version="s3", s3={"addressing_style": "path"})
    old = boto3.client("s3", endpoint_url=s3.meta.endpoint_url, region_name="us-east-1", config=config)
    old.put_object(Bucket=bucket, Key=f"{PREFIX}new", Body=b"x")


def _form(s3: Any, bucket: str) -> None:
    form = s3.generate_presigned_post(bucket, f"{PREFIX}new")
    _raise_for(HTTP.request("POST", form["url"], fields={**form["fields"], "file": ("new", b"x", "image/jpeg")}))


def _raise_for(answer: Any) -> None:
    if answer.status not in (200, 204):
        raise ClientError({"Error": {"Code": str(answer.status)}}, "PutObject")


DENIED: dict[str, Callable[[Any, str], Any]] = {
    "TlsOnly": VERBS["read"],
    "SigV4Only": _sigv2,
    "OnlyOurRolesUpload": VERBS["upload pending"],
    "PresignedOnly": VERBS["upload pending"],
    "BornPending": _presigned_put,
    "NoOtherTag": VERBS["upload completed"],
    "MarkerIsOurs": VERBS["upload the marker"],
    "NoOverwrite": VERBS["upload pending"],
    "NoPost": _form,
    "ShortUrls": _presigned_put,
    "OnlyOursTag": VERBS["tag"],
    "OnlyPresignerBegins": lambda s3, bucket: _tag(s3, bucket, OURS, "pending"),
    "CompleteFromPending": lambda s3, bucket: _tag(s3, bucket, f"{PREFIX}quarantined.jpg", "completing"),
    "SettleFromCompleting": VERBS["tag"],
    "OnlyReconcilerJudges": lambda s3, bucket: _tag(s3, bucket, OURS, "changed"),
    "NoWayBack": lambda s3, bucket: _tag(s3, bucket, f"{PREFIX}quarantined.jpg", "pending"),
    "TagsStay": VERBS["untag"],
    "OnlyReconcilerDeletes": VERBS["delete"],
    "NotPublic": lambda s3, bucket: s3.put_object(Bucket=bucket, Key=f"{PREFIX}new", Body=b"x", ACL="public-read"),
}


@pytest.mark.parametrize(
    "sid", [pytest.param(sid, marks=[_faulty(NEVER_APPLIES[sid])] if sid in NEVER_APPLIES else []) for sid in DENIED]
)
def test_a_statement_denies_what_it_says(shop: Shop, sid: str) -> None:
    """Alone, and even to the owner of the bucket."""
    shop.put(OURS, "pending")
    shop.put(f"{PREFIX}quarantined.jpg", "quarantined")
    shop.put_policy(_only(shop, sid))
    assert not _allowed(shop.owner, shop.bucket, DENIED[sid])


def _only(shop: Shop, sid: str) -> Any:
    document = shop.load("bucket-policy", url_life_ms="-1")
    return {**document, "Statement": [statement for statement in document["Statement"] if statement["Sid"] == sid]}


def test_every_statement_is_tried() -> None:
    """Each of the bucket policy has its scene here."""
    assert {statement["Sid"] for statement in documents.load("bucket-policy")["Statement"]} == {*DENIED, "VersionsStay"}


def test_no_version_is_deleted(shop: Shop) -> None:
    """VersionsStay: on a versioned bucket every deletion can be undone."""
    shop.versioned()
    shop.put(OURS, "pending")
    version = shop.owner.head_object(Bucket=shop.bucket, Key=OURS)["VersionId"]
    shop.put_policy(_only(shop, "VersionsStay"))
    assert not _allowed(shop.owner, shop.bucket, lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=OURS, VersionId=version))


def test_the_bucket_policy_leaves_everything_else_alone(shop: Shop) -> None:
    """What is not ours, reading, and the bucket's own configuration: nobody is shut out of the policy itself."""
    shop.put(OURS, "pending")
    shop.put(THEIRS)
    shop.put_policy(shop.load("bucket-policy"))
    verbs = (
        "list",
        "read",
        "read tags",
        "upload elsewhere",
        "tag elsewhere",
        "delete elsewhere",
        "put rules",
        "delete the policy",
    )
    assert [verb for verb in verbs if not _allowed(shop.owner, shop.bucket, VERBS[verb])] == []


def test_one_role_can_do_it_all_under_the_bucket_policy(shop: Shop, tmp_path: Path) -> None:
    """Bind, presign, upload, complete and sweep, with the policy in place."""
    shop.put_policy(shop.load("bucket-policy", presigner=OWNER_ARN, completer=OWNER_ARN, reconciler=OWNER_ARN))
    table = sqlite_table(tmp_path)
    alone = s3_stage(shop.owner, shop.bucket, table)
    kept, abandoned = alone.completed(), alone.upload()
    alone.advance(hours=25)
    assert [outcome.action.key for outcome in alone.sweep().deleted] == [abandoned]
    assert alone.keys() == {kept}
    table.engine.dispose()
