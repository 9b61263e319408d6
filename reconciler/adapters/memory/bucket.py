"""A bucket in memory: its objects, its lifecycle rules, and a signer whose addresses do not exist."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from reconciler.core.dialects import Findings
from reconciler.core.documents import Rule
from reconciler.core.model import Binding, ObjectEntry, ObjectFacts
from reconciler.errors import BucketNotFoundError, EmptyObjectError, ObjectNotFoundError
from reconciler.ports import Clock, SignedRequest, Target

PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    content_type: str
    tags: Mapping[str, str]
    last_modified: datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


class MemoryObjects:
    """A bucket in memory. `put` stands for what a browser or anybody else does to it."""

    def __init__(self, bucket: str, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._objects: dict[str, _Object] = {}
        self._markers: dict[str, Binding] = {}
        self.exists = True

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def put(self, key: str, body: bytes, *, content_type: str = "", tags: Mapping[str, str] | None = None) -> None:
        """Store an object, overwriting what was there, tags and all."""
        self._objects[key] = _Object(body, content_type, dict(tags or {}), self._clock.now())

    def body(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self._found(key).body

    def pages(self, prefix: str, *, start_after: str = "") -> Iterator[Sequence[ObjectEntry]]:
        """List the prefix in key order, page by page."""
        self._check_bucket()
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > start_after)
        for start in range(0, len(keys), PAGE):
            yield [self._entry(key) for key in keys[start : start + PAGE] if key in self._objects]

    def head(self, key: str) -> ObjectFacts:
        """Return the current object's facts."""
        return self._facts(key)

    def peek(self, key: str, *, length: int) -> ObjectFacts:
        """Return the facts and the first bytes."""
        facts = self._facts(key)
        if not facts.size:
            raise EmptyObjectError
        return replace(facts, head=self._found(key).body[:length])

    def tags(self, key: str) -> Mapping[str, str]:
        """Return the current object's tag set."""
        return dict(self._found(key).tags)

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:  # noqa: ARG002
        """Replace the whole tag set."""
        self._objects[key] = replace(self._found(key), tags=dict(tags))

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        """Delete the objects; one whose etag has changed stays."""
        self._check_bucket()
        errors = {}
        for target in targets:
            found = self._objects.get(target.key)
            if found and target.etag and found.etag != target.etag:
                errors[target.key] = "PreconditionFailed"
            else:
                self._objects.pop(target.key, None)
        return errors

    def marker(self, key: str) -> tuple[Binding | None, datetime | None]:
        """Return what the marker object says."""
        self._check_bucket()
        return self._markers.get(key), self._clock.now()

    def put_marker(self, key: str, binding: Binding, *, overwrite: bool) -> None:
        """Write the marker object."""
        self._check_bucket()
        if overwrite or key not in self._markers:
            self._markers[key] = binding
            self.put(key, binding.instance_id.encode(), tags={"status": "system"})

    def _check_bucket(self) -> None:
        if not self.exists:
            raise BucketNotFoundError

    def _found(self, key: str) -> _Object:
        self._check_bucket()
        try:
            return self._objects[key]
        except KeyError as error:
            raise ObjectNotFoundError(f"looking at {key}: NoSuchKey") from error

    def _entry(self, key: str) -> ObjectEntry:
        found = self._objects[key]
        return ObjectEntry(key, len(found.body), found.etag, found.last_modified)

    def _facts(self, key: str) -> ObjectFacts:
        found = self._found(key)
        return ObjectFacts(
            key=key,
            size=len(found.body),
            etag=found.etag,
            last_modified=found.last_modified,
            content_type=found.content_type,
            tag_count=len(found.tags) or None,
        )


class MemoryLifecycle:
    """A bucket's lifecycle configuration in memory."""

    def __init__(self, rules: Sequence[Rule] = (), *, versioned: bool = False) -> None:
        self._rules = list(rules)
        self._is_versioned = versioned

    def versioned(self) -> bool:
        """Say what the bucket was made as."""
        return self._is_versioned

    def rules(self) -> list[Rule]:
        """Return every rule."""
        return list(self._rules)

    def put_rules(self, rules: Sequence[Rule]) -> None:
        """Replace every rule."""
        self._rules = list(rules)


class MemorySigner:
    """Makes requests that look signed, to addresses that do not exist."""

    def __init__(self, bucket: str) -> None:
        self._base = f"https://{bucket}.s3.invalid/"

    def put(self, key: str, *, content_type: str, size: int, seconds: int) -> SignedRequest:  # noqa: ARG002
        """Return a PUT request."""
        signed = "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-tagging"
        query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={seconds}&X-Amz-SignedHeaders={signed}"
        headers = {"Content-Type": content_type, "If-None-Match": "*", "x-amz-tagging": "status=pending"}
        return SignedRequest(method="PUT", url=f"{self.object_url(key)}?{query}", headers=headers, fields={})

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        """Refuse: a policy that nobody signed would promise what nobody checks."""
        raise NotImplementedError

    def object_url(self, key: str) -> str:
        """Return an address."""
        return self._base + quote(key)


class MemoryFindings:
    """What a bucket keeps of its store's dialect, in memory."""

    def __init__(self, findings: Findings | None = None) -> None:
        self._findings = findings

    def read(self) -> Findings | None:
        """Return what was kept."""
        return self._findings

    def write(self, findings: Findings) -> None:
        """Keep these instead."""
        self._findings = findings
