"""How clients are made, and that signing is SigV4 whichever client comes in. No request leaves."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from unit.builders import KEY

from reconciler.adapters.s3 import S3Signer, make_client
from reconciler.errors import SettingsError
from reconciler.presign import check_signed_post, check_signed_put

ENDPOINT = "http://127.0.0.1:1"
REGIONS = ["us-east-1", "eu-central-1", "ap-south-1", "us-gov-west-1", "cn-north-1"]
CONFIGS = {
    "default": None,
    "s3": Config(signature_version="s3"),
    "s3v4": Config(signature_version="s3v4"),
    "virtual": Config(s3={"addressing_style": "virtual"}),
    "path": Config(s3={"addressing_style": "path"}),
}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def put_url(client: Any) -> str:
    request = S3Signer(client, "photos").put(KEY, content_type="image/jpeg", size=5, seconds=900)
    check_signed_put(request)
    return request.url


# Making clients


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_a_custom_endpoint_is_addressed_by_path(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name has no subdomains, and it needs no region."""
    if source == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", ENDPOINT)
    client = make_client(endpoint_url=ENDPOINT if source == "argument" else None)
    assert put_url(client).startswith(f"{ENDPOINT}/photos/{KEY}?")


@pytest.mark.parametrize("region", REGIONS[1:])
def test_aws_is_addressed_by_bucket_and_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The global name would redirect the browser, and break CORS."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    assert put_url(make_client()).startswith(f"https://photos.s3.{region}.{domain}/{KEY}?")


def test_the_first_region_may_go_by_the_global_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where the global name leads."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert urlsplit(put_url(make_client())).netloc in ("photos.s3.amazonaws.com", "photos.s3.us-east-1.amazonaws.com")


def test_the_region_is_what_the_hint_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION is the name that we document."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert put_url(make_client()).startswith("https://photos.s3.eu-central-1.amazonaws.com/")


def test_acceleration_is_addressed_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bucket, without a region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert put_url(make_client(accelerate=True)).startswith(f"https://photos.s3-accelerate.amazonaws.com/{KEY}?")


def test_aws_without_a_region_is_refused() -> None:
    """One line, and what to set."""
    with pytest.raises(SettingsError) as caught:
        make_client()
    assert (caught.value.message, caught.value.hint) == ("no AWS region is set", "set AWS_REGION to the bucket's region")


def test_an_unknown_profile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        make_client(endpoint_url=ENDPOINT)


def test_signing_without_credentials_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names AWS's own variables."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SettingsError, match="credentials") as caught:
        put_url(make_client(endpoint_url=ENDPOINT))
    assert "AWS_PROFILE" in caught.value.hint


def test_requests_are_signed_with_sigv4_and_do_not_wait_for_ever() -> None:
    """What botocore's defaults leave open is set."""
    config: Any = make_client(endpoint_url=ENDPOINT).meta.config
    assert (config.signature_version, config.connect_timeout, config.read_timeout) == ("s3v4", 5, 10)


# Signing


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> Config | None:
    """What a caller's own client may have been made with."""
    return CONFIGS[request.param]


@pytest.mark.parametrize("region", REGIONS)
def test_every_client_presigns_a_put_with_sigv4(region: str, config: Config | None) -> None:
    """With every header that S3 must check, for as long as was asked."""
    query = parse_qs(urlsplit(put_url(boto3.client("s3", region_name=region, config=config))).query)
    assert (query["X-Amz-Algorithm"], query["X-Amz-Expires"]) == (["AWS4-HMAC-SHA256"], ["900"])
    assert f"/{region}/s3/aws4_request" in query["X-Amz-Credential"][0]


@pytest.mark.parametrize("region", REGIONS)
def test_every_client_presigns_a_post_with_sigv4(region: str, config: Config | None) -> None:
    """With a policy that fixes everything that S3 must check."""
    signer = S3Signer(boto3.client("s3", region_name=region, config=config), "photos")
    request = signer.post(KEY, content_type="image/jpeg", min_size=1, max_size=5, seconds=900)
    check_signed_post(request)
    assert (request.method, request.fields["key"], request.fields["Content-Type"]) == ("POST", KEY, "image/jpeg")


@pytest.mark.parametrize("region", REGIONS)
def test_an_object_url_has_no_query(region: str, config: Config | None) -> None:
    """It is stored, and must never hold a signature."""
    signer = S3Signer(boto3.client("s3", region_name=region, config=config), "photos")
    parts = urlsplit(signer.object_url(KEY))
    assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
    assert parts.path in (f"/{KEY}", f"/photos/{KEY}")


def test_an_object_url_is_the_address_of_the_upload(config: Config | None) -> None:
    """The same host and path as the presigned request."""
    client = boto3.client("s3", region_name="eu-central-1", config=config)
    assert S3Signer(client, "photos").object_url(KEY) == put_url(client).split("?")[0]


def test_an_object_url_is_encoded() -> None:
    """Whatever the key holds."""
    signer = S3Signer(make_client(endpoint_url=ENDPOINT), "photos")
    assert signer.object_url("uploads/a b+c?d#é~.jpg") == f"{ENDPOINT}/photos/uploads/a%20b%2Bc%3Fd%23%C3%A9~.jpg"


def test_signing_leaves_requests_alone() -> None:
    """A client that signs its own requests otherwise goes on doing so; only what it presigns is SigV4."""
    client = boto3.client("s3", region_name="us-east-1", config=Config(signature_version="s3"))
    S3Signer(client, "photos")
    assert client.meta.config.signature_version == "s3"


def test_two_signers_may_share_a_client() -> None:
    """Registering twice is registering once."""
    client = boto3.client("s3", region_name="us-east-1")
    assert [urlsplit(put_url(client)).netloc for _ in range(2)] == ["photos.s3.amazonaws.com"] * 2


def test_a_ticket_names_the_headers_to_send() -> None:
    """All but Host and Content-Length, which browsers set."""
    request = S3Signer(make_client(endpoint_url=ENDPOINT), "photos").put(KEY, content_type="image/jpeg", size=5, seconds=60)
    assert request.headers == {"Content-Type": "image/jpeg", "If-None-Match": "*", "x-amz-tagging": "status=pending"}
