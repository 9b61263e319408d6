"""Magic numbers: what the first bytes of an object say it is.

A filter against mistakes and crude lies, not protection: a polyglot passes any such check. Serve uploads from a domain of
their own, with `nosniff`.
"""

SNIFF_BYTES = 512

_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# ISO base media "ftyp" brands, registered at mp4ra.org
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), "image/heic"
)
RECOGNISED = frozenset({"image/webp", *(kind for _, kind in _SIGNATURES), *_BRANDS.values()})


def sniff(head: bytes) -> str | None:
    """Return the media type that the first bytes show; None where they are not recognised."""
    for magic, kind in _SIGNATURES:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _brand(head)
    return None


def agrees(declared: str, head: bytes) -> bool:
    """Say whether the first bytes may be of the declared type.

    A recognised type must be found; for any other, only bytes that are plainly something else disagree.
    """
    found = sniff(head)
    return found == declared if declared in RECOGNISED else found is None


def _brand(head: bytes) -> str | None:
    # The major brand, then the compatible ones: many AVIF files carry mif1 first. AVIF is the narrower claim.
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if kinds and brands[0] in (b"mif1", b"msf1") and "image/avif" in kinds:
        return "image/avif"
    return kinds[0] if kinds else None
