"""What the store makes of the bucket policy, kept in the bucket itself, beside the marker and tagged like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from reconciler.adapters.s3.errors import mapped
from reconciler.core.dialects import findings_from
from reconciler.core.keys import store_key
from reconciler.core.model import STATUS_TAG, Tag
from reconciler.errors import ObjectNotFoundError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from reconciler.core.dialects import Findings


class S3Findings:
    """FindingsStore over one object of the bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = store_key(prefix)

    def read(self) -> Findings | None:
        """Return what was kept."""
        try:
            with mapped(f"reading {self._key}"):
                body = self._client.get_object(Bucket=self._bucket, Key=self._key)["Body"].read()
        except ObjectNotFoundError:
            return None
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        return findings_from(content)

    def write(self, findings: Findings) -> None:
        """Keep these instead."""
        with mapped(f"writing {self._key}"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=json.dumps(findings.as_dict(), indent=1).encode(),
                ContentType="application/json",
                Tagging=urlencode({STATUS_TAG: Tag.SYSTEM.value}),
            )
