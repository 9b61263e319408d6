"""What may be asked for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.requests import MAX_METADATA, MAX_NAME, Allowed, check_filename, check_metadata, check_owner
from reconciler.errors import (
    InvalidFilenameError,
    InvalidMetadataError,
    InvalidOwnerError,
    SizeNotAllowedError,
    TypeNotAllowedError,
)

ALLOWED = Allowed(content_types=frozenset({"image/jpeg", "image/png"}), max_size=1000)

# Owners


@pytest.mark.parametrize("owner", ["user:42", "x", "é" * MAX_NAME, "a b"], ids=["usual", "short", "longest", "blank"])
def test_an_owner_is_kept_as_it_is(owner: str) -> None:
    """1 to 255 characters."""
    assert check_owner(owner) == owner


@pytest.mark.parametrize(
    "owner",
    [None, 42, b"user:42", "", " ", "x" * (MAX_NAME + 1), "a\nb", "a\x00b", "\ud800"],
    ids=["none", "number", "bytes", "empty", "blank", "too-long", "newline", "nul", "surrogate"],
)
def test_an_unusable_owner_is_refused(owner: Any) -> None:
    """An owner that nobody meant must never match."""
    with pytest.raises(InvalidOwnerError):
        check_owner(owner)


# Filenames


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param("me.jpg", id="usual"),
        pytest.param("Urlaub \U0001f3d6\ufe0f 2026.jpg", id="emoji"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467.png", id="joined-emoji"),
        pytest.param("x" * MAX_NAME, id="longest"),
        pytest.param("...", id="three-dots"),
        pytest.param(".hidden", id="hidden"),
        pytest.param("a..b", id="dots-within"),
    ],
)
def test_a_filename_is_kept_as_it_is(filename: str) -> None:
    """It only stands in the row."""
    assert check_filename(filename) == filename


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param(None, id="none"),
        pytest.param(b"me.jpg", id="bytes"),
        pytest.param("", id="empty"),
        pytest.param(" \u3000", id="blank"),
        pytest.param("a/me.jpg", id="slash"),
        pytest.param("C:\\fakepath\\me.jpg", id="backslash"),
        pytest.param("..", id="parent"),
        pytest.param(".", id="self"),
        pytest.param("x" * 256, id="256-characters"),
        pytest.param("x" * 300, id="300-characters"),
        pytest.param("a\x00b", id="nul"),
        pytest.param("a\r\nb", id="line-break"),
        pytest.param("a\x7fb", id="delete"),
        pytest.param("a\ud800b.jpg", id="lone-surrogate"),
    ],
)
def test_an_unusable_filename_is_refused(filename: Any) -> None:
    """Path parts, control characters, what no database can keep, too long, or none at all."""
    with pytest.raises(InvalidFilenameError):
        check_filename(filename)


# Metadata


def test_metadata_is_kept_as_it_reads_back() -> None:
    """Tuples become lists and keys become text, as JSON has it; None is empty."""
    assert check_metadata({"a": (1, 2), 3: None}) == {"a": [1, 2], "3": None}
    assert check_metadata(None) == check_metadata({}) == {}


def test_metadata_is_a_copy() -> None:
    """What the caller does to it afterwards changes nothing."""
    given_ = {"list": [1]}
    kept = check_metadata(given_)
    given_["list"].append(2)
    assert kept == {"list": [1]}


def test_metadata_may_take_4096_bytes() -> None:
    """Of JSON, all in all."""
    fits = {"a": "x" * (MAX_METADATA - len('{"a": ""}'))}
    assert len(json.dumps(fits)) == MAX_METADATA
    assert check_metadata(fits) == fits
    with pytest.raises(InvalidMetadataError, match="4097 bytes"):
        check_metadata({"a": fits["a"] + "x"})


def test_the_bytes_are_those_of_the_json() -> None:
    """A character beyond ASCII takes six."""
    with pytest.raises(InvalidMetadataError):
        check_metadata({"a": "é" * 1000})


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


CIRCULAR: dict[str, Any] = {}
CIRCULAR["self"] = CIRCULAR


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param([("a", 1)], id="list"),
        pytest.param("text", id="text"),
        pytest.param(0, id="zero"),
        pytest.param({"a": b"bytes"}, id="bytes-within"),
        pytest.param({"a": {1, 2}}, id="set-within"),
        pytest.param({"a": object()}, id="object-within"),
        pytest.param({"a": float("nan")}, id="nan"),
        pytest.param({"a": float("inf")}, id="infinity"),
        pytest.param({(1, 2): "a"}, id="key-no-text"),
        pytest.param(CIRCULAR, id="circular"),
        pytest.param({"a": nested(100_000)}, id="nested-too-deep"),
    ],
)
def test_what_is_not_json_is_refused(metadata: Any) -> None:
    """One error for all of it, before anything is remembered."""
    with pytest.raises(InvalidMetadataError):
        check_metadata(metadata)


NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=3))
def test_any_small_json_is_kept(metadata: dict[str, Any]) -> None:
    """It reads back as it was given."""
    assert check_metadata(metadata) == metadata


# Types


@pytest.mark.parametrize("asked", ["image/jpeg", "IMAGE/JPEG", " image/jpeg "], ids=["usual", "upper-case", "blanks"])
def test_an_allowed_type_is_normalised(asked: str) -> None:
    """In lower case, without blanks: what is signed and compared later."""
    assert ALLOWED.check_type(asked) == "image/jpeg"


@pytest.mark.parametrize(
    "asked",
    ["image/gif", "", "image/*", "image/jpeg; charset=utf-8", "image/jpeg\r\nx: y", None, 42],
    ids=["other", "empty", "wildcard", "parameter", "header-injection", "none", "number"],
)
def test_any_other_type_is_refused(asked: Any) -> None:
    """The hint names those that are allowed."""
    with pytest.raises(TypeNotAllowedError) as caught:
        ALLOWED.check_type(asked)
    assert caught.value.hint == "allowed are image/jpeg, image/png"


# Sizes


@pytest.mark.parametrize("size", [1, 1000])
def test_an_allowed_size_is_kept(size: int) -> None:
    """From one byte to the largest, both included."""
    assert ALLOWED.check_size(size) == size


@pytest.mark.parametrize("size", [True, 0, -1, 1001, 10**30, 1.0, "5", None], ids=str)
def test_any_other_size_is_refused(size: Any) -> None:
    """Only whole numbers of bytes; a truth value is none."""
    with pytest.raises(SizeNotAllowedError):
        ALLOWED.check_size(size)
