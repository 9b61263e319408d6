"""Putting it together: the only place that knows concrete adapters.

`Uploads` is what a backend imports; `Deployment` is what the command line works on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Engine, StaticPool

from reconciler.adapters import documents
from reconciler.adapters.journal import open_journal
from reconciler.adapters.s3 import S3Bucket, S3Findings, S3Objects, S3Raw, S3Signer, make_client
from reconciler.adapters.sql import DatabaseClock, SqlTable, check_file, make_engine
from reconciler.applier import Applier
from reconciler.binding import Bound, initialise
from reconciler.consumer import Allowance, Consumer
from reconciler.core.dialects import AWS, PORTABLE
from reconciler.core.documents import pending_rule_id
from reconciler.core.parts import Item
from reconciler.core.roles import ROLES, actions
from reconciler.core.wanted import Wanted
from reconciler.disputes import Operator
from reconciler.doctor import Doctor, known
from reconciler.errors import SettingsError
from reconciler.installer import Installer
from reconciler.planner import Planner
from reconciler.probes.bench import Setting
from reconciler.restoring import Restorer
from reconciler.settings import Settings, load_settings
from reconciler.uploads import UploadUseCases

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from reconciler.core.model import Binding
    from reconciler.core.timing import Timing
    from reconciler.ports import Clock, Journal, Objects, Signer


def wanted_by(settings: Settings) -> Wanted:
    """Return what the settings want of the bucket's configuration."""
    loaded = {name: documents.load(name) for name in documents.names()}
    values = settings.document_values()
    return Wanted(documents=loaded, values=values, prefix=settings.prefix, bulk_delete=settings.bulk_delete)


def new_id() -> str:
    """Return a fresh id for an instance, a plan or a run."""
    return str(uuid4())


@dataclass(frozen=True)
class Deployment:
    """One bucket, one prefix, one table, and everything that works on them."""

    settings: Settings
    objects: Objects
    signer: Signer
    table: SqlTable
    configuration: S3Bucket
    client: S3Client
    clock: Clock
    journal: Journal

    @cached_property
    def timing(self) -> Timing:
        """The grace periods."""
        return self.settings.timing()

    @property
    def prefix(self) -> str:
        """The prefix."""
        return self.settings.prefix

    def initialise(self, *, rebind: bool = False) -> tuple[Binding, Bound]:
        """Create or upgrade the table, and bind it to the bucket; see `binding.initialise`."""
        self.table.create()
        return initialise(self.objects, self.table, prefix=self.prefix, new_id=new_id, rebind=rebind)

    def uploads(self) -> Uploads:
        """Return what a backend imports."""
        return Uploads(
            objects=self.objects,
            signer=self.signer,
            table=self.table,
            clock=self.clock,
            timing=self.timing,
            allowed=self.settings.allowed(),
            prefix=self.prefix,
        )

    def planner(self) -> Planner:
        """Return what makes plans."""
        return Planner(
            objects=self.objects,
            table=self.table,
            clock=self.clock,
            timing=self.timing,
            prefix=self.prefix,
            new_id=new_id,
            workers=self.settings.workers,
        )

    def applier(self) -> Applier:
        """Return what carries them out."""
        return Applier(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            journal=self.journal,
            timing=self.timing,
            prefix=self.prefix,
        )

    def consumer(self) -> Consumer:
        """Return what takes in events; its allowance of deletions is counted from now."""
        return Consumer(planner=self.planner(), applier=self.applier(), allowance=Allowance(self.settings.limits()))

    def operator(self) -> Operator:
        """Return what settles disputes."""
        return Operator(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            timing=self.timing,
            prefix=self.prefix,
        )

    def restorer(self) -> Restorer:
        """Return what undoes deletions on a bucket that keeps versions."""
        return Restorer(
            objects=self.objects,
            table=self.table,
            signer=self.signer,
            clock=self.clock,
            journal=self.journal,
            prefix=self.prefix,
        )

    def installer(self) -> Installer:
        """Return what installs and checks the bucket's configuration."""
        return Installer(
            bucket=self.configuration,
            name=self.settings.bucket,
            wanted=wanted_by(self.settings),
            timing=self.timing,
            known=lambda: known(S3Raw(self.client, self.settings.bucket), self.findings),
        )

    @property
    def findings(self) -> S3Findings:
        """Where the bucket keeps what its store makes of the bucket policy."""
        return S3Findings(self.client, self.settings.bucket, self.prefix)

    def doctor(self) -> Doctor:
        """Return what tries the store out."""
        return make_doctor(self.settings, client=self.client, clock=self.clock)


