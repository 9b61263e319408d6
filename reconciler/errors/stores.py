"""S3 refused, failed, or answered what cannot be believed."""

from reconciler.errors.base import ReconcilerError


class StoreError(ReconcilerError):
    """S3 refused the request."""


class ObjectNotFoundError(StoreError):
    """There is no object at this key."""


class BucketNotFoundError(StoreError):
    """There is no such bucket."""

    default_hint = "create the bucket, or correct RECONCILER_BUCKET and the endpoint"


class NotVersionedError(StoreError):
    """The bucket keeps no versions, so what was deleted is gone."""

    default_hint = "restore works from the moment on that the bucket keeps versions: `aws s3api put-bucket-versioning`"


class AccessDeniedError(StoreError):
    """S3 denied access; whether the object exists is unknown."""

    default_hint = "grant the action to this role; `reconcile policy` prints the documents"


class CredentialsError(AccessDeniedError):
    """S3 does not accept these credentials."""

    default_hint = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION, and this machine's clock"


class StoreUnavailableError(StoreError):
    """S3 could not be reached or failed; what became of the request is unknown."""

    default_hint = "check the endpoint (AWS_ENDPOINT_URL_S3) and the network, then try again"


class SigningError(StoreError):
    """The request could not be signed as it must be."""


class UnorderedListingError(StoreError):
    """The listing is not in key order, so it cannot be compared with the table."""

    default_hint = "directory buckets and stores that list out of order cannot be planned from a listing"


class NotSupportedError(StoreError):
    """This store does not know that."""


class MovedError(StoreError):
    """Somebody else changed the bucket's configuration since it was looked at; nothing was put."""

    default_hint = "look at the difference again, and run again"


class ReadBackError(StoreError):
    """The bucket's configuration reads back otherwise than it was put."""
