"""Magic numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.sniff import RECOGNISED, SNIFF_BYTES, agrees, sniff


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """An ISO base media file's first box, and the start of the next one."""
    brands = major + b"\0\0\0\0" + b"".join(compatible)
    return (len(brands) + 8).to_bytes(4, "big") + b"ftyp" + brands + b"\0\0\0\x08meta"


HEADS = {
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    "gif87a": (b"GIF87a\1\0\1\0", "image/gif"),
    "gif89a": (b"GIF89a\1\0\1\0", "image/gif"),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    "avif": (ftyp(b"avif", b"mif1", b"miaf"), "image/avif"),
    "avif-sequence": (ftyp(b"avis", b"msf1"), "image/avif"),
    "avif-with-major-mif1": (ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
    "avif-with-major-msf1": (ftyp(b"msf1", b"avif"), "image/avif"),
    "heic": (ftyp(b"heic", b"mif1", b"heic"), "image/heic"),
    "heic-with-major-mif1": (ftyp(b"mif1", b"heic"), "image/heic"),
    "heic-sequence": (ftyp(b"hevc", b"msf1"), "image/heic"),
}
OTHERS = {
    "empty": b"",
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg">',
    "xml": b'<?xml version="1.0"?>',
    "pdf": b"%PDF-1.7",
    "wave": b"RIFF\x24\0\0\0WAVEfmt ",
    "mp4": ftyp(b"isom", b"iso2", b"avc1"),
    "jpeg-behind-a-byte": b"\0\xff\xd8\xff",
    "avif-behind-the-box": ftyp(b"isom")[:16] + b"avif",
}


@pytest.mark.parametrize(("head", "kind"), HEADS.values(), ids=HEADS)
def test_each_format_is_recognised(head: bytes, kind: str) -> None:
    """By its first bytes alone."""
    assert sniff(head) == kind


def test_every_recognised_type_has_an_example() -> None:
    """Six formats, no more and no fewer."""
    assert {kind for _, kind in HEADS.values()} == RECOGNISED


@pytest.mark.parametrize("head", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_not(head: bytes) -> None:
    """Neither markup nor other containers."""
    assert sniff(head) is None


@pytest.mark.parametrize(("head", "kind"), HEADS.values(), ids=HEADS)
def test_truncated_bytes_are_never_another_format(head: bytes, kind: str) -> None:
    """However little has arrived: the same, or nothing; of two image brands the one already read."""
    found = {sniff(head[:length]) for length in range(len(head))}
    assert found <= {None, kind, "image/heic"}


@pytest.mark.parametrize(("head", "kind"), HEADS.values(), ids=HEADS)
def test_a_recognised_type_must_be_found(head: bytes, kind: str) -> None:
    """An image agrees with its own type and with no other."""
    assert {declared for declared in RECOGNISED if agrees(declared, head)} == {kind}


@pytest.mark.parametrize("head", OTHERS.values(), ids=OTHERS)
def test_markup_is_no_image(head: bytes) -> None:
    """What is not recognised disagrees with every image type."""
    assert {declared for declared in RECOGNISED if agrees(declared, head)} == set()


def test_another_type_disagrees_only_with_what_is_plainly_an_image() -> None:
    """There is no magic number for it, so only a foreign one speaks against it."""
    assert agrees("application/pdf", OTHERS["pdf"])
    assert agrees("text/plain", b"")
    assert not agrees("text/plain", HEADS["png"][0])


@given(st.binary(max_size=SNIFF_BYTES))
def test_any_bytes_are_taken(head: bytes) -> None:
    """Nothing is ever raised, and only known types are named."""
    assert sniff(head) in RECOGNISED | {None}


@given(st.binary(max_size=4), st.binary(max_size=64))
def test_any_container_is_taken(size: bytes, rest: bytes) -> None:
    """Lengths that lie do no harm."""
    assert sniff(size + b"ftyp" + rest) in RECOGNISED | {None}
