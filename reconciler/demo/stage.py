"""The stage: a bucket, a table, an application and its visitors' browser, under one clock that can be moved.

Library and reconciler work on the same ports, as they would in production; only the clock is another one. Nothing of this
machine's own gets in: neither its AWS or reconciler settings, nor a proxy, nor a file in the current folder.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import urllib3
from sqlalchemy import Engine, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from reconciler import Uploads, begin_immediate
from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.s3 import make_client
from reconciler.core.keys import is_system
from reconciler.core.model import STATUS_TAG, ObjectEntry, Upload
from reconciler.demo.servers import Server
from reconciler.presign import PresignedUpload
from reconciler.settings import Settings
from reconciler.testing import TravellingObjects
from reconciler.wiring import Deployment, deploy

MANY = 1000  # rows read at once; the story has a few dozen
ERROR_CODE = re.compile(rb"<Code>(\w+)</Code>")
ALONE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


class Base(DeclarativeBase):
    """The application's tables."""


class Profile(Base):
    """What the form saves: who has which picture. It lies in the same database as the upload table."""

    __tablename__ = "profiles"

    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    picture: Mapped[str] = mapped_column(String(1024))


@dataclass(frozen=True, slots=True)
class Answer:
    """What S3 said to a browser: the HTTP status, and S3's error code where there is one."""

    status: int
    code: str = ""


@dataclass(frozen=True)
class Stage:
    """Everything that the steps work with."""

    server: Server
    client: Any
    clock: MovableClock
    deployment: Deployment
    uploads: Uploads
    engine: Engine
    http: urllib3.PoolManager
    journal: Path

    def send(self, ticket: PresignedUpload, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Upload as a browser does: the ticket's headers verbatim, unless others are given."""
        sent = dict(ticket.headers if headers is None else headers)
        response = self.http.request(ticket.method, ticket.url, body=body, headers=sent)
        code = ERROR_CODE.search(response.data)
        return Answer(response.status, code[1].decode() if code else "")

    def read(self, key: str) -> bytes:
        """Read an object back."""
        content: bytes = self.client.get_object(Bucket=self.deployment.objects.bucket, Key=key)["Body"].read()
        return content

    def tag(self, key: str) -> str | None:
        """Return the object's tag `status`."""
        return self.deployment.objects.tags(key).get(STATUS_TAG)

    def listed(self) -> dict[str, ObjectEntry]:
        """List the bucket, without reconciler's own marker."""
        prefix = self.deployment.prefix
        entries = (entry for page in self.deployment.objects.pages(prefix) for entry in page)
        return {entry.key: entry for entry in entries if not is_system(entry.key, prefix=prefix)}

    def rows(self) -> dict[str, Upload]:
        """Read the upload table."""
        return {row.key: row for row in self.deployment.table.between("", None, limit=MANY)}

    def profiles(self) -> dict[str, str]:
        """Read the application's own table."""
        with Session(self.engine) as session:
            return {profile.user: profile.picture for profile in session.scalars(select(Profile))}

    def statuses(self) -> Counter[str]:
        """Count the rows by status."""
        return Counter(row.status.value for row in self.rows().values())

    def tags(self) -> Counter[str | None]:
        """Count the objects by their tag."""
        return Counter(self.tag(key) for key in self.listed())


@contextmanager
def apart() -> Iterator[Path]:
    """Keep this machine's own settings out and this run's files in: a folder that is removed in the end."""
    before = dict(os.environ)
    for name in before:
        if name.upper().startswith(("AWS_", "RECONCILER_")) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ.update(ALONE)
    try:
        with TemporaryDirectory(prefix="reconciler-demo-", ignore_cleanup_errors=True) as folder, chdir(folder):
            yield Path(folder)
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def staged(server: Server, folder: Path, *, bucket: str) -> Iterator[Stage]:
    """Create a bucket and an application's table, and connect everything to them. Reconciler's own table is not there yet."""
    os.environ.update(server.environment())
    url = f"sqlite:///{folder / 'app.db'}"
    settings = Settings(bucket=bucket, table_url=url, journal=folder / "journal.jsonl")
    client, clock, http = make_client(), MovableClock(), urllib3.PoolManager(retries=False)
    client.create_bucket(Bucket=bucket)
    deployment = deploy(settings, client=client, objects=TravellingObjects(client, bucket, clock), clock=clock)
    engine = begin_immediate(create_engine(url))
    Base.metadata.create_all(engine)
    try:
        yield Stage(server, client, clock, deployment, deployment.uploads(), engine, http, settings.journal)
    finally:
        http.clear()
        engine.dispose()
        deployment.table.engine.dispose()
        client.close()
