"""The conformance suite of the table ports, on memory, SQLite and PostgreSQL."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.postgres import Postgres
from sqlalchemy import event
from support import sqlite_table

from reconciler.adapters.memory import MemoryTable
from reconciler.adapters.sql import SqlTable, make_engine
from reconciler.testing import TableSuite


class TestMemory(TableSuite):
    def make_table(self) -> MemoryTable:
        return MemoryTable()


class TestSqlite(TableSuite):
    """Every test has copies of one migrated file, which no test waits to reach the disk."""

    folder: Path
    blank: Path
    made: list[SqlTable]

    @pytest.fixture(scope="class")
    @staticmethod
    def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("migrated")
        sqlite_table(folder).engine.dispose()
        return folder / "table.db"

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, migrated: Path) -> Iterator[None]:
        self.folder, self.blank, self.made = tmp_path, migrated, []
        yield
        for table in self.made:
            table.engine.dispose()

    def make_table(self) -> SqlTable:
        file = self.folder / f"{uuid.uuid4().hex}.db"
        shutil.copy(self.blank, file)
        engine = make_engine(f"sqlite:///{file}")
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.made.append(SqlTable(engine))
        return self.made[-1]


class TestPostgres(TableSuite):
    """One database for all; every table is that one, emptied."""

    server: Postgres
    url: str
    made: list[SqlTable]

    @pytest.fixture(scope="class")
    @staticmethod
    def database(postgres: Postgres) -> Iterator[str]:
        with postgres.database() as url:
            yield url

    @pytest.fixture(autouse=True)
    def _server(self, postgres: Postgres, database: str) -> Iterator[None]:
        self.server, self.url, self.made = postgres, database, []
        yield
        for table in self.made:
            table.engine.dispose()

    def make_table(self) -> SqlTable:
        self.server.empty(self.url)
        self.made.append(SqlTable(make_engine(self.url)))
        return self.made[-1]
