"""What may be asked for: owners, filenames, types, sizes and metadata, refused before anything is remembered or signed."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import (
    InvalidFilenameError,
    InvalidMetadataError,
    InvalidOwnerError,
    SizeNotAllowedError,
    TypeNotAllowedError,
)

MAX_NAME = 255  # characters of an owner or a filename: the columns' width, and what file systems allow
MAX_METADATA = 4096  # bytes of JSON
MAX_PUT = 5 * 1024**3  # bytes; larger objects need multipart (S3 user guide, "Uploading objects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may be uploaded: media types, and the largest size in bytes."""

    content_types: frozenset[str]
    max_size: int

    def check_type(self, content_type: str) -> str:
        """Return the normalised media type, or raise TypeNotAllowedError."""
        kind = str(content_type).strip().lower()
        if kind not in self.content_types:
            raise TypeNotAllowedError(
                f"{kind or 'an empty type'} may not be uploaded",
                hint=f"allowed are {', '.join(sorted(self.content_types))}",
            )
        return kind

    def check_size(self, size: Any) -> int:
        """Return the size, or raise SizeNotAllowedError."""
        if not isinstance(size, int) or isinstance(size, bool):
            raise SizeNotAllowedError(f"the size is {size!r}, not a whole number", hint="hand over the bytes as an int")
        if not 1 <= size <= self.max_size:
            raise SizeNotAllowedError(f"{size} bytes may not be uploaded", hint=f"allowed are 1 to {self.max_size} bytes")
        return size


def check_owner(owner: Any) -> str:
    """Return the owner, or raise InvalidOwnerError."""
    if not isinstance(owner, str) or not owner.strip() or len(owner) > MAX_NAME or not owner.isprintable():
        raise InvalidOwnerError(hint='hand over who is logged in, such as owner="user:42"')
    return owner


def check_filename(filename: Any) -> str:
    """Return the user's filename, or raise InvalidFilenameError. It is kept in the row and never becomes part of a key."""
    if not isinstance(filename, str) or not filename.strip():
        raise InvalidFilenameError("the filename is empty")
    if len(filename) > MAX_NAME:
        raise InvalidFilenameError(f"the filename has {len(filename)} characters; at most {MAX_NAME} are allowed")
    if re.search(r"[/\\]", filename) or filename in (".", ".."):
        raise InvalidFilenameError("the filename holds path parts", hint="send the name alone, as the browser's File.name")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in filename):  # control characters, lone surrogates
        raise InvalidFilenameError("the filename holds control characters")
    return filename


def check_metadata(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the metadata as it will read back from JSON, or raise InvalidMetadataError."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidMetadataError("the metadata is not a mapping")
    try:
        text = json.dumps(dict(metadata or {}), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMetadataError(f"the metadata cannot be written as JSON: {error}") from error
    if len(text.encode()) > MAX_METADATA:
        raise InvalidMetadataError(f"the metadata takes {len(text.encode())} bytes of JSON; at most {MAX_METADATA} are kept")
    kept: dict[str, Any] = json.loads(text)
    return kept
