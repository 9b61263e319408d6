"""The conformance suite of the S3 ports, on memory, moto and SeaweedFS."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from contract.known_faults import FAULTS
from support import START

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.memory import MemoryObjects
from reconciler.adapters.s3 import S3Lifecycle, S3Objects, make_client
from reconciler.demo.servers import Server
from reconciler.testing import ObjectStoreSuite


class TestMemory(ObjectStoreSuite):
    server_name = "memory"

    def make_objects(self, *, exists: bool = True) -> MemoryObjects:
        objects = MemoryObjects("photos", MovableClock(START))
        objects.exists = exists
        return objects

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        objects.put(key, body, content_type=content_type, tags=tags)


class S3Suite(ObjectStoreSuite):
    """Over a real server; every test has a bucket of its own."""

    client: ClassVar[Any] = None

    @classmethod
    def connect(cls, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make one client for all tests of a class: that is what takes long."""
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        cls.client = cls.client or make_client()

    def make_objects(self, *, exists: bool = True) -> S3Objects:
        bucket = f"photos-{uuid.uuid4().hex[:12]}"
        if exists:
            self.client.create_bucket(Bucket=bucket)
        return S3Objects(self.client, bucket)

    def store(self, objects: Any, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        tagging = {"Tagging": urlencode(tags)} if tags else {}
        self.client.put_object(Bucket=objects.bucket, Key=key, Body=body, ContentType=content_type, **tagging)

    def test_a_suspended_bucket_still_keeps_versions(self) -> None:
        """Old versions remain, so a bucket whose versioning is suspended counts as versioned."""
        objects = self.make_objects()
        for status in ("Enabled", "Suspended"):
            self.client.put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration={"Status": status})
        assert S3Lifecycle(self.client, objects.bucket).versioned() is True

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

    def test_the_tag_count_comes_with_the_first_bytes(self) -> None:
        """One request tells whether there are foreign tags: complete saves another one where there are none."""
        objects = self.make_objects()
        assert objects.peek(self._put(objects, status="pending"), length=1).tag_count == 1


class TestMoto(S3Suite):
    """In small pages: a thousand puts would take moto ten seconds."""

    server_name = "moto"
    page_size = 50

    @pytest.fixture(autouse=True)
    def _connect(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(moto, monkeypatch)
        self.client.meta.events.register("provide-client-params.s3.ListObjectsV2", self._page, unique_id="small-pages")

    def _page(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "MaxKeys": self.page_size}


class TestSeaweedFS(S3Suite):
    server_name = "SeaweedFS"

    @pytest.fixture(autouse=True)
    def _connect(self, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(seaweedfs, monkeypatch)


@pytest.mark.parametrize("server", FAULTS)
def test_known_faults_name_tests(server: str) -> None:
    """A fault that no test shows any more is taken off the list."""
    assert [name for name in FAULTS[server] if not hasattr(S3Suite, name)] == []
