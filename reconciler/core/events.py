"""Events: what S3 says has happened, reduced to which keys deserve a look.

Nothing else of an event is used to decide anything: it may be late, repeated, out of order or forged. Its time and name serve
metrics and logs alone. The envelopes differ by who sends them, and so does the way a key is written down:

| sender | envelope | key |
|---|---|---|
| AWS to a queue, a topic or a function; MinIO | `Records` | form-encoded: a space is `+`, a plus sign `%2B` |
| AWS through EventBridge | `detail` | as it is |
| Ceph RGW | `Records` | as it is |
| SeaweedFS's filer | `event_type`, `message` | as it is, behind `/buckets/` and the bucket |
| SNS | its own, around one of these | as in there |

(S3 user guide, "Event message structure" and "Using EventBridge"; Ceph, "S3 Bucket Notifications Compatibility"; SeaweedFS as
version 4.48 was seen to do it.)
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from reconciler.core.keys import MAX_KEY_BYTES
from reconciler.errors import MalformedEventError

MAX_WRAPPINGS = 4  # an EventBridge event in an SNS message in a queue is the deepest that anybody sends
# A versioned object is a folder `KEY.versions` with its versions in it; parts of multipart uploads lie under `.uploads/`.
_FILED = re.compile(
    r"/buckets/(?P<bucket>[^/.][^/]*)/(?!\.uploads(?:/|$))(?P<key>.+?)(?P<kind>\.versions/v_[0-9a-f]+|\.versions|)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Event:
    """One key that somebody says something has happened to. `at` is None where no time was given."""

    bucket: str
    key: str
    at: datetime | None = None
    name: str = ""


def read_events(body: str) -> tuple[Event, ...]:
    """Return the events in one message; none for a test message that S3 sends when notifications are set up.

    A key of an unknown sender is handed over both as it is and decoded, where that makes a difference: a key too many costs a
    look, one too few would be missed. Raises MalformedEventError for everything that is no event of S3's.
    """
    return tuple(_unwrap(_parsed(body), MAX_WRAPPINGS))


def _parsed(body: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError("the message is not JSON") from error
    if not isinstance(document, dict):
        raise MalformedEventError("the message is no JSON object")
    return document


def _unwrap(document: Mapping[str, Any], depth: int) -> Iterator[Event]:
    if isinstance(document.get("Records"), list):
        for record in document["Records"]:
            yield from _of_record(record)
    elif "detail-type" in document:
        yield _of_eventbridge(document)
    elif isinstance(document.get("Message"), str) and document.get("Type") == "Notification":
        if not depth:
            raise MalformedEventError("the message is wrapped too often")
        yield from _unwrap(_parsed(document["Message"]), depth - 1)
    elif "event_type" in document and isinstance(document.get("message"), dict):
        yield from _of_filer(document)
    elif document.get("Event") != "s3:TestEvent":
        raise MalformedEventError("the message is neither S3's, EventBridge's, SNS's nor SeaweedFS's")


def _of_record(record: Any) -> Iterator[Event]:
    bucket, written = _text(record, "s3", "bucket", "name"), _text(record, "s3", "object", "key")
    at, name = _moment(record.get("eventTime")), str(record.get("eventName", ""))
    decode = _ENCODINGS.get(str(record.get("eventSource")), _either)
    for key in dict.fromkeys(decode(written)):
        yield Event(bucket, _checked(key), at, name)


def _of_eventbridge(document: Mapping[str, Any]) -> Event:
    if document.get("source") != "aws.s3":
        raise MalformedEventError(f"the event is from {str(document.get('source'))[:50]!r}, not from S3")
    key = _checked(_text(document, "detail", "object", "key"))
    return Event(_text(document, "detail", "bucket", "name"), key, _moment(document.get("time")), str(document["detail-type"]))


def _of_filer(document: Mapping[str, Any]) -> Iterator[Event]:
    """SeaweedFS tells of every file and folder that it keeps: what is not an object of a bucket is no event of ours."""
    found = _FILED.fullmatch(_text(document, "key"))
    message = document["message"]
    entry = message.get("new_entry") or message.get("old_entry")
    is_folder = isinstance(entry, dict) and bool(entry.get("is_directory"))
    if found is None or is_folder != (found["kind"] == ".versions"):
        return
    yield Event(found["bucket"], _checked(found["key"]), None, str(document["event_type"]))


def _as_it_is(written: str) -> tuple[str, ...]:
    return (written,)


def _form_decoded(written: str) -> tuple[str, ...]:
    try:
        return (unquote_plus(written, errors="strict"),)
    except UnicodeDecodeError as error:
        raise MalformedEventError("the key is not UTF-8") from error


def _either(written: str) -> tuple[str, ...]:
    try:
        return (written, *_form_decoded(written))
    except MalformedEventError:
        return (written,)


_ENCODINGS: Mapping[str, Callable[[str], tuple[str, ...]]] = {
    "aws:s3": _form_decoded,
    "minio:s3": _form_decoded,
    "ceph:s3": _as_it_is,
}


def _text(document: Any, *path: str) -> str:
    found = document
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise MalformedEventError(f"the event has no {'.'.join(path)}")
    return found


def _checked(key: str) -> str:
    """Return a key that S3 could hold, and that every table can be asked for."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise MalformedEventError("the key is not UTF-8") from error
    if length > MAX_KEY_BYTES or "\0" in key:
        raise MalformedEventError(f"the key is longer than {MAX_KEY_BYTES} bytes, or holds a NUL")
    return key


def _moment(written: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(written))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter where the year is the first or the last there is
        return None
