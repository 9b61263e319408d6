"""One bucket asked directly, for those who try a store out: a refusal comes back as an answer like any other."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from botocore.config import Config

from reconciler.adapters.s3.client import is_aws
from reconciler.adapters.s3.errors import mapped
from reconciler.errors import BucketNotFoundError, CredentialsError, EmptyObjectError, StoreError, StoreUnavailableError
from reconciler.ports import Answer, SignedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3.client import S3Client

_TIMEOUT = urllib3.Timeout(connect=5, read=10)


class S3Raw:
    """RawStore over one boto3 client, and urllib3 for what a browser sends."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, ca_certs=os.environ.get("AWS_CA_BUNDLE") or None)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def endpoint(self) -> str:
        """The address of the store."""
        return self._client.meta.endpoint_url

    @property
    def is_aws(self) -> bool:
        """Whether the store is AWS's own."""
        return is_aws(self._client)

    def ask(self, operation: str, *, old: bool = False, **parameters: Any) -> Answer:
        """Send one request of S3's API about the bucket; signed with SigV2 where `old`."""
        client: Any = self._old if old else self._client
        try:
            with mapped(f"asking {operation} of {self._bucket}"):
                content = getattr(client, operation)(Bucket=self._bucket, **parameters)
                body = content.pop("Body").read() if "Body" in content else b""
        except (CredentialsError, BucketNotFoundError):
            if old:
                return Answer(status=403, code="SignatureVersion")
            raise
        except EmptyObjectError:
            return Answer(status=416, code="InvalidRange")
        except StoreError as error:
            if "status" not in error.facts:
                raise
            return Answer(status=int(str(error.facts["status"])), code=str(error.facts["code"]))
        said = content.pop("ResponseMetadata")
        return Answer(status=said["HTTPStatusCode"], headers=said["HTTPHeaders"], content=content, body=body)

    def presigned(self, operation: str, *, seconds: int = 60, **parameters: Any) -> str:
        """Return the URL of one signed request, with just what the parameters name signed into it."""
        with mapped(f"signing {operation}"):
            return self._client.generate_presigned_url(
                operation, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=seconds
            )

    def form(self, key: str) -> SignedRequest:
        """Sign a form POST to this key, of any size and type and without a tag."""
        with mapped("signing a form"):
            form = self._client.generate_presigned_post(self._bucket, key, ExpiresIn=60)
        return SignedRequest(method="POST", url=form["url"], headers={}, fields=form["fields"])

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", fields: Any = None
    ) -> Answer:
        """Send a request as a browser would."""
        what: dict[str, Any] = {"fields": fields} if fields is not None else {"body": body}
        try:
            answer = self._http.request(method, url, headers=dict(headers or {}), **what)
        except urllib3.exceptions.HTTPError as error:
            raise StoreUnavailableError(f"sending to {urllib3.util.parse_url(url).netloc}: {_reason(error)}") from error
        code = re.search(rb"<Code>([^<]*)</Code>", answer.data)
        return Answer(
            status=answer.status,
            code=code[1].decode(errors="replace") if code and answer.status >= 300 else "",  # noqa: PLR2004
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=answer.data,
        )

    @cached_property
    def _old(self) -> S3Client:
        config = Config(signature_version="s3", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        meta = self._client.meta
        return boto3.session.Session().client("s3", region_name=meta.region_name, endpoint_url=meta.endpoint_url, config=config)


def _reason(error: Exception) -> str:
    # urllib3's own words hold object addresses; and the URL, with its signature, must not be told.
    return (
        re.sub(r"<[^>]*>:? ?", "", str(getattr(error, "reason", None) or error)).partition("url:")[0].strip(" :(") or "no answer"
    )
