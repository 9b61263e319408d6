"""The bench that probes work on: a folder of their own in the bucket, what was put into it, and requests a browser could send.

Every key is noted before anything is put at it, so that cleaning up needs no listing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from reconciler.core.model import STATUS_TAG, Tag
from reconciler.core.promises import Result
from reconciler.ports import Answer, Clock, RawStore, SignedRequest, Signer

BODY = b"reconciler doctor"
TYPE = "image/jpeg"
SECONDS = 60


class NotTriedError(Exception):
    """A probe cannot go on; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a deployment says of itself, as far as probes need it."""

    prefix: str
    skew: float
    origins: tuple[str, ...] = ()
    rule: Mapping[str, Any] = field(default_factory=dict)
    presign_host: Signer | None = None
    clock: Clock | None = None
    bulk_delete: bool = True
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run's folder, and everything that may lie in it. `signer` signs with the same client as `store` asks with."""

    store: RawStore
    signer: Signer
    folder: str
    here: Setting
    keys: list[str] = field(default_factory=list)
    multiparts: list[tuple[str, str]] = field(default_factory=list)

    def bears_bulk(self) -> bool:
        """Say whether a deletion in bulk may be sent: Ceph 16 dies of one while it pushes that objects were removed."""
        if not self.here.bulk_delete or self.store.is_aws:
            return self.here.bulk_delete
        return "ObjectRemoved" not in str(self.store.ask("get_bucket_notification_configuration").content)

    def key(self, name: str) -> str:
        """Return the key of this name, noted for cleaning up."""
        key = self.folder + name
        if key not in self.keys:
            self.keys.append(key)
        return key

    def put(self, name: str, *, tag: Tag | None = Tag.PENDING, body: bytes = BODY) -> str:
        """Put an object that a probe begins with, and return its key; NotTriedError where the store does not take it."""
        key = self.key(name)
        tagging: dict[str, Any] = {"Tagging": tagged(tag)} if tag else {}
        must(self.store.ask("put_object", Key=key, Body=body, ContentType=TYPE, **tagging), f"a PUT of {name}")
        return key

    def ticket(self, name: str, *, seconds: int = SECONDS, size: int = len(BODY)) -> SignedRequest:
        """Sign a PUT as `presign` does."""
        return self.signer.put(self.key(name), content_type=TYPE, size=size, seconds=seconds)

    def send(self, request: SignedRequest, *, body: bytes = BODY, url: str | None = None, **headers: str) -> Answer:
        """Send a signed PUT as a browser would, with headers replaced or added."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = {name: value for name, value in request.headers.items() if name.lower() not in changed}
        return self.store.send(request.method, url or request.url, headers={**kept, **changed}, body=body)

    def there(self, key: str) -> bool:
        """Say whether an object lies at the key."""
        return self.store.ask("head_object", Key=key).ok

    def tag(self, key: str) -> str | None:
        """Return the object's status tag; NotTriedError where it cannot be read."""
        answer = must(self.store.ask("get_object_tagging", Key=key), "reading tags")
        return {tag["Key"]: tag["Value"] for tag in answer.content.get("TagSet") or []}.get(STATUS_TAG)

    def retag(self, key: str, tag: Tag) -> Answer:
        """Put another status tag on an object."""
        return self.store.ask("put_object_tagging", Key=key, Tagging=tag_set(tag))

    def listed(self, folder: str) -> list[str]:
        """Return the keys below a folder in the order they are listed in."""
        answer = must(self.store.ask("list_objects_v2", Prefix=folder), "a listing")
        return [item["Key"] for item in answer.content.get("Contents", [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How one promise is tried out, and the permissions that takes (see probes/permissions.py)."""

    needs: frozenset[str]
    run: Callable[[Bench], Result]


PUTS = frozenset({"put", "tag-put", "get", "delete"})
LISTS = PUTS | {"list"}


def tagged(tag: Tag) -> str:
    """Return the header that gives an object this tag."""
    return urlencode({STATUS_TAG: tag.value})


def tag_set(tag: Tag) -> dict[str, Any]:
    """Return a tag set of this tag alone."""
    return {"TagSet": [{"Key": STATUS_TAG, "Value": tag.value}]}


def must(answer: Answer, what: str) -> Answer:
    """Return the answer where it is a success, else raise NotTriedError."""
    if not answer.ok:
        raise NotTriedError(f"{what} was answered with {answer}")
    return answer
