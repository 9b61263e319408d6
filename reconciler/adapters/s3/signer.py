"""Signing, with whatever boto3 client comes in: SigV4 is forced through botocore's public `choose-signer` event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from reconciler.adapters.s3.errors import mapped
from reconciler.core.model import STATUS_TAG, Tag
from reconciler.ports import SignedRequest

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PENDING_TAGGING = urlencode({STATUS_TAG: Tag.PENDING.value})
# The POST form's `tagging` field is XML, and must be an exact condition: a well-formed but other document is stored untagged.
PENDING_TAGGING_XML = f"<Tagging><TagSet><Tag><Key>{STATUS_TAG}</Key><Value>{Tag.PENDING.value}</Value></Tag></TagSet></Tagging>"
_PROBE = "reconciler-probe"


class S3Signer:
    """Signs PUT and POST uploads for one bucket. From then on the client presigns with SigV4, whatever it did before."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._base: str | None = None
        events: Any = client.meta.events
        events.register_first("choose-signer.s3", _sigv4, unique_id="reconciler-sigv4")

    def put(self, key: str, *, content_type: str, size: int, seconds: int) -> SignedRequest:
        """Sign a PUT of exactly this size and type, tagged pending, that creates and never overwrites."""
        params = {
            "Bucket": self._bucket,
            "Key": key,
            "ContentType": content_type,
            "ContentLength": size,
            "Tagging": PENDING_TAGGING,
            "IfNoneMatch": "*",
        }
        with mapped(f"signing {key}"):
            url = self._client.generate_presigned_url("put_object", Params=params, ExpiresIn=seconds, HttpMethod="PUT")
        headers = {"Content-Type": content_type, "If-None-Match": "*", "x-amz-tagging": PENDING_TAGGING}
        return SignedRequest(method="PUT", url=url, headers=headers, fields={})

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        """Sign a form POST of this type and a size in this range, tagged pending."""
        fields = {"Content-Type": content_type, "tagging": PENDING_TAGGING_XML}
        conditions: list[Any] = [{name: value} for name, value in fields.items()]
        conditions.append(["content-length-range", min_size, max_size])
        with mapped(f"signing {key}"):
            form = self._client.generate_presigned_post(
                self._bucket, key, Fields=dict(fields), Conditions=conditions, ExpiresIn=seconds
            )
        return SignedRequest(method="POST", url=form["url"], headers={}, fields=form["fields"])

    def object_url(self, key: str) -> str:
        """Return the object's address as this client would write it, without a signature."""
        if self._base is None:
            with mapped("signing"):
                url = self._client.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": _PROBE})
            parts = urlsplit(url)
            self._base = f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix(_PROBE)}"
        return self._base + quote(key, safe="/~")


def _sigv4(signature_version: Any, **_: Any) -> str | None:
    """Answer `choose-signer`: SigV4 wherever a request is presigned, and botocore's own choice otherwise."""
    for suffix in ("-query", "-presign-post"):
        if isinstance(signature_version, str) and signature_version.endswith(suffix):
            return f"s3v4{suffix}"
    return None
