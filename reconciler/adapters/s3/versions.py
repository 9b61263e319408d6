"""The versions of one object, and bringing one of them back on top. No version is ever deleted."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from reconciler.adapters.s3.errors import mapped
from reconciler.core.model import ObjectVersion
from reconciler.errors import NotVersionedError, ObjectNotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3.client import S3Client

NULL = "null"  # S3's name for what was stored while the bucket kept no versions
_NO_SUCH_VERSION = "NoSuchVersion"  # AWS's code; Ceph and SeaweedFS say NoSuchKey of versions, too


class S3Versions:
    """The part of an ObjectReader and ObjectWriter that is about versions."""

    _client: S3Client
    _bucket: str

    def versions(self, key: str) -> Sequence[ObjectVersion]:
        """Return every version of exactly this key, newest first."""
        found: list[ObjectVersion] = []
        marked = False
        for page in self._version_pages(key):
            found += [_version(item) for item in page.get("Versions", []) if item["Key"] == key]
            marked = marked or any(item["Key"] == key for item in page.get("DeleteMarkers", []))
        if not marked and all(each.version_id == NULL for each in found) and not self._is_versioned():
            raise NotVersionedError(f"the bucket {self._bucket} keeps no versions")
        return found

    def copy_back(self, key: str, version_id: str, *, tags: Mapping[str, str]) -> str:
        """Copy the version over what is on top; metadata and type come along (CopyObject, API reference)."""
        with absent_version(), mapped(f"restoring {key}"):
            answer = self._client.copy_object(
                Bucket=self._bucket,
                Key=key,
                CopySource={"Bucket": self._bucket, "Key": key, "VersionId": version_id},
                TaggingDirective="REPLACE",
                Tagging=urlencode(tags, quote_via=quote),
            )
        return str(answer["CopyObjectResult"]["ETag"]).strip('"')

    def _version_pages(self, key: str) -> Iterator[Any]:
        """List what begins with the key, until its own versions are over: keys that are longer sort behind it."""
        where: dict[str, Any] = {}
        while True:
            with mapped(f"listing the versions of {key}"):
                page: Any = self._client.list_object_versions(Bucket=self._bucket, Prefix=key, **where)
            yield page
            listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not page.get("IsTruncated") or any(item["Key"] != key for item in listed):
                return
            # The key as we know it, not as it comes back: Ceph 16 decodes the plus sign in NextKeyMarker.
            where = {"KeyMarker": key, "VersionIdMarker": page["NextVersionIdMarker"]}

    def _is_versioned(self) -> bool:
        with mapped(f"reading the versioning of {self._bucket}"):
            return "Status" in self._client.get_bucket_versioning(Bucket=self._bucket)


@contextmanager
def absent_version() -> Iterator[None]:
    """Raise ObjectNotFoundError where S3 says that the version which was asked for is not there."""
    try:
        yield
    except StoreError as error:
        if error.facts.get("code") == _NO_SUCH_VERSION:
            raise ObjectNotFoundError(error.message, code=_NO_SUCH_VERSION) from error
        raise


def _version(item: Any) -> ObjectVersion:
    return ObjectVersion(
        version_id=item["VersionId"],
        etag=str(item["ETag"]).strip('"'),
        size=item["Size"],
        last_modified=item["LastModified"].astimezone(UTC),
        current=item["IsLatest"],
    )
