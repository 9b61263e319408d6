"""A bucket's objects in memory, and a signer whose addresses do not exist."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from reconciler.adapters.memory.history import NULL, History, MemoryObject
from reconciler.core.dialects import Findings
from reconciler.core.model import Binding, ObjectEntry, ObjectFacts, ObjectVersion
from reconciler.errors import BucketNotFoundError, EmptyObjectError, NotVersionedError, ObjectNotFoundError
from reconciler.ports import Clock, SignedRequest, Target

PAGE = 1000


class MemoryObjects:
    """A bucket in memory. `put` stands for what a browser or anybody else does to it.

    `keep_versions` stands for putting its versioning: from then on what is overwritten or deleted remains as a version.
    """

    def __init__(self, bucket: str, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._history = History()
        self._markers: dict[str, Binding] = {}
        self.exists = True

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def put(self, key: str, body: bytes, *, content_type: str = "", tags: Mapping[str, str] | None = None) -> None:
        """Store an object, overwriting what was there, tags and all."""
        self._history.put(key, MemoryObject(body, content_type, dict(tags or {}), self._clock.now()))

    def keep_versions(self, *, enabled: bool = True) -> None:
        """Enable versioning, or suspend it."""
        self._history.enabled = enabled

    def body(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self._found(key).body

    def pages(self, prefix: str, *, start_after: str = "") -> Iterator[Sequence[ObjectEntry]]:
        """List the prefix in key order, page by page."""
        self._check_bucket()
        keys = sorted(key for key in self._history.present() if key.startswith(prefix) and key > start_after)
        for start in range(0, len(keys), PAGE):
            found = ((key, self._history.current(key)) for key in keys[start : start + PAGE])
            yield [ObjectEntry(key, len(each.body), each.etag, each.last_modified) for key, each in found if each]

    def head(self, key: str) -> ObjectFacts:
        """Return the current object's facts."""
        return self._facts(key)

    def peek(self, key: str, *, length: int) -> ObjectFacts:
        """Return the facts and the first bytes."""
        facts = self._facts(key)
        if not facts.size:
            raise EmptyObjectError
        return replace(facts, head=self._found(key).body[:length])

    def tags(self, key: str, *, version_id: str | None = None) -> Mapping[str, str]:
        """Return the tag set of the current object, or of one version."""
        return dict(self._found(key, version_id).tags)

    def versions(self, key: str) -> Sequence[ObjectVersion]:
        """Return every version of the key, newest first."""
        self._check_bucket()
        if self._history.enabled is None:
            raise NotVersionedError
        return self._history.versions(key)

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        """Replace the whole tag set."""
        found = self._found(key, version_id)
        self._history.change(key, found, replace(found, tags=dict(tags)))

    def copy_back(self, key: str, version_id: str, *, tags: Mapping[str, str]) -> str:
        """Put the bytes of one version on top again."""
        found = self._found(key, version_id)
        self.put(key, found.body, content_type=found.content_type, tags=tags)
        return found.etag

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        """Delete the objects; one whose etag has changed stays."""
        self._check_bucket()
        errors = {}
        for target in targets:
            found = self._history.current(target.key)
            if found and target.etag and found.etag != target.etag:
                errors[target.key] = "PreconditionFailed"
            else:
                self._history.delete(target.key)
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

    def _found(self, key: str, version_id: str | None = None) -> MemoryObject:
        self._check_bucket()
        found = self._history.current(key) if version_id is None else self._history.version(key, version_id)
        if found is None:
            raise ObjectNotFoundError(f"looking at {key}: NoSuchKey")
        return found

    def _facts(self, key: str) -> ObjectFacts:
        found = self._found(key)
        return ObjectFacts(
            key=key,
            size=len(found.body),
            etag=found.etag,
            last_modified=found.last_modified,
            content_type=found.content_type,
            version_id=None if found.version_id == NULL else found.version_id,
            tag_count=len(found.tags) or None,
        )


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
