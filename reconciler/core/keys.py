"""Keys: how ours are made, and how a key is read out of what a form hands back.

A key is `{prefix}{yyyy}/{mm}/{dd}/{uuid4}{.ext}`: unguessable, never reused, and sorted by day, so that a listing can begin at
a day. The user's filename is never part of it, and neither is the extension the user chose: it follows the declared type.
"""

import mimetypes
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from reconciler.errors import InvalidReferenceError

MAX_KEY_BYTES = 1024  # S3 user guide, "Creating object key names"
SYSTEM_FOLDER = ".reconciler/"

_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
}
_BUILT_IN_TYPES = mimetypes.MimeTypes(filenames=())


def extension_for(content_type: str) -> str:
    """Return the extension of a media type, with its dot; empty where none is known."""
    return _EXTENSIONS.get(content_type) or _BUILT_IN_TYPES.guess_extension(content_type) or ""


def make_key(prefix: str, *, now: datetime, unique: UUID, content_type: str) -> str:
    """Return the key of a new upload."""
    return f"{day_start(prefix, now.date())}{unique}{extension_for(content_type)}"


def day_start(prefix: str, day: date) -> str:
    """Return what every key of a day begins with; all later days' keys sort after it."""
    return f"{prefix}{day:%Y/%m/%d}/"


def marker_key(prefix: str) -> str:
    """Return the key of the object that binds the bucket to its table."""
    return f"{prefix}{SYSTEM_FOLDER}instance.json"


def store_key(prefix: str) -> str:
    """Return the key of the object that says what the store makes of the bucket policy."""
    return f"{prefix}{SYSTEM_FOLDER}store.json"


def is_marker(key: str) -> bool:
    """Say whether a key is the marker of any deployment."""
    return f"/{key}".endswith(f"/{SYSTEM_FOLDER}instance.json")


def ancestors(prefix: str) -> list[str]:
    """Return the folders that a prefix lies in, the bucket itself first."""
    parts = prefix.split("/")[:-2]
    return ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)]


def is_system(key: str, *, prefix: str) -> bool:
    """Say whether a key belongs to reconciler itself; every finder skips those."""
    return key.startswith(prefix + SYSTEM_FOLDER)


def parse_reference(reference: Any, *, bucket: str, prefix: str) -> str:
    """Return the key that a form's value stands for.

    Accepted are the key itself and every URL form of the object: `s3://bucket/key`, virtual-hosted, path style, with or
    without a query. What names another bucket, another prefix, or reconciler's own objects raises InvalidReferenceError.
    """
    if not isinstance(reference, str) or not reference.strip():
        raise InvalidReferenceError("the key is empty", hint="hand over the ticket's key, or the object's URL")
    key = _key_of_url(reference, bucket) if "://" in reference else reference
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES or not key.isprintable():
        raise InvalidReferenceError(f"the key is longer than {MAX_KEY_BYTES} bytes or holds unprintable characters")
    if not key.startswith(prefix) or key == prefix or is_system(key, prefix=prefix):
        raise InvalidReferenceError(f"{key!r} is not an upload under the prefix {prefix!r}")
    return key


def _is_virtual(host: str, bucket: str) -> bool:
    """Say whether a host is the bucket's own; on AWS the bucket `photos` is not `photos.backup`, whose host begins alike."""
    if not host.startswith(f"{bucket}."):
        return False
    service = host.removeprefix(f"{bucket}.")
    return service.startswith(("s3.", "s3-")) or not service.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _key_of_url(url: str, bucket: str) -> str:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise InvalidReferenceError(f"{url.split('?', maxsplit=1)[0]!r} is not a URL") from error
    path = unquote(parts.path.removeprefix("/"))
    if parts.scheme == "s3" and parts.netloc == bucket:
        return path
    if parts.scheme in ("http", "https"):
        if _is_virtual(host, bucket):
            return path
        if path.startswith(f"{bucket}/"):
            return path.removeprefix(f"{bucket}/")
    raise InvalidReferenceError(f"{url.split('?', maxsplit=1)[0]!r} does not name an object in the bucket {bucket!r}")
