"""Filling: many small objects, put as fast as the store takes them, and their rows in bulk.

The objects are genuine: each is one signed PUT of its own, with its tag. The rows are written as the protocol would have left
them; going through it for each would take an hour and measure nothing more.
"""

import http.client
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from benchmarks.figures import require
from benchmarks.lab import REGION, Place
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import insert

from reconciler.adapters.sql import statements
from reconciler.core.keys import make_key
from reconciler.core.model import STATUS_TAG, Status, Tag, Upload

BODY = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(64)
TYPE = "image/jpeg"
OWNER = "user:42"
DAYS = 30  # over which the keys are spread
CHUNK = 1000  # rows written at a time
_LIFE = 3600  # seconds that a filling URL may be used


@dataclass(frozen=True, slots=True)
class Stored:
    """One object that was put."""

    key: str
    etag: str


def put_objects(place: Place, count: int, *, tag: Tag, writers: int) -> list[Stored]:
    """Put fresh objects tagged `tag`, from several threads."""
    now = place.clock.now()
    prefix = place.deployment.prefix
    keys = [
        make_key(prefix, now=now - timedelta(days=number % DAYS), unique=uuid.uuid4(), content_type=TYPE)
        for number in range(count)
    ]
    with ThreadPoolExecutor(writers) as pool:
        shares = pool.map(lambda number: _put(place, keys[number::writers], tag), range(writers))
        return [stored for share in shares for stored in share]


def _put(place: Place, keys: Sequence[str], tag: Tag) -> list[Stored]:
    """Put objects over one connection that is kept open."""
    store = place.store
    signer = S3SigV4QueryAuth(Credentials(store.access_key, store.secret_key), "s3", REGION, expires=_LIFE)
    headers = {"Content-Type": TYPE, "x-amz-tagging": f"{STATUS_TAG}={tag.value}"}
    connection = http.client.HTTPConnection(urlsplit(store.endpoint).netloc)
    stored = []
    for key in keys:
        request = AWSRequest("PUT", f"{store.endpoint}/{place.bucket}/{key}", headers=headers)
        signer.add_auth(request)
        connection.request("PUT", str(request.url).removeprefix(store.endpoint), body=BODY, headers=headers)
        answer = connection.getresponse()
        said = answer.read()
        require(holds=answer.status == http.client.OK, otherwise=f"filling: {answer.status} {said[:200]!r}")
        stored.append(Stored(key, answer.headers["ETag"].strip('"')))
    connection.close()
    return stored


def abandon(place: Place, objects: Sequence[Stored]) -> None:
    """Write the rows of uploads whose form was never submitted."""
    _insert(place, [_row(place, stored, status=Status.PENDING) for stored in objects])


def finish(place: Place, objects: Sequence[Stored]) -> None:
    """Write the rows of uploads that were completed, settled and confirmed: nothing is left to do about them."""
    now = place.clock.now()
    done = {"status": Status.COMPLETED, "stored_at": now, "completed_at": now, "settled_at": now, "confirmed_at": now}
    facts = {"size": len(BODY), "content_type": TYPE, "last_modified": now}
    _insert(place, [_row(place, stored, etag=stored.etag, **done, **facts) for stored in objects])


def _row(place: Place, stored: Stored, **known: Any) -> Upload:
    timing = place.deployment.timing
    created_at: datetime = place.clock.now()
    return Upload(
        key=stored.key,
        bucket=place.bucket,
        object_url=place.deployment.signer.object_url(stored.key),
        owner=OWNER,
        filename="me.jpg",
        declared_type=TYPE,
        min_size=len(BODY),
        max_size=len(BODY),
        created_at=created_at,
        expires_at=created_at + timing.url_life,
        due_at=created_at + timing.retention,
        **known,
    )


def _insert(place: Place, rows: Sequence[Upload]) -> None:
    table = place.deployment.table
    ordered = sorted(rows, key=lambda row: row.key)  # neighbours share pages of the index
    with table.engine.begin() as connection:
        for start in range(0, len(ordered), CHUNK):
            values = [statements.values(row) for row in ordered[start : start + CHUNK]]
            connection.execute(insert(table._uploads), values)
