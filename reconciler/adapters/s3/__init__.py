"""S3, through boto3: objects, signatures and bucket configuration. Foreign errors stop here."""

from reconciler.adapters.s3.bucket import S3Bucket
from reconciler.adapters.s3.client import make_client
from reconciler.adapters.s3.findings import S3Findings
from reconciler.adapters.s3.objects import S3Objects
from reconciler.adapters.s3.raw import S3Raw
from reconciler.adapters.s3.signer import S3Signer

__all__ = ["S3Bucket", "S3Findings", "S3Objects", "S3Raw", "S3Signer", "make_client"]
