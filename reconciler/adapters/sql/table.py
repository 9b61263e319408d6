"""The whole Table port over one SQLAlchemy engine."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, select, update

from reconciler.adapters.sql import statements, transaction
from reconciler.adapters.sql.engine import BUSY_SECONDS, OWN
from reconciler.adapters.sql.errors import mapped
from reconciler.adapters.sql.migrate import check_version, place, upgrade
from reconciler.adapters.sql.schema import BINDING, RUNS, UPLOADS, tables_as_used
from reconciler.core.model import Binding, Run, Upload
from reconciler.core.rows import Move, Where
from reconciler.errors import TableNotInitialisedError


class SqlTable:
    """The state table in a SQL database. Every verb is one transaction on a connection of its own.

    On PostgreSQL they run at READ COMMITTED, whatever the engine's own isolation level, and a write that has to wait for
    another one's lock waits for five seconds at most.
    """

    def __init__(self, engine: Engine, *, schema: str | None = None) -> None:
        self._dialect = engine.dialect.name
        # A compare-and-set wants the newest row: under a snapshot it would fail, under autocommit fall apart.
        level = {"isolation_level": "READ COMMITTED"} if self._dialect == statements.POSTGRESQL else {}
        self.engine = engine.execution_options(**{OWN: True, **level})
        self._schema = schema
        tables = tables_as_used(MetaData(), schema=schema).tables
        place = f"{schema}." if schema else ""
        self._uploads = tables[place + UPLOADS]
        self._binding = tables[place + BINDING]
        self._runs = tables[place + RUNS]
        self._insert = statements.insert(self._uploads, self._dialect)
        self._checked = False

    @property
    def place(self) -> str:
        """Where the table lies, without any password."""
        return place(self.engine)

    def create(self) -> None:
        """Create the tables, or bring them up to this version's schema. Safe to run again."""
        with mapped():
            upgrade(self.engine, self._schema)

    def get(self, key: str) -> Upload | None:
        """Return one row."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, Upload]:
        """Return the rows that exist, by key."""
        found = (row for chunk in statements.chunks(keys) for row in self._rows(statements.read(self._uploads, chunk)))
        return {row.key: row for row in found}

    def select(self, where: Where, *, order: str = "key", after: Upload | None = None, limit: int) -> list[Upload]:
        """Return a page of rows in the order of a column and then the key."""
        return self._rows(statements.page(self._uploads, where, order=order, after=after, limit=limit))

    def between(self, after: str, upto: str | None, *, limit: int) -> list[Upload]:
        """Return a page of a range of keys."""
        return self._rows(statements.between(self._uploads, after, upto, limit=limit))

    def count(self, where: Where) -> int:
        """Count the rows."""
        with mapped(), self.engine.connect() as connection:
            return int(connection.execute(statements.count(self._uploads, where)).scalar_one())

    def binding(self) -> Binding | None:
        """Return what this table is bound to; the first call also makes sure that the schema is this version's."""
        if not self._checked:
            with mapped():
                check_version(self.engine, self._schema)
            self._checked = True
        with mapped(), self.engine.connect() as connection:
            found = connection.execute(select(self._binding)).one_or_none()
        return None if found is None else Binding(found.instance_id, found.bucket, found.prefix)

    def insert(self, row: Upload, *, also: tuple[str, Move] | None = None) -> bool:
        """Insert a new row, and move another in the same transaction."""
        with self._writing() as connection:
            inserted = connection.execute(self._insert, statements.values(row)).one_or_none() is not None
            if inserted and also is not None:
                connection.execute(statements.move(self._uploads, [also[0]], also[1], self._dialect))
            return inserted

    def move(self, keys: Collection[str], move: Move) -> set[str]:
        """Carry out a Move, a chunk of keys a transaction."""
        moved: set[str] = set()
        for chunk in statements.chunks(keys):
            with self._writing() as connection:
                moved.update(connection.execute(statements.move(self._uploads, chunk, move, self._dialect)).scalars())
        return moved

    def forget(self, keys: Collection[str], where: Where) -> set[str]:
        """Remove rows."""
        forgotten: set[str] = set()
        for chunk in statements.chunks(keys):
            with self._writing() as connection:
                forgotten.update(connection.execute(statements.forget(self._uploads, chunk, where, self._dialect)).scalars())
        return forgotten

    def bind(self, binding: Binding, *, overwrite: bool) -> Binding:
        """Write what this table is bound to; of several at once, all return the same."""
        row = {"only": 1, "disputed": False, **asdict(binding)}
        with self._writing() as connection:
            if overwrite:
                connection.execute(statements.upsert(self._binding, row, self._dialect))
            else:
                connection.execute(statements.insert(self._binding, self._dialect), row)
        return self.binding() or binding

    def disputed(self) -> bool:
        """Say whether a dispute was noted."""
        with mapped(), self.engine.connect() as connection:
            return bool(connection.execute(select(self._binding.c.disputed)).scalar_one_or_none())

    def note_dispute(self, *, disputed: bool) -> None:
        """Note a dispute, or that it is over."""
        with self._writing() as connection:
            connection.execute(update(self._binding).values(disputed=disputed))

    def record_run(self, run: Run) -> None:
        """Keep one run; a plan that is applied again keeps its last."""
        with self._writing() as connection:
            connection.execute(statements.upsert(self._runs, asdict(run), self._dialect))

    @contextmanager
    def begin(self) -> Iterator[transaction.OwnTransaction]:
        """Begin a transaction of our own; what waits for its commit is called back after it."""
        with self._writing() as connection:
            own = transaction.OwnTransaction(connection, self._uploads)
            yield own
        for callback in own.callbacks:
            callback()

    def join(self, session: Any) -> transaction.JoinedConnection:
        """Take part in the caller's transaction."""
        binding = self.binding()
        if binding is None:
            raise TableNotInitialisedError
        return transaction.join(session, self._uploads, self._binding, binding.instance_id)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a transaction that gives up on somebody's lock as SQLite does."""
        with mapped(), self.engine.begin() as connection:
            if self._dialect == statements.POSTGRESQL:
                connection.execute(statements.lock_timeout(BUSY_SECONDS * 1000))
            yield connection

    def _rows(self, statement: Any) -> list[Upload]:
        with mapped(), self.engine.connect() as connection:
            return [statements.row_of(found) for found in connection.execute(statement)]
