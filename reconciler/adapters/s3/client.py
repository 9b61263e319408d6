"""Making S3 clients. Credentials, region, profile and endpoint are botocore's own business; addressing and signing are ours.

SigV4 is always asked for: boto3 would presign with SigV2, which drops If-None-Match and moves the tag into the query
(boto3 issue 4367). On AWS the address is virtual-hosted and regional, because the global one answers 307 for young buckets
elsewhere, which breaks CORS; a custom endpoint is addressed by path.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from reconciler.adapters.s3.errors import mapped
from reconciler.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

FALLBACK_REGION = "us-east-1"  # what S3-compatible stores answer to when none is configured


def make_client(*, endpoint_url: str | None = None, accelerate: bool = False, connections: int = 10) -> S3Client:
    """Return a client for signing and for requests; `endpoint_url` overrides what botocore finds by itself."""
    with mapped("setting up S3"):
        session = boto3.session.Session()
        region = os.environ.get("AWS_REGION") or session.region_name  # boto3 itself reads only AWS_DEFAULT_REGION
        client = _client(session, region or FALLBACK_REGION, endpoint_url, connections, {})
        if not is_aws(client):
            return (
                client
                if _by_path(client)
                else _client(
                    session,
                    region or FALLBACK_REGION,
                    endpoint_url,
                    connections,
                    {"addressing_style": "path"},
                )
            )
        if region is None:
            raise SettingsError("no AWS region is set", hint="set AWS_REGION to the bucket's region")
        style = {"addressing_style": "virtual", "use_accelerate_endpoint": accelerate}
        return _client(session, region, endpoint_url, connections, style)


def _client(session: Any, region: str, endpoint_url: str | None, connections: int, s3: Any) -> S3Client:
    config = Config(
        signature_version="s3v4",
        s3=s3,
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=connections,
    )
    try:
        client: S3Client = session.client("s3", region_name=region, endpoint_url=endpoint_url, config=config)
    except ValueError as error:
        raise SettingsError(f"S3 cannot be reached: {error}", hint="an endpoint begins with https:// or http://") from error
    return client


def is_aws(client: S3Client) -> bool:
    """Say whether a client speaks to AWS itself."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _by_path(client: S3Client) -> bool:
    config: Any = client.meta.config
    return bool((config.s3 or {}).get("addressing_style") == "path")
