"""What botocore's errors mean here. No server: every answer is made by hand."""

import string
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from reconciler.adapters.s3.errors import mapped
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

ABSENT = (ObjectNotFoundError, BucketNotFoundError, EmptyObjectError)


def answer(code: str, status: int, message: str = "said the store") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "HeadObject")


def meaning(error: Exception) -> ReconcilerError:
    with pytest.raises(ReconcilerError) as caught, mapped("looking at KEY"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        pytest.param("NoSuchKey", 404, ObjectNotFoundError, id="no-such-key"),
        pytest.param("404", 404, ObjectNotFoundError, id="head-404"),
        pytest.param("NoSuchBucket", 404, BucketNotFoundError, id="no-such-bucket"),
        pytest.param("InvalidRange", 416, EmptyObjectError, id="invalid-range"),
        pytest.param("416", 416, EmptyObjectError, id="head-416"),
        pytest.param("AccessDenied", 403, AccessDeniedError, id="access-denied"),
        pytest.param("403", 403, AccessDeniedError, id="head-403"),
        pytest.param("InvalidAccessKeyId", 403, CredentialsError, id="unknown-access-key"),
        pytest.param("SignatureDoesNotMatch", 403, CredentialsError, id="wrong-signature"),
        pytest.param("AllAccessDisabled", 403, AccessDeniedError, id="any-other-403"),
        pytest.param("SlowDown", 503, StoreUnavailableError, id="slow-down"),
        pytest.param("RequestTimeout", 400, StoreUnavailableError, id="request-timeout"),
        pytest.param("OperationAborted", 409, StoreUnavailableError, id="operation-aborted"),
        pytest.param("InternalError", 500, StoreUnavailableError, id="internal-error"),
        pytest.param("502", 502, StoreUnavailableError, id="bad-gateway"),
        pytest.param("503", 503, StoreUnavailableError, id="head-503"),
        pytest.param("Whatever", 599, StoreUnavailableError, id="any-other-5xx"),
        pytest.param("NoSuchVersion", 404, StoreError, id="no-such-version"),
        pytest.param("NoSuchLifecycleConfiguration", 404, StoreError, id="any-other-404"),
        pytest.param("PreconditionFailed", 412, StoreError, id="precondition-failed"),
        pytest.param("InvalidRequest", 400, StoreError, id="any-other-4xx"),
        pytest.param("PermanentRedirect", 301, StoreError, id="redirect"),
    ],
)
def test_an_answer_means_one_error(code: str, status: int, kind: type[ReconcilerError]) -> None:
    """Exactly this one, raised from botocore's."""
    error = answer(code, status)
    found = meaning(error)
    assert (type(found), found.__cause__) == (kind, error)


@pytest.mark.parametrize("code", ["", "AccessDenied", "403", "Forbidden", "AllAccessDisabled", "InvalidObjectState"])
def test_a_403_is_never_absent(code: str) -> None:
    """Without s3:ListBucket an absent object answers so as well."""
    assert not isinstance(meaning(answer(code, 403)), ABSENT)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504])
@pytest.mark.parametrize("code", ["", "InternalError", "ServiceUnavailable", "404 page not found"])
def test_a_5xx_is_never_absent(status: int, code: str) -> None:
    """What became of the request is unknown."""
    assert type(meaning(answer(code, status))) is StoreUnavailableError


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 405, 409, 410, 412, 429])
def test_a_page_of_a_proxy_is_never_absent(status: int) -> None:
    """Only a code that S3 itself uses counts."""
    assert not isinstance(meaning(answer("Not Found", status)), ABSENT)


def test_an_answer_keeps_its_code_and_status() -> None:
    """Callers look at them, and people read what was being done."""
    found = meaning(answer("PreconditionFailed", 412))
    assert found.facts == {"code": "PreconditionFailed", "status": 412}
    assert found.message == "looking at KEY: PreconditionFailed said the store"


@pytest.mark.parametrize(
    "response", [{}, {"Error": {}}, {"Error": {"Code": "X", "Message": None}}], ids=["empty", "no-code", "no-message"]
)
def test_an_answer_that_says_nothing_is_an_error_all_the_same(response: Any) -> None:
    """And in one line."""
    found = meaning(ClientError(response, "HeadObject"))
    assert type(found) is StoreError
    assert "None" not in found.message


# What never was an answer


def made(kind: type[BotoCoreError]) -> BotoCoreError:
    """Build any of botocore's own exceptions, with something for whatever it wants to say."""
    fields = {name for _, name, _, _ in string.Formatter().parse(kind.fmt) if name}
    values: dict[str, Any] = dict.fromkeys({name.split("[")[0].split(".")[0] for name in fields}, "x")
    if issubclass(kind, exceptions.WaiterError):
        return kind(name="x", reason="x", last_response={})
    return kind(**values)


KINDS = [
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, BotoCoreError) and kind.__module__ == exceptions.__name__
]
NETWORK = {
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "EndpointConnectionError",
    "HTTPClientError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "SSLError",
}
SETTINGS = {"NoCredentialsError", "NoRegionError", "PartialCredentialsError", "ProfileNotFound"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_everything_botocore_raises_becomes_ours(kind: type[BotoCoreError]) -> None:
    """And never an object, a bucket or a byte that is not there."""
    found = meaning(made(kind))
    assert isinstance(found, StoreError | SettingsError)
    assert not isinstance(found, ABSENT)


@pytest.mark.parametrize("name", sorted(NETWORK))
def test_a_network_that_fails_leaves_it_unknown(name: str) -> None:
    """Refused, timed out, or broken off in between."""
    assert type(meaning(made(getattr(exceptions, name)))) is StoreUnavailableError


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_what_was_not_configured_is_a_setting(name: str) -> None:
    """The hint names AWS's own variables."""
    found = meaning(made(getattr(exceptions, name)))
    assert type(found) is SettingsError
    assert "AWS_PROFILE" in found.hint


def test_an_unknown_error_passes_through() -> None:
    """A bug is not dressed up as a store's failure."""
    with pytest.raises(ZeroDivisionError), mapped("looking at KEY"):
        raise ZeroDivisionError
