"""A stage for tests: one deployment over any adapters, with a clock that moves, and a browser that uploads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.journal import ListJournal
from reconciler.adapters.memory import MemoryObjects, MemorySigner, MemoryTable
from reconciler.adapters.s3 import S3Signer
from reconciler.adapters.sql import SqlTable, make_engine
from reconciler.applier import Applier
from reconciler.binding import initialise
from reconciler.core.guards import Limits
from reconciler.core.model import Tag, Upload, tag_of
from reconciler.core.plan import Plan, PlanOptions
from reconciler.core.report import RunReport
from reconciler.core.requests import Allowed
from reconciler.core.timing import Timing
from reconciler.disputes import Operator
from reconciler.planner import Planner
from reconciler.presign import PresignedUpload
from reconciler.restoring import Restorer
from reconciler.testing import TravellingObjects
from reconciler.uploads import UploadUseCases
from reconciler.wiring import new_id

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 4
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
OWNER = "user:42"
PREFIX = "uploads/"
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic"})
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
HTTP = urllib3.PoolManager(retries=False)

Browser = Callable[[PresignedUpload, bytes], int]


@dataclass
class Stage:
    """One deployment. `browser` sends a presigned upload and returns the HTTP status."""

    objects: Any
    signer: Any
    table: Any
    clock: MovableClock
    browser: Browser
    timing: Timing = field(default_factory=Timing)
    journal: ListJournal = field(default_factory=ListJournal)
    prefix: str = PREFIX

    def bind(self) -> "Stage":
        """Initialise table and bucket."""
        initialise(self.objects, self.table, prefix=self.prefix, new_id=new_id)
        return self

    @property
    def uploads(self) -> UploadUseCases:
        return UploadUseCases(
            objects=self.objects,
            signer=self.signer,
            table=self.table,
            clock=self.clock,
            timing=self.timing,
            allowed=Allowed(content_types=IMAGES, max_size=20 * 1024**2),
            prefix=self.prefix,
        )

    @property
    def planner(self) -> Planner:
        return Planner(
            objects=self.objects, table=self.table, clock=self.clock, timing=self.timing, prefix=self.prefix, new_id=new_id
        )

    @property
    def applier(self) -> Applier:
        return Applier(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            journal=self.journal,
            timing=self.timing,
            prefix=self.prefix,
        )

    @property
    def operator(self) -> Operator:
        return Operator(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            timing=self.timing,
            prefix=self.prefix,
        )

    @property
    def restorer(self) -> Restorer:
        return Restorer(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            journal=self.journal,
            prefix=self.prefix,
        )

    def restore(self, key: str, **asked: str) -> Upload:
        return self.restorer.restore(self.restorer.find(key, **asked))

    def presign(self, *, body: bytes = JPEG, owner: str = OWNER, replaces: str | None = None, **asked: Any) -> PresignedUpload:
        kind = "image/png" if body.startswith(b"\x89PNG") else "image/jpeg"
        given = {"filename": "me.jpg", "content_type": kind, "size": len(body), **asked}
        return self.uploads.presign(owner=owner, replaces=replaces, **given)

    def upload(self, *, body: bytes = JPEG, owner: str = OWNER, replaces: str | None = None) -> str:
        """Presign and upload as a browser would; return the key."""
        ticket = self.presign(body=body, owner=owner, replaces=replaces)
        assert self.browser(ticket, body) == 200
        return ticket.key

    def completed(self, *, body: bytes = JPEG, owner: str = OWNER, replaces: str | None = None) -> str:
        """Upload and complete; return the key."""
        key = self.upload(body=body, owner=owner, replaces=replaces)
        self.uploads.complete(key, owner=owner)
        return key

    def sweep(self, *, limits: Limits | None = None, options: PlanOptions | None = None) -> RunReport:
        return self.applier.apply(self.planner.sweep(options), limits=limits or Limits())

    def plan(self, **options: Any) -> Plan:
        return self.planner.listing(PlanOptions(**options))

    def apply(self, plan: Plan | None = None, *, limits: Limits | None = None) -> RunReport:
        return self.applier.apply(plan or self.plan(), limits=limits or Limits())

    def advance(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))

    def row(self, key: str) -> Upload:
        row = self.table.get(key)
        assert row is not None
        return row

    def tag(self, key: str) -> Tag:
        return tag_of(self.objects.tags(key))

    def keys(self) -> set[str]:
        """The keys of all objects but reconciler's own."""
        found = {entry.key for page in self.objects.pages(self.prefix) for entry in page}
        return {key for key in found if "/.reconciler/" not in key}


def send(ticket: PresignedUpload, body: bytes, headers: Mapping[str, str] | None = None) -> int:
    """Send a presigned PUT over HTTP, with its headers verbatim unless others are given."""
    sent = dict(ticket.headers if headers is None else headers)
    return HTTP.request(ticket.method, ticket.url, body=body, headers=sent).status


def memory_stage(*, timing: Timing | None = None) -> Stage:
    """Everything in memory; the clock stands still until it is moved."""
    clock = MovableClock(START)
    objects = MemoryObjects("photos", clock)

    def browser(ticket: PresignedUpload, body: bytes) -> int:
        if ticket.key in {entry.key for page in objects.pages(PREFIX) for entry in page}:
            return 412
        objects.put(ticket.key, body, content_type=ticket.headers["Content-Type"], tags={"status": "pending"})
        return 200

    stage = Stage(objects, MemorySigner("photos"), MemoryTable(), clock, browser, timing=timing or Timing())
    return stage.bind()


def keep_versions(stage: Stage, *, enabled: bool = True) -> None:
    """Let the bucket keep versions, or stop keeping them."""
    objects = stage.objects
    if isinstance(objects, MemoryObjects):
        objects.keep_versions(enabled=enabled)
        return
    status = "Enabled" if enabled else "Suspended"
    objects._client.put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration={"Status": status})


def sqlite_table(folder: Path) -> SqlTable:
    """A created, unbound table in a SQLite file."""
    table = sql_table(f"sqlite:///{folder / 'table.db'}")
    table.create()
    return table


def sql_table(url: str) -> SqlTable:
    """A table as it is found at a URL."""
    return SqlTable(make_engine(url))


def s3_stage(client: Any, bucket: str, table: SqlTable) -> Stage:
    """A real S3 server and a table, under a clock that moves."""
    clock = MovableClock()
    return Stage(TravellingObjects(client, bucket, clock), S3Signer(client, bucket), table, clock, send).bind()
