"""The bucket's objects, read and written through one boto3 client. Only exact keys; never another bucket."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from reconciler.adapters.s3.errors import mapped
from reconciler.adapters.s3.versions import S3Versions, absent_version
from reconciler.core.model import STATUS_TAG, Binding, ObjectEntry, ObjectFacts, Tag
from reconciler.errors import ObjectNotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from reconciler.ports import Target

MAX_DELETE = 1000  # DeleteObjects, API reference
SINGLE_DELETES = 8  # at once, where a store cannot delete in bulk; within botocore's own pool of 10 connections
CONFLICT_WAITS = (0.05, 0.2, 0.8)  # seconds; two who tag one object at once: 409 OperationAborted, "try again" (API reference)
_PRECONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict")


class S3Objects(S3Versions):
    """ObjectReader and ObjectWriter over one bucket. Without `bulk_delete` every deletion is a request of its own."""

    def __init__(self, client: S3Client, bucket: str, *, bulk_delete: bool = True) -> None:
        self._client = client
        self._bucket = bucket
        self._bulk_delete = bulk_delete

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def pages(self, prefix: str, *, start_after: str = "") -> Iterator[Sequence[ObjectEntry]]:
        """List the prefix in key order, page by page; botocore asks for url encoding and decodes the keys."""
        request = {"Bucket": self._bucket, "Prefix": prefix} | ({"StartAfter": start_after} if start_after else {})
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(**request))  # type: ignore[arg-type]
        while True:
            with mapped(f"listing {self._bucket}/{prefix}"):
                page = next(pages, None)
            if page is None:
                return
            yield [_entry(item) for item in page.get("Contents", [])]

    def head(self, key: str) -> ObjectFacts:
        """Return the current object's facts. Without a version id: only so does S3 tell of the lifecycle rule."""
        with mapped(f"looking at {key}"):
            return _facts(key, self._client.head_object(Bucket=self._bucket, Key=key))

    def peek(self, key: str, *, length: int) -> ObjectFacts:
        """Return the facts and the first bytes in one ranged GET."""
        with mapped(f"reading {key}"):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{length - 1}")
            return _facts(key, answer, head=answer["Body"].read(length))

    def tags(self, key: str, *, version_id: str | None = None) -> Mapping[str, str]:
        """Return the tag set of the current object, or of one version."""
        version = {"VersionId": version_id} if version_id else {}
        with absent_version(), mapped(f"reading the tags of {key}"):
            answer = self._client.get_object_tagging(Bucket=self._bucket, Key=key, **version)  # type: ignore[arg-type]
        return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])}

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        """Replace the whole tag set."""
        request: dict[str, Any] = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
        version = {"VersionId": version_id} if version_id else {}
        for wait in (*CONFLICT_WAITS, None):
            try:
                with absent_version(), mapped(f"tagging {key}"):
                    self._client.put_object_tagging(Bucket=self._bucket, Key=key, Tagging=request, **version)  # type: ignore[arg-type]
            except StoreError as error:
                if wait is None or error.facts.get("code") != "OperationAborted":
                    raise
                time.sleep(wait)
            else:
                return

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        """Delete in bulk; what S3 does not name as an error it has deleted (Quiet, API reference)."""
        if not self._bulk_delete:
            return self._delete_singly(targets)
        errors: dict[str, str] = {}
        for start in range(0, len(targets), MAX_DELETE):
            errors |= self._delete_batch(targets[start : start + MAX_DELETE])
        return errors

    def _delete_singly(self, targets: Sequence[Target]) -> dict[str, str]:
        with ThreadPoolExecutor(min(SINGLE_DELETES, len(targets) or 1)) as pool:
            answers = pool.map(self._delete_one, targets)
            return {target.key: error for target, error in zip(targets, answers, strict=True) if error}

    def _delete_one(self, target: Target) -> str:
        """Return the error text; empty where the object is gone."""
        condition = {"IfMatch": target.etag} if target.etag else {}
        try:
            with mapped(f"deleting {target.key}"):
                self._client.delete_object(Bucket=self._bucket, Key=target.key, **condition)  # type: ignore[arg-type]
        except ObjectNotFoundError:
            return ""
        except StoreError as error:
            return error.message
        return ""

    def _delete_batch(self, targets: Sequence[Target]) -> dict[str, str]:
        try:
            with mapped(f"deleting {len(targets)} objects"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [_identifier(target) for target in targets], "Quiet": True},
                )
        except StoreError as error:
            return {target.key: error.message for target in targets}
        return {
            error["Key"]: f"{error.get('Code', '')} {error.get('Message') or ''}".strip()
            for error in answer.get("Errors", [])
            if error.get("Code") != "NoSuchKey"
        }

    def marker(self, key: str) -> tuple[Binding | None, datetime | None]:
        """Return what the marker object says, and S3's own time from the Date header."""
        try:
            with mapped(f"reading the marker {key}"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                body = answer["Body"].read()
        except ObjectNotFoundError:
            return None, None
        return _binding(key, body), _date(answer)

    def put_marker(self, key: str, binding: Binding, *, overwrite: bool) -> None:
        """Write the marker object, tagged `system`."""
        body = {"instance_id": binding.instance_id, "bucket": binding.bucket, "prefix": binding.prefix}
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        try:
            with mapped(f"writing the marker {key}"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=json.dumps(body).encode(),
                    ContentType="application/json",
                    Tagging=urlencode({STATUS_TAG: Tag.SYSTEM.value}),
                    **condition,  # type: ignore[arg-type]
                )
        except StoreError as error:
            # Somebody was quicker: whoever reads back will see whose it is.
            if error.facts.get("code") not in _PRECONDITION_FAILED:
                raise


def _identifier(target: Target) -> ObjectIdentifierTypeDef:
    return {"Key": target.key, "ETag": target.etag} if target.etag else {"Key": target.key}


def _entry(item: Any) -> ObjectEntry:
    return ObjectEntry(item["Key"], item["Size"], _etag(item), item["LastModified"].astimezone(UTC))


def _facts(key: str, answer: Any, *, head: bytes = b"") -> ObjectFacts:
    version = answer.get("VersionId")
    return ObjectFacts(
        key=key,
        size=_size(answer),
        etag=_etag(answer),
        last_modified=answer["LastModified"].astimezone(UTC),
        content_type=answer.get("ContentType"),
        version_id=None if version == "null" else version,
        tag_count=answer.get("TagCount"),
        expiring_rule=_expiring_rule(answer.get("Expiration")),
        head=head,
    )


def _etag(answer: Any) -> str:
    return str(answer["ETag"]).strip('"')


def _size(answer: Any) -> int:
    whole = re.search(r"/(\d+)$", answer.get("ContentRange") or "")
    return int(whole[1]) if whole else int(answer["ContentLength"])


def _expiring_rule(header: str | None) -> str | None:
    # expiry-date="...", rule-id="..." with the rule id URL-encoded (API reference, x-amz-expiration)
    found = re.search(r'rule-id="([^"]*)"', header or "")
    return unquote(found[1]) if found else None


def _binding(key: str, body: bytes) -> Binding:
    try:
        content = json.loads(body)
        return Binding(str(content["instance_id"]), str(content["bucket"]), str(content["prefix"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the marker {key} is not one of ours", hint="another program wrote it: choose another prefix"
        ) from error


def _date(answer: Any) -> datetime | None:
    header = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(header).astimezone(UTC) if header else None
