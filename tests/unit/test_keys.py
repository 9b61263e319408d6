"""Keys: making them, and reading them out of what a form hands back."""

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.builders import BUCKET, KEY, NOW, PREFIX

from reconciler.core.keys import MAX_KEY_BYTES, day_start, extension_for, is_system, make_key, marker_key, parse_reference
from reconciler.errors import InvalidReferenceError

UNIQUE = UUID("0b5c3c1e-6f0e-4c53-9f0a-3f6f1a2b3c4d")
FORMS = {
    "s3": "s3://{bucket}/{path}",
    "virtual-hosted": "https://{bucket}.s3.eu-central-1.amazonaws.com/{path}",
    "virtual-hosted-global": "https://{bucket}.s3.amazonaws.com/{path}",
    "virtual-hosted-elsewhere": "https://{bucket}.storage.example/{path}",
    "path-style": "https://s3.eu-central-1.amazonaws.com/{bucket}/{path}",
    "path-style-port": "http://127.0.0.1:8333/{bucket}/{path}",
    "accelerate": "https://{bucket}.s3-accelerate.amazonaws.com/{path}",
    "dualstack": "https://{bucket}.s3.dualstack.eu-central-1.amazonaws.com/{path}",
    "upper-case-host": "HTTPS://{bucket}.S3.amazonaws.com/{path}",
    "query": "https://{bucket}.s3.amazonaws.com/{path}?X-Amz-Signature=abc&versionId=1",
    "fragment": "https://{bucket}.s3.amazonaws.com/{path}#top",
}


def parse(reference: Any) -> str:
    return parse_reference(reference, bucket=BUCKET, prefix=PREFIX)


# Making


def test_a_key_holds_prefix_day_id_and_extension() -> None:
    """{prefix}{yyyy}/{mm}/{dd}/{uuid4}{.ext}."""
    assert make_key(PREFIX, now=NOW, unique=UNIQUE, content_type="image/jpeg") == f"uploads/2026/11/22/{UNIQUE}.jpg"


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        ("image/jpeg", ".jpg"),
        ("image/png", ".png"),
        ("image/gif", ".gif"),
        ("image/webp", ".webp"),
        ("image/avif", ".avif"),
        ("image/heic", ".heic"),
        ("application/pdf", ".pdf"),
        ("application/x-nobody-knows", ""),
    ],
)
def test_the_extension_follows_the_type(content_type: str, extension: str) -> None:
    """Empty where none is known; the user's own is never used."""
    assert extension_for(content_type) == extension


@given(st.dates(min_value=date(2000, 1, 1)), st.dates(min_value=date(2000, 1, 1)), st.uuids(), st.uuids())
def test_later_days_sort_later(one: date, other: date, first: UUID, second: UUID) -> None:
    """The key of an earlier day sorts before the start of any later day."""
    early, late = sorted((one, other))
    key = make_key(PREFIX, now=datetime(early.year, early.month, early.day, tzinfo=UTC), unique=first, content_type="image/png")
    assert key.startswith(day_start(PREFIX, early))
    assert early == late or key < day_start(PREFIX, late)


def test_the_marker_is_a_system_object() -> None:
    """Every finder skips it, and nothing else of ours."""
    assert is_system(marker_key(PREFIX), prefix=PREFIX)
    assert not is_system(KEY, prefix=PREFIX)
    assert not is_system(f"{PREFIX}2026/.reconciler/x", prefix=PREFIX)


# Reading


def test_a_key_stands_for_itself() -> None:
    """What the ticket said comes back."""
    assert parse(KEY) == KEY


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_url_names_its_key(form: str) -> None:
    """Whatever address the application has stored."""
    assert parse(form.format(bucket=BUCKET, path=KEY)) == KEY


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_percent_encoding_is_undone_once(form: str) -> None:
    """And `+` is a plus: in a path it is no blank."""
    key = "uploads/a b+c%41é/\u65e5.jpg"
    assert parse(form.format(bucket=BUCKET, path=quote(key))) == key


def test_a_key_is_not_decoded() -> None:
    """Only URLs are percent-encoded."""
    assert parse("uploads/a%20b+c.jpg") == "uploads/a%20b+c.jpg"


def test_a_bucket_may_be_named_like_the_prefix() -> None:
    """Path style and virtual-hosted are told apart."""
    for url in ("http://127.0.0.1:8333/uploads/uploads/a.jpg", "https://uploads.s3.amazonaws.com/uploads/a.jpg"):
        assert parse_reference(url, bucket="uploads", prefix=PREFIX) == "uploads/a.jpg"


def test_dots_are_only_characters() -> None:
    """A key is a name, not a path: `..` is never resolved, so it leads nowhere."""
    assert parse("uploads/../secret.jpg") == "uploads/../secret.jpg"
    assert parse("https://photos.s3.amazonaws.com/uploads/%2e%2e/secret.jpg") == "uploads/../secret.jpg"


