"""What botocore's errors mean here. "Not there" is NoSuchKey or a 404 without a name, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from reconciler.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    EmptyObjectError,
    ObjectNotFoundError,
    ReconcilerError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)

_CREDENTIALS = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "ExpiredToken",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "AuthorizationHeaderMalformed",
)
_BY_CODE: dict[str, type[ReconcilerError]] = {
    "NoSuchKey": ObjectNotFoundError,
    "404": ObjectNotFoundError,  # HEAD has no body, so no code
    "NoSuchBucket": BucketNotFoundError,
    "InvalidRange": EmptyObjectError,  # bytes 0- of nothing
    "416": EmptyObjectError,
    "AccessDenied": AccessDeniedError,
    "403": AccessDeniedError,
    **dict.fromkeys(_CREDENTIALS, CredentialsError),
    "SlowDown": StoreUnavailableError,
    "RequestTimeout": StoreUnavailableError,
    "OperationAborted": StoreUnavailableError,
}
_FORBIDDEN = 403
_SERVER_ERROR = 500


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turn botocore's errors into ours; `what` says what was being done, for the message."""
    try:
        yield
    except ClientError as error:
        raise _from_response(error, what) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, NoRegionError, ProfileNotFound) as error:
        raise SettingsError(
            f"{what}: {error}",
            hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
        ) from error
    except (BotoConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise StoreUnavailableError(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise StoreError(f"{what}: {error}") from error


def _from_response(error: ClientError, what: str) -> ReconcilerError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _BY_CODE.get(code)
    if kind is None:
        kind = AccessDeniedError if status == _FORBIDDEN else StoreUnavailableError if status >= _SERVER_ERROR else StoreError
    if kind is EmptyObjectError:
        return EmptyObjectError()
    said = f"{code} {answer.get('Message') or ''}".rstrip()
    if kind is BucketNotFoundError:
        return kind(f"the bucket does not exist ({said}, {what})", code=code, status=status)
    return kind(f"{what}: {said}", code=code, status=status)
