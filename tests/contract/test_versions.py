"""The conformance suite of the S3 ports where versions are kept, on memory, moto, SeaweedFS and Ceph."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import pytest
from support import START

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.memory import MemoryObjects
from reconciler.adapters.s3 import S3Objects, make_client
from reconciler.demo.servers import Server
from reconciler.testing import VersionStoreSuite
from reconciler.testing.keys import BODY, KEY

STATUS = {True: "Enabled", False: "Suspended"}


class TestMemory(VersionStoreSuite):
    server_name = "memory"

    def make_objects(self) -> MemoryObjects:
        return MemoryObjects("photos", MovableClock(START))

    def keep_versions(self, objects: Any, *, enabled: bool) -> None:
        objects.keep_versions(enabled=enabled)

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        objects.put(key, body, content_type=content_type, tags=tags)


class S3Suite(VersionStoreSuite):
    """Over a real server; every test has a bucket of its own."""

    client: ClassVar[Any] = None

    @classmethod
    def connect(cls, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make one client for all tests of a class, listing two versions at a time: more than one page is the ordinary case."""
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        cls.client = cls.client or make_client()
        cls.client.meta.events.register("provide-client-params.s3.ListObjectVersions", _short_pages, unique_id="page-size")

    def make_objects(self) -> S3Objects:
        bucket = f"photos-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=bucket)
        return S3Objects(self.client, bucket)

    def keep_versions(self, objects: Any, *, enabled: bool) -> None:
        self.client.put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration={"Status": STATUS[enabled]})

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        request = {"Bucket": objects.bucket, "Key": key, "Body": body, "ContentType": content_type}
        self.client.put_object(**request, Tagging=urlencode(tags, quote_via=quote))  # Ceph 16 takes a plus for a plus

    @pytest.mark.parametrize("key", [KEY, "uploads/a b+c%é&=.jpg"], ids=["plain", "nasty"])
    def test_many_versions_are_told_page_by_page(self, key: str) -> None:
        """Every version once, and every delete marker left out, whatever the key is made of."""
        objects = self._make()
        made = [self._put(objects, BODY + bytes([number]), key) for number in range(5)]
        self.client.delete_object(Bucket=objects.bucket, Key=key)
        self._put(objects, key=f"{key}.bak")
        assert [each.version_id for each in objects.versions(key)] == made[::-1]

    def test_a_copy_keeps_what_else_the_object_has(self) -> None:
        """The headers and metadata it was stored with."""
        objects = self._make()
        given = {"CacheControl": "max-age=60", "ContentDisposition": 'inline; filename="me.jpg"', "Metadata": {"camera": "x"}}
        where = {"Bucket": objects.bucket, "Key": KEY}
        self.client.put_object(**where, Body=BODY, ContentType="image/jpeg", Tagging="status=completing", **given)
        version = objects.head(KEY).version_id
        self.client.delete_object(**where)
        objects.copy_back(KEY, version or "", tags={"status": "completing"})
        found = self.client.head_object(**where)
        assert {name: found[name] for name in given} == given


def _short_pages(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {**params, "MaxKeys": 2}


@pytest.mark.server
class TestMoto(S3Suite):
    server_name = "moto"

    @pytest.fixture(autouse=True)
    def _server(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(moto, monkeypatch)


@pytest.mark.server
class TestSeaweedFS(S3Suite):
    server_name = "seaweedfs"

    @pytest.fixture(autouse=True)
    def _server(self, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(seaweedfs, monkeypatch)


@pytest.mark.server
class TestCeph(S3Suite):
    server_name = "ceph"

    @pytest.fixture(autouse=True)
    def _server(self, ceph: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(ceph, monkeypatch)
