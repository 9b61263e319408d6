"""What a signed request must cover before it is handed out."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from unit.builders import KEY, NOW

from reconciler.adapters.memory import MemorySigner
from reconciler.errors import SigningError
from reconciler.ports import SignedRequest
from reconciler.presign import POST_CONDITIONS, PUT_HEADERS, PresignedUpload, check_signed_post, check_signed_put

SIGV4 = "AWS4-HMAC-SHA256"
CONDITIONS: list[Any] = [
    {"bucket": "photos"},
    {"key": KEY},
    {"tagging": "<Tagging/>"},
    {"Content-Type": "image/jpeg"},
    ["content-length-range", 1, 1000],
    {"x-amz-algorithm": SIGV4},
]


def put(headers: frozenset[str] = PUT_HEADERS, **query: str) -> SignedRequest:
    values = {"X-Amz-Algorithm": SIGV4, "X-Amz-SignedHeaders": ";".join(sorted(headers)), **query}
    text = "&".join(f"{name}={quote(value)}" for name, value in values.items())
    return SignedRequest(method="PUT", url=f"https://photos.invalid/{KEY}?{text}", headers={}, fields={})


def post(conditions: list[Any] = CONDITIONS, **fields: str) -> SignedRequest:
    policy = base64.b64encode(json.dumps({"conditions": conditions}).encode()).decode()
    values = {"x-amz-algorithm": SIGV4, "policy": policy, **fields}
    return SignedRequest(method="POST", url="https://photos.invalid/", headers={}, fields=values)


def named(name: str) -> list[Any]:
    """The conditions on one field."""
    return [each for each in CONDITIONS if name in (next(iter(each)).lower() if isinstance(each, dict) else each[0])]


# PUT


def test_a_put_that_covers_everything_is_good() -> None:
    """More than is asked for does no harm."""
    check_signed_put(put())
    check_signed_put(put(PUT_HEADERS | {"x-amz-checksum-crc32"}))


def test_the_signer_in_memory_covers_everything() -> None:
    """Its requests look like signed ones."""
    check_signed_put(MemorySigner("photos").put(KEY, content_type="image/jpeg", size=1, seconds=60))


@pytest.mark.parametrize("header", sorted(PUT_HEADERS))
def test_a_put_must_sign_each_header(header: str) -> None:
    """What is not signed, S3 does not check; the error names it."""
    with pytest.raises(SigningError, match=f": {header}$"):
        check_signed_put(put(PUT_HEADERS - {header}))


@pytest.mark.parametrize("algorithm", ["", "AWS4-ECDSA-P256-SHA256", "AWS"])
def test_a_put_must_be_signed_with_sigv4(algorithm: str) -> None:
    """SigV2 drops the very headers that matter."""
    with pytest.raises(SigningError, match="not SigV4"):
        check_signed_put(put(**{"X-Amz-Algorithm": algorithm}))


def test_a_sigv2_put_is_refused() -> None:
    """As botocore writes it."""
    url = f"https://photos.invalid/{KEY}?AWSAccessKeyId=a&Signature=b&Expires=1&x-amz-tagging=status%3Dpending"
    with pytest.raises(SigningError, match="SigV2 or nothing"):
        check_signed_put(SignedRequest(method="PUT", url=url, headers={}, fields={}))


def test_headers_named_in_the_request_alone_are_not_signed() -> None:
    """Only X-Amz-SignedHeaders counts."""
    request = SignedRequest(
        method="PUT", url=put(frozenset({"host"})).url, headers={"x-amz-tagging": "status=pending"}, fields={}
    )
    with pytest.raises(SigningError, match="x-amz-tagging"):
        check_signed_put(request)


# POST


def test_a_post_that_fixes_everything_is_good() -> None:
    """Names are compared without case."""
    check_signed_post(post())


@pytest.mark.parametrize("name", sorted(POST_CONDITIONS))
def test_a_post_must_fix_each_condition(name: str) -> None:
    """What the policy leaves open, the client may choose; the error names it."""
    (condition,) = named(name)
    with pytest.raises(SigningError, match=f": {name}$"):
        check_signed_post(post([each for each in CONDITIONS if each != condition]))


@pytest.mark.parametrize("name", sorted(POST_CONDITIONS - {"content-length-range"}))
def test_a_starts_with_fixes_nothing(name: str) -> None:
    """It would leave the rest of the value to the client."""
    (condition,) = named(name)
    others = [each for each in CONDITIONS if each != condition]
    with pytest.raises(SigningError, match=f": {name}$"):
        check_signed_post(post([*others, ["starts-with", f"${name}", ""]]))


@pytest.mark.parametrize("algorithm", ["", "AWS"])
def test_a_post_must_be_signed_with_sigv4(algorithm: str) -> None:
    """Whatever its policy says."""
    with pytest.raises(SigningError, match="not SigV4"):
        check_signed_post(post(**{"x-amz-algorithm": algorithm}))


@pytest.mark.parametrize("fields", [{}, {"x-amz-algorithm": SIGV4}], ids=["nothing", "no-policy"])
def test_an_unsigned_post_is_refused(fields: dict[str, str]) -> None:
    """No policy fixes nothing."""
    with pytest.raises(SigningError):
        check_signed_post(SignedRequest(method="POST", url="https://photos.invalid/", headers={}, fields=fields))


# The ticket


def ticket() -> PresignedUpload:
    return PresignedUpload(
        method="POST",
        url="https://photos.invalid/?X-Amz-Signature=secret",
        headers={},
        fields={"policy": "secret"},
        key=KEY,
        expires_at=NOW,
    )


def test_a_ticket_does_not_show_its_signature() -> None:
    """Logging it gives nothing away."""
    assert "secret" not in repr(ticket())


def test_a_ticket_is_ready_for_json() -> None:
    """Everything the browser needs, and nothing that JSON does not know."""
    found = json.loads(json.dumps(ticket().as_dict()))
    assert found == {
        "key": KEY,
        "method": "POST",
        "url": "https://photos.invalid/?X-Amz-Signature=secret",
        "headers": {},
        "fields": {"policy": "secret"},
        "expires_at": "2026-11-22T12:00:00+00:00",
    }
