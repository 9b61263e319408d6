"""The conformance suite of the S3 ports, on memory, moto, SeaweedFS and Ceph."""

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from support import START

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.memory import MemoryObjects
from reconciler.adapters.s3 import S3Bucket, S3Objects, make_client
from reconciler.core.documents import same_meaning
from reconciler.core.parts import Configuration, PartName
from reconciler.demo.servers import Server
from reconciler.testing import ObjectStoreSuite
from reconciler.testing.keys import BODY, KEY, PREFIX

RULE: dict[str, Any] = {
    "ID": "reconciler:uploads/:pending",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": PREFIX, "Tags": [{"Key": "status", "Value": "pending"}]}},
    "Expiration": {"Days": 7},
}
TAGS = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2 3+4"}]
RULES = [
    RULE,
    {**RULE, "ID": "two tags", "Filter": {"And": {"Prefix": "drafts/", "Tags": TAGS}}},
    {**RULE, "ID": "tags alone", "Filter": {"And": {"Tags": TAGS}}},
    {**RULE, "ID": "one tag", "Filter": {"Tag": TAGS[1]}},
    {**RULE, "ID": "prefix", "Filter": {"Prefix": "logs/"}, "Status": "Disabled"},
]


class TestMemory(ObjectStoreSuite):
    server_name = "memory"

    def make_objects(self, *, exists: bool = True) -> MemoryObjects:
        objects = MemoryObjects("photos", MovableClock(START))
        objects.exists = exists
        return objects

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        objects.put(key, body, content_type=content_type, tags=tags)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let whatever deletes on a real server do so both in bulk and singly: the setting `bulk_delete`."""
    if metafunc.cls and issubclass(metafunc.cls, S3Suite) and "delet" in metafunc.function.__name__:
        metafunc.parametrize("bulk_delete", [True, False], ids=["bulk", "single"], indirect=True)


def put_rules(store: S3Bucket, *given: Any) -> None:
    store.write(PartName.LIFECYCLE, Configuration(given))


def rules(store: S3Bucket) -> list[Any]:
    return list(store.read(PartName.LIFECYCLE).items)


class S3Suite(ObjectStoreSuite):
    """Over a real server; every test has a bucket of its own."""

    client: ClassVar[Any] = None
    bulk: bool

    @pytest.fixture(autouse=True)
    def bulk_delete(self, request: pytest.FixtureRequest) -> None:
        self.bulk = getattr(request, "param", True)

    @classmethod
    def connect(cls, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make one client for all tests of a class: that is what takes long."""
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        cls.client = cls.client or make_client()
        cls.client.meta.events.register("provide-client-params.s3.ListObjectsV2", cls._page, unique_id="page-size")

    @classmethod
    def _page(cls, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "MaxKeys": cls.page_size}

    def make_objects(self, *, exists: bool = True) -> S3Objects:
        bucket = f"photos-{uuid.uuid4().hex[:12]}"
        if exists:
            self.client.create_bucket(Bucket=bucket)
        return S3Objects(self.client, bucket, bulk_delete=self.bulk)

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        tagging = {"Tagging": urlencode(tags)} if tags else {}
        self.client.put_object(Bucket=objects.bucket, Key=key, Body=body, ContentType=content_type, **tagging)

    def test_a_suspended_bucket_still_keeps_versions(self) -> None:
        """Old versions remain: suspended is another word than nothing."""
        objects = self.make_objects()
        for status in ("Enabled", "Suspended"):
            self.client.put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration={"Status": status})
        assert S3Bucket(self.client, objects.bucket).versioning() == "Suspended"

    def test_a_versioned_object_has_a_version_id(self) -> None:
        """HEAD and the ranged GET name the same version, and tags can be put on it."""
        objects = self.make_objects()
        self.client.put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration={"Status": "Enabled"})
        key = self._put(objects, status="pending")
        version = objects.head(key).version_id
        assert version
        assert objects.peek(key, length=1).version_id == version
        objects.put_tags(key, {"status": "completing"}, version_id=version)
        assert objects.tags(key) == {"status": "completing"}

    def test_an_unversioned_object_has_none(self) -> None:
        """S3's version `null` is no version."""
        objects = self.make_objects()
        assert objects.head(self._put(objects)).version_id is None

    def test_tagging_at_once_is_tried_again(self) -> None:
        """Where a store refuses two who tag one object at once (409 OperationAborted), the second tries again."""
        objects = self.make_objects()
        key = self._put(objects, status="pending")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda tag: objects.put_tags(key, {"status": tag}), ["completing", "completed"] * 10))
        assert objects.tags(key)["status"] in ("completing", "completed")

    def test_the_tag_count_comes_with_the_first_bytes(self) -> None:
        """One request tells whether there are foreign tags: complete saves another one where there are none."""
        objects = self.make_objects()
        assert objects.peek(self._put(objects, status="pending"), length=1).tag_count == 1

    # What S3 itself promises, and the protocol leans on

    def test_tagging_anew_keeps_the_time(self) -> None:
        """Retagging does not change when an object was last modified."""
        objects = self.make_objects()
        before = objects.head(self._put(objects, status="pending")).last_modified
        time.sleep(1.1)  # HTTP dates have whole seconds
        objects.put_tags(KEY, {"status": "completing"})
        assert objects.head(KEY).last_modified == before

    def test_a_multipart_upload_keeps_its_tags(self) -> None:
        """The tags given when it was begun are the object's when it is finished."""
        objects = self.make_objects()
        assert self._multipart(objects)["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert objects.tags(KEY) == {"status": "pending"}

    def test_a_multipart_upload_overwrites_nothing(self) -> None:
        """Completed with If-None-Match, it fails where an object lies at its key."""
        objects = self.make_objects()
        self._put(objects)
        with pytest.raises(self.client.exceptions.ClientError, match="PreconditionFailed"):
            self._multipart(objects, IfNoneMatch="*")
        assert objects.peek(KEY, length=len(BODY)).head == BODY

    def _multipart(self, objects: Any, **condition: str) -> Any:
        where = {"Bucket": objects.bucket, "Key": KEY}
        upload = {**where, "UploadId": self.client.create_multipart_upload(**where, Tagging="status=pending")["UploadId"]}
        part = self.client.upload_part(**upload, PartNumber=1, Body=b"part")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        return self.client.complete_multipart_upload(**upload, MultipartUpload=parts, **condition)

    def test_a_lifecycle_rule_reads_back_word_for_word(self) -> None:
        """The store itself leaves prefix and tag under `And`, as they were put."""
        bucket = self.make_objects().bucket
        put_rules(S3Bucket(self.client, bucket), RULE)
        assert self.client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [RULE]

    def test_lifecycle_rules_survive_being_read_and_put(self) -> None:
        """However a store words filters, rules are carried along as they were, prefix and tags and all."""
        store = S3Bucket(self.client, self.make_objects().bucket)
        put_rules(store, *RULES)
        put_rules(store, *rules(store))
        assert {rule["ID"]: rule for rule in rules(store)} == {rule["ID"]: rule for rule in RULES}

    def test_a_size_in_a_lifecycle_rule_reads_back(self) -> None:
        """A rule for large objects alone does not become one for all."""
        store = S3Bucket(self.client, self.make_objects().bucket)
        rule = {**RULE, "Filter": {"And": {"Prefix": PREFIX, "ObjectSizeGreaterThan": 1000}}}
        put_rules(store, rule)
        assert [same_meaning(found, rule) for found in rules(store)] == [True]

    def test_an_object_names_the_rule_that_will_expire_it(self) -> None:
        """HEAD names the rule while the tag is pending, and no longer afterwards."""
        objects = self.make_objects()
        put_rules(S3Bucket(self.client, objects.bucket), RULE)
        self._put(objects, status="pending")
        assert objects.head(KEY).expiring_rule == RULE["ID"]
        objects.put_tags(KEY, {"status": "completing"})
        assert objects.head(KEY).expiring_rule is None


class TestMoto(S3Suite):
    """In small pages: a thousand puts would take moto ten seconds."""

    server_name = "moto"
    page_size = 50

    @pytest.fixture(autouse=True)
    def _connect(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(moto, monkeypatch)


class TestSeaweedFS(S3Suite):
    server_name = "seaweedfs"

    @pytest.fixture(autouse=True)
    def _connect(self, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(seaweedfs, monkeypatch)


class TestCeph(S3Suite):
    """In small pages as well: a thousand puts take it six seconds."""

    server_name = "ceph"
    page_size = 50

    @pytest.fixture(autouse=True)
    def _connect(self, ceph: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(ceph, monkeypatch)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"Prefix": PREFIX, "Tag": TAGS[0]}, {"And": {"Prefix": PREFIX, "Tags": [TAGS[0]]}}),
        ({"Prefix": PREFIX, "And": {"Tags": TAGS}}, {"And": {"Prefix": PREFIX, "Tags": TAGS}}),
        ({"Prefix": PREFIX, "ObjectSizeGreaterThan": 9}, {"And": {"Prefix": PREFIX, "ObjectSizeGreaterThan": 9}}),
        ({"And": {"Prefix": PREFIX, "Tags": TAGS}}, {"And": {"Prefix": PREFIX, "Tags": TAGS}}),
        ({"Tag": TAGS[0]}, {"Tag": TAGS[0]}),
        ({"Prefix": ""}, {"Prefix": ""}),
    ],
    ids=["prefix and tag", "prefix beside And", "prefix and size", "as S3 words it", "tag alone", "everything"],
)
def test_conditions_are_read_as_s3_words_them(told: dict[str, Any], meant: dict[str, Any]) -> None:
    """More than one condition stands under `And`, wherever the store has put them; one alone stays as it is."""
    client: Any = SimpleNamespace(get_bucket_lifecycle_configuration=lambda **_: {"Rules": [{**RULE, "Filter": told}]})
    assert rules(S3Bucket(client, "photos")) == [{**RULE, "Filter": meant}]