def deploy(
    settings: Settings,
    *,
    client: S3Client | None = None,
    presign_client: S3Client | None = None,
    objects: Objects | None = None,
    table: Engine | SqlTable | None = None,
    clock: Clock | None = None,
    journal: Journal | None = None,
) -> Deployment:
    """Connect what the settings name. What is handed in is used as it is; nothing is requested yet."""
    client = client or make_client(connections=max(10, settings.workers))
    here = _table(settings, table)
    return Deployment(
        settings=settings,
        objects=objects or S3Objects(client, settings.bucket, bulk_delete=settings.bulk_delete),
        signer=S3Signer(presign_client or _presign_client(settings, client), settings.bucket),
        table=here,
        configuration=S3Bucket(client, settings.bucket),
        client=client,
        clock=clock or DatabaseClock(here.engine),
        journal=journal or open_journal(settings.journal),
    )


def make_doctor(settings: Settings, *, client: S3Client | None = None, clock: Clock | None = None) -> Doctor:
    """Connect what tries the store out. A table is not needed; where one is named, its clock is looked at."""
    client = client or make_client()
    other_host = settings.presign_endpoint_url is not None or settings.accelerate
    return Doctor(
        store=S3Raw(client, settings.bucket),
        signer=S3Signer(client, settings.bucket),
        here=Setting(
            prefix=settings.prefix,
            skew=settings.skew.total_seconds(),
            origins=settings.origins,
            rule=_pending_rule(settings),
            presign_host=S3Signer(_presign_client(settings, client), settings.bucket) if other_host else None,
            clock=clock or (DatabaseClock(make_engine(settings.table_url)) if settings.table_url else None),
            bulk_delete=settings.bulk_delete,
            now=lambda: datetime.now(UTC),
            sleep=time.sleep,
        ),
        roles={role: actions(documents.load(f"iam-{role}")) for role in ROLES},
        policies={AWS: documents.load("bucket-policy"), PORTABLE: documents.load("bucket-policy-portable")},
        new_id=new_id,
    )


def _pending_rule(settings: Settings) -> Item:
    """Return our rule for pending uploads, as it should stand."""
    rules = wanted_by(settings).document("lifecycle")["Rules"]
    return next(rule for rule in rules if rule["ID"] == pending_rule_id(settings.prefix))


class Uploads(UploadUseCases):
    """Presign, complete, replace, release: what a backend does with direct uploads.

    One per process is enough; it may be used from any number of threads.
    """

    @classmethod
    def from_settings(
        cls,
        settings: Settings | None = None,
        *,
        client: S3Client | None = None,
        presign_client: S3Client | None = None,
        table: Engine | SqlTable | None = None,
        clock: Clock | None = None,
    ) -> Uploads:
        """Make one from the environment, `.env` and reconciler.toml.

        Args:
            settings: instead of reading them.
            client: a boto3 S3 client for the object requests of complete.
            presign_client: a boto3 S3 client that signs; its role needs no more than s3:PutObject and s3:PutObjectTagging.
            table: a SQLAlchemy Engine (or SqlTable) of the table's database. Completing in your session takes one more
                connection from it for a moment, so an engine of its own, or a pool with room, is best.
            clock: another clock, for tests.

        Raises:
            SettingsError: a setting is missing or wrong.
        """
        given = settings or load_settings()
        return deploy(given, client=client, presign_client=presign_client, table=table, clock=clock).uploads()


def _presign_client(settings: Settings, client: S3Client) -> S3Client:
    if settings.presign_endpoint_url is None and not settings.accelerate:
        return client
    return make_client(endpoint_url=settings.presign_endpoint_url, accelerate=settings.accelerate)


def _table(settings: Settings, given: Any) -> SqlTable:
    if isinstance(given, SqlTable):
        return given
    if isinstance(given, Engine):
        if given.dialect.name == "sqlite":
            check_file(given.url)
        if isinstance(given.pool, StaticPool):
            raise SettingsError("the engine has one connection for everybody (StaticPool)", hint="use an engine with a real pool")
        return SqlTable(given, schema=settings.table_schema)
    if settings.table_url is None:
        raise SettingsError(
            "RECONCILER_TABLE_URL is not set", hint="such as sqlite:////srv/app/app.db or postgresql://app@db/app"
        )
    return SqlTable(make_engine(settings.table_url), schema=settings.table_schema)
