"""Where and Move as SQL. Every statement of the adapter is made here."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Table, Update, and_, delete, func, literal, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningDelete

from reconciler.core.model import Status, Upload
from reconciler.core.rows import COLUMNS, Move, Where

CHUNK = 500  # keys in one IN list: well under SQLite's and PostgreSQL's limits on bound values


def condition(table: Table, where: Where) -> ColumnElement[bool]:
    """Return a Where as a SQL condition."""
    columns = table.c
    parts: list[ColumnElement[bool]] = []
    if where.statuses:
        parts.append(columns.status.in_([status.value for status in where.statuses]))
    parts += [columns[name].is_(None) if value is None else columns[name] == value for name, value in where.equals.items()]
    parts += [columns[name] <= moment for name, moment in where.until.items()]
    parts += [columns[name] > moment for name, moment in where.after.items()]
    return and_(true(), *parts)


def read(table: Table, keys: Collection[str]) -> Select[Any]:
    """Select rows by key."""
    return select(table).where(table.c.key.in_(list(keys)))


def page(table: Table, where: Where, *, order: str, after: Upload | None, limit: int) -> Select[Any]:
    """Select a page in the order of a column and then the key."""
    columns = [table.c.key] if order == "key" else [table.c[order], table.c.key]
    statement = select(table).where(condition(table, where)).order_by(*columns).limit(limit)
    if after is None:
        return statement
    last = [after.key] if order == "key" else [getattr(after, order), after.key]
    return statement.where(tuple_(*columns) > tuple_(*_bound(columns, last)))


def between(table: Table, after: str, upto: str | None, *, limit: int) -> Select[Any]:
    """Select a page of a range of keys, in key order."""
    statement = select(table).where(table.c.key > after).order_by(table.c.key).limit(limit)
    return statement if upto is None else statement.where(table.c.key <= upto)


def count(table: Table, where: Where) -> Select[Any]:
    """Count rows."""
    return select(func.count()).select_from(table).where(condition(table, where))


def move(table: Table, keys: Collection[str], move_: Move) -> Update:
    """Update the rows that meet the condition and return their keys: the compare-and-set."""
    return (
        update(table)
        .where(table.c.key.in_(list(keys)), condition(table, move_.where))
        .values(**{name: _plain(value) for name, value in move_.sets.items()})
        .returning(table.c.key)
    )


def insert(table: Table, dialect: str) -> Insert:
    """Insert a row, given as parameters, unless its key is taken, and return the key if it was not."""
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return maker(table).on_conflict_do_nothing().returning(table.c.key)


def values(row: Upload) -> dict[str, Any]:
    """Return a row as parameters."""
    return {name: _plain(getattr(row, name)) for name in COLUMNS}


def forget(table: Table, keys: Collection[str], where: Where) -> ReturningDelete[str]:
    """Delete the rows that meet the condition and return their keys."""
    return delete(table).where(table.c.key.in_(list(keys)), condition(table, where)).returning(table.c.key)


def chunks(keys: Collection[str]) -> Iterator[Sequence[str]]:
    """Cut keys into lists of a size that every database takes, in order: neighbours share pages of the index."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def row_of(found: Any) -> Upload:
    """Return a result row as an Upload."""
    values = dict(found._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    return Upload(**{**values, "status": Status(values["status"])})


def _bound(columns: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    # tuple_ takes no types from its neighbour: without them the time would be bound as it is.
    return [literal(value, column.type) for column, value in zip(columns, values, strict=True)]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Status) else value