def test_a_key_may_have_1024_bytes() -> None:
    """Bytes of UTF-8, not characters."""
    key = PREFIX + "é" * ((MAX_KEY_BYTES - len(PREFIX)) // 2)
    assert len(key.encode()) == MAX_KEY_BYTES
    assert parse(key) == key


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("", id="empty"),
        pytest.param("  \t", id="blank"),
        pytest.param(None, id="none"),
        pytest.param(42, id="number"),
        pytest.param(KEY.encode(), id="bytes"),
        pytest.param([KEY], id="list"),
        pytest.param(PREFIX, id="the-prefix-itself"),
        pytest.param("other/a.jpg", id="foreign-prefix"),
        pytest.param("uploads2/a.jpg", id="neighbour-prefix"),
        pytest.param("/uploads/a.jpg", id="leading-slash"),
        pytest.param("Uploads/a.jpg", id="other-case"),
        pytest.param("uploads/.reconciler/instance.json", id="own-folder"),
        pytest.param("https://photos.s3.amazonaws.com/uploads/%2Ereconciler/instance.json", id="own-folder-encoded"),
        pytest.param(f"{PREFIX}{'a' * MAX_KEY_BYTES}", id="too-long"),
        pytest.param(f"{PREFIX}{'é' * 510}", id="too-many-bytes"),
        pytest.param("uploads/a\nb.jpg", id="newline"),
        pytest.param("uploads/a\x00b.jpg", id="nul"),
        pytest.param("uploads/a\x7fb.jpg", id="delete"),
        pytest.param("uploads/a\u202eb.jpg", id="bidi-override"),
        pytest.param("uploads/\ud800.jpg", id="lone-surrogate"),
        pytest.param("https://photos.s3.amazonaws.com/uploads/a%00b.jpg", id="nul-encoded"),
        pytest.param(f"s3://other/{KEY}", id="s3-other-bucket"),
        pytest.param(f"s3://photos2/{KEY}", id="s3-neighbour-bucket"),
        pytest.param(f"https://other.s3.amazonaws.com/{KEY}", id="virtual-hosted-other-bucket"),
        pytest.param(f"https://photos2.s3.amazonaws.com/{KEY}", id="virtual-hosted-neighbour-bucket"),
        pytest.param(f"https://photos.backup.s3.eu-central-1.amazonaws.com/{KEY}", id="virtual-hosted-longer-bucket"),
        pytest.param(f"https://s3.amazonaws.com/other/{KEY}", id="path-style-other-bucket"),
        pytest.param(f"https://s3.amazonaws.com/photos2/{KEY}", id="path-style-neighbour-bucket"),
        pytest.param("https://photos.s3.amazonaws.com/uploads2/a.jpg", id="url-neighbour-prefix"),
        pytest.param("https://photos.s3.amazonaws.com/", id="url-without-key"),
        pytest.param(f"ftp://photos.s3.amazonaws.com/{KEY}", id="other-scheme"),
        pytest.param("https://[::1/uploads/a.jpg", id="broken-url"),
        pytest.param("javascript://photos.s3/uploads/a.jpg", id="javascript"),
    ],
)
def test_what_is_not_ours_is_refused(reference: Any) -> None:
    """Another bucket, another prefix, reconciler's own objects, or no text at all."""
    with pytest.raises(InvalidReferenceError):
        parse(reference)


def test_a_refusal_does_not_show_the_query() -> None:
    """A signed URL is never written into an error."""
    with pytest.raises(InvalidReferenceError) as caught:
        parse(f"https://other.s3.amazonaws.com/{KEY}?X-Amz-Signature=secret")
    assert "secret" not in str(caught.value)


PREFIXES = st.lists(st.text("abcXYZ019!_*'()-", min_size=1, max_size=9), min_size=1, max_size=3).map(
    lambda parts: "".join(f"{part}/" for part in parts)
)


@given(PREFIXES, st.datetimes(min_value=datetime(2000, 1, 1)), st.uuids(version=4), st.sampled_from(list(FORMS.values())))  # noqa: DTZ001
def test_a_made_key_comes_back_from_its_url(prefix: str, now: datetime, unique: UUID, form: str) -> None:
    """make_key, then any URL of it, then parse_reference: the same key."""
    key = make_key(prefix, now=now.replace(tzinfo=UTC), unique=unique, content_type="image/jpeg")
    url = form.format(bucket=BUCKET, path=quote(key, safe="/~"))
    assert parse_reference(url, bucket=BUCKET, prefix=prefix) == key


@given(st.text())
def test_any_text_is_a_key_of_ours_or_refused(text: str) -> None:
    """Nothing else is ever raised."""
    for reference in (text, PREFIX + text, f"https://photos.s3.amazonaws.com/{text}", f"s3://photos/{text}", f"https://{text}"):
        try:
            assert parse(reference).startswith(PREFIX)
        except InvalidReferenceError:
            continue
