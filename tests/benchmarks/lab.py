"""Where things are measured: one deployment on one store and one database, its requests counted, its clock movable."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psycopg
from benchmarks.counting import Requests
from benchmarks.sizes import Sizes
from botocore.config import Config
from servers.postgres import Postgres

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.journal import FileJournal
from reconciler.adapters.s3 import make_client
from reconciler.core.guards import Limits
from reconciler.demo.servers import Server
from reconciler.settings import Settings
from reconciler.testing import TravellingObjects
from reconciler.wiring import Deployment, Uploads, deploy

REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One deployment on one store and one kind of database."""

    store: Server
    database: str
    client: Any
    clock: MovableClock
    requests: Requests
    deployment: Deployment
    table_url: str

    @property
    def name(self) -> str:
        """Store and database, as a part of a figure's name."""
        return f"{slug(self.store)}_{self.database}"

    @property
    def bucket(self) -> str:
        return self.deployment.settings.bucket

    @cached_property
    def uploads(self) -> Uploads:
        return self.deployment.uploads()

    def sweep(self) -> None:
        """Plan and apply a sweep, however much it deletes."""
        plan = self.deployment.planner().sweep()
        self.deployment.applier().apply(plan, limits=Limits(max_delete=len(plan.actions)))


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The servers of one run. `announcing` is a store that tells of the lifecycle rule's expiry, where there is one."""

    store: Server
    announcing: Server | None
    postgres: Postgres | None
    folder: Path
    sizes: Sizes
    opened: list[Place] = field(default_factory=list)

    def close(self) -> None:
        """Close the connections of every deployment made so far."""
        while self.opened:
            place = self.opened.pop()
            place.client.close()
            place.deployment.table.engine.dispose()

    def places(self) -> list[Place]:
        """Make a fresh deployment on the store with each database."""
        return [self.on_sqlite(), *([self.on_postgres(self.store)] if self.postgres else [])]

    def on_sqlite(self) -> Place:
        """Make a fresh deployment on the store and a SQLite file."""
        return self._place(self.store, "sqlite", f"sqlite:///{self.folder / uuid.uuid4().hex}.db")

    def on_postgres(self, store: Server) -> Place:
        """Make a fresh deployment on a store and a PostgreSQL database."""
        if self.postgres is None:
            raise LookupError("this run has no PostgreSQL")
        return self._place(store, "postgres", self.postgres.create())

    def _place(self, store: Server, database: str, table_url: str) -> Place:
        with pointed_at(store):
            client, clock = make_client(), MovableClock()
        bucket = new_bucket(client)
        settings = Settings(bucket=bucket, table_url=table_url, journal=self.folder / f"{bucket}.jsonl")
        place = Place(
            store=store,
            database=database,
            client=client,
            clock=clock,
            requests=Requests(client),
            deployment=deploy(
                settings,
                client=client,
                objects=TravellingObjects(client, bucket, clock),
                clock=clock,
                journal=FileJournal(settings.journal),
            ),
            table_url=table_url,
        )
        self.opened.append(place)
        place.deployment.initialise()
        return place


def plain_client(store: Server) -> Any:
    """Return the client that a backend without reconciler would make."""
    with pointed_at(store):
        return boto3.client("s3", region_name=REGION, config=Config(signature_version="s3v4"))


def new_bucket(client: Any) -> str:
    """Create a bucket and return its name."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


def slug(store: Server) -> str:
    """Return a store's name as a part of a figure's name."""
    return store.name.split()[0].lower()


def make_durable(server: Postgres) -> None:
    """Let commits wait for the disk, as they do in production and on SQLite; the tests' server does not."""
    with psycopg.connect(server.uri, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = on")
        connection.execute("ALTER SYSTEM SET synchronous_commit = on")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def pointed_at(store: Server) -> Iterator[Mapping[str, str]]:
    """Point the environment at a store, and at nobody's own settings or credentials, for the block; yield that environment."""
    before = dict(os.environ)
    mine = {name: value for name, value in before.items() if not name.startswith(("AWS_", "RECONCILER_"))}
    nobodys = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    os.environ.clear()
    os.environ.update(mine | nobodys | store.environment())
    try:
        yield dict(os.environ)
    finally:
        os.environ.clear()
        os.environ.update(before)
