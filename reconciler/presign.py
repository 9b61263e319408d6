"""Presigning: one fresh key, one row, one URL that can do one thing.

The row is committed before the URL leaves, so no object can ever arrive without a row. What S3 must check is signed: the tag
`status=pending`, the exact size and type, and that the key is free (`If-None-Match: *`); that it *is* signed is asserted
here, whichever client did the signing.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from reconciler.core import rows
from reconciler.core.keys import make_key, parse_reference
from reconciler.core.model import Status, Upload
from reconciler.core.requests import Allowed, check_filename, check_metadata, check_owner
from reconciler.core.timing import Timing
from reconciler.errors import (
    SigningError,
    SizeNotAllowedError,
    TableBusyError,
    TableError,
    UnknownUploadError,
)
from reconciler.ports import Clock, SignedRequest, Signer, Table

PUT_HEADERS = frozenset({"host", "content-length", "content-type", "if-none-match", "x-amz-tagging"})
POST_CONDITIONS = frozenset({"bucket", "key", "tagging", "content-type", "content-length-range"})
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedUpload:
    """A time-limited, signed request for one key. Whoever holds it can upload: its repr shows neither URL nor fields.

    Attributes:
        method: PUT or POST.
        url: where to send it.
        headers: what to send with a PUT, verbatim; the HTTP client adds Host and Content-Length.
        fields: what to send in a POST form, in order, before the `file` field.
        key: the object's key; the form hands it back for `complete`.
        expires_at: until when the request can be started.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    fields: Mapping[str, str] = field(repr=False)
    key: str
    expires_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return everything the browser needs, ready for JSON."""
        return {
            "key": self.key,
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "fields": dict(self.fields),
            "expires_at": self.expires_at.isoformat(),
        }


def check_address(request: SignedRequest, *, object_url: str) -> None:
    """Raise SigningError unless a PUT goes to this object and no other."""
    if request.url.split("?")[0] != object_url:
        raise SigningError("the client signed for another address than the object's")


def check_signed_put(request: SignedRequest) -> None:
    """Raise SigningError unless SigV4 covers every header that S3 must check."""
    query = parse_qs(urlsplit(request.url).query)
    signed = set(query.get("X-Amz-SignedHeaders", [""])[0].split(";"))
    _require_v4(query.get("X-Amz-Algorithm", [""])[0])
    _require(PUT_HEADERS - signed, "signed headers")


def check_object(request: SignedRequest, *, bucket: str, key: str) -> None:
    """Raise SigningError unless a POST policy allows this object and no other."""
    conditions = _policy(request).get("conditions", [])
    if {"bucket": bucket} not in conditions or {"key": key} not in conditions:
        raise SigningError("the client signed for another object")


def check_signed_post(request: SignedRequest) -> None:
    """Raise SigningError unless the POST policy fixes everything that S3 must check."""
    _require_v4(request.fields.get("x-amz-algorithm", ""))
    named = {_condition_name(condition) for condition in _policy(request).get("conditions", [])}
    _require(POST_CONDITIONS - named, "policy conditions")


def _policy(request: SignedRequest) -> Any:
    return json.loads(base64.b64decode(request.fields.get("policy", "e30=")))


def _condition_name(condition: Any) -> str:
    # Only exact matches and the size range count: a starts-with would leave the value to the client.
    if isinstance(condition, dict):
        return str(next(iter(condition))).lower()
    return "content-length-range" if condition[0] == "content-length-range" else f"not exact: {condition[1]}"


def _require_v4(algorithm: str) -> None:
    if algorithm != _ALGORITHM:
        raise SigningError(
            f"the client signed with {algorithm or 'SigV2 or nothing'}, not SigV4",
            hint="hand over a client with credentials and Config(signature_version='s3v4')",
        )


def _require(missing: frozenset[str] | set[str], what: str) -> None:
    if missing:
        raise SigningError(f"the signature leaves out these {what}: {', '.join(sorted(missing))}")


class Presigner:
    """Issues presigned uploads and remembers each in the table."""

    def __init__(
        self,
        *,
        signer: Signer,
        table: Table,
        clock: Clock,
        timing: Timing,
        allowed: Allowed,
        bucket: str,
        prefix: str,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._signer = signer
        self._table = table
        self._clock = clock
        self._timing = timing
        self._allowed = allowed
        self._bucket = bucket
        self._prefix = prefix
        self._new_id = new_id

    def put(
        self,
        *,
        filename: str,
        content_type: str,
        size: int,
        owner: str,
        metadata: Mapping[str, Any] | None = None,
        replaces: str | None = None,
    ) -> PresignedUpload:
        """Presign a PUT of exactly `size` bytes."""
        size = self._allowed.check_size(size)
        row = self._remember(filename, content_type, size, size, owner, metadata, replaces)
        kind = row.declared_type or ""
        request = self._signer.put(row.key, content_type=kind, size=size, seconds=self._seconds)
        check_signed_put(request)
        check_address(request, object_url=row.object_url)
        return _ticket(request, row)

    def post(
        self,
        *,
        filename: str,
        content_type: str,
        owner: str,
        max_size: int | None = None,
        min_size: int = 1,
        metadata: Mapping[str, Any] | None = None,
        replaces: str | None = None,
    ) -> PresignedUpload:
        """Presign a form POST of `min_size` to `max_size` bytes."""
        largest = self._allowed.check_size(self._allowed.max_size if max_size is None else max_size)
        least = self._allowed.check_size(min_size)
        if least > largest:
            raise SizeNotAllowedError(f"min_size {least} is larger than max_size {largest}")
        if least == largest:
            # A row of one exact size was sent by PUT, which nobody can replay: a form must not look so.
            raise SizeNotAllowedError("a form takes a range of sizes", hint="for one exact size call presign")
        row = self._remember(filename, content_type, least, largest, owner, metadata, replaces)
        kind = row.declared_type or ""
        request = self._signer.post(row.key, content_type=kind, min_size=least, max_size=largest, seconds=self._seconds)
        check_signed_post(request)
        check_object(request, bucket=self._bucket, key=row.key)
        return _ticket(request, row)

    @property
    def _seconds(self) -> int:
        return int(self._timing.url_life.total_seconds())

    def _remember(
        self,
        filename: str,
        content_type: str,
        min_size: int,
        max_size: int,
        owner: str,
        metadata: Mapping[str, Any] | None,
        replaces: str | None,
    ) -> Upload:
        kind = self._allowed.check_type(content_type)
        now = self._clock.now()
        key = make_key(self._prefix, now=now, unique=self._new_id(), content_type=kind)
        row = Upload(
            key=key,
            bucket=self._bucket,
            object_url=self._signer.object_url(key),
            status=Status.PENDING,
            owner=check_owner(owner),
            filename=check_filename(filename),
            declared_type=kind,
            min_size=min_size,
            max_size=max_size,
            metadata=check_metadata(metadata),
            created_at=now,
            expires_at=now + self._timing.url_life,
            due_at=now + self._timing.retention,
            replaces=replaces and parse_reference(replaces, bucket=self._bucket, prefix=self._prefix),
        )
        self._insert(row)
        return row

    def _insert(self, row: Upload) -> None:
        if row.replaces is None:
            self._insert_once(row, None)
            return
        old = self._table.get(row.replaces)
        if old is None or old.owner != row.owner:
            raise UnknownUploadError
        move = rows.supersede(owner=row.owner, due_at=self._timing.last_arrival(old))
        self._insert_once(row, (old.key, move))

    def _insert_once(self, row: Upload, also: tuple[str, rows.Move] | None) -> None:
        try:
            inserted = self._table.insert(row, also=also)
        except TableBusyError as error:
            hint = "presign before you begin your own transaction; with begin_immediate even one that only reads locks SQLite"
            raise TableBusyError(hint=hint) from error
        if not inserted:
            raise TableError(f"the fresh key {row.key} is taken", hint="presign again; keys are random, this should never happen")


def _ticket(request: SignedRequest, row: Upload) -> PresignedUpload:
    return PresignedUpload(
        method=request.method,
        url=request.url,
        headers=request.headers,
        fields=request.fields,
        key=row.key,
        expires_at=row.expires_at,
    )
