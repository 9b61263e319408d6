"""Where and Move as SQL. Every statement of the adapter is made here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Table,
    Update,
    and_,
    delete,
    func,
    literal,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningDelete

from reconciler.core.model import Status, Upload
from reconciler.core.rows import COLUMNS, Move, Where

POSTGRESQL = "postgresql"  # SQLAlchemy's name of the dialect
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


def move(table: Table, keys: Collection[str], move_: Move, dialect: str) -> Update:
    """Update the rows that meet the condition and return their keys: the compare-and-set."""
    locks_first = dialect == POSTGRESQL and (move_.skip_locked or len(keys) > 1)
    which = _locked(table, keys, move_.where, skip=move_.skip_locked) if locks_first else table.c.key.in_(list(keys))
    return (
        update(table)
        .where(which, condition(table, move_.where))
        .values(**{name: _plain(value) for name, value in move_.sets.items()})
        .returning(table.c.key)
    )


def _locked(table: Table, keys: Collection[str], where: Where, *, skip: bool, leaving: bool = False) -> ColumnElement[bool]:
    """Lock the rows first, in key order, and say which they are: two writers in the same order cannot deadlock.

    The lock is the one that the statement itself takes, so a foreign key to a row (it holds FOR KEY SHARE) is only in the way
    where rows are `leaving`.
    """
    rows = select(table.c.key).where(table.c.key.in_(list(keys)), condition(table, where)).order_by(table.c.key)
    locked = rows.with_for_update(key_share=not leaving, skip_locked=skip).cte("locked").prefix_with("MATERIALIZED")
    return table.c.key.in_(select(locked.c.key))


def lock_timeout(milliseconds: float) -> Any:
    """Let this transaction wait no longer for a lock (PostgreSQL's own default is for ever)."""
    return text(f"SET LOCAL lock_timeout = {milliseconds:.0f}")


def insert(table: Table, dialect: str) -> Insert:
    """Insert a row, given as parameters, unless its key is taken, and return the key if it was not."""
    return _insert(table, dialect).on_conflict_do_nothing().returning(*table.primary_key)


def upsert(table: Table, row: Mapping[str, Any], dialect: str) -> Insert:
    """Insert a row, or let it take the place of the one with its primary key."""
    return _insert(table, dialect).values(**row).on_conflict_do_update(index_elements=list(table.primary_key), set_=row)


def _insert(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)


def values(row: Upload) -> dict[str, Any]:
    """Return a row as parameters."""
    return {name: _plain(getattr(row, name)) for name in COLUMNS}


def forget(table: Table, keys: Collection[str], where: Where, dialect: str) -> ReturningDelete[str]:
    """Delete the rows that meet the condition and return their keys."""
    locks_first = dialect == POSTGRESQL and len(keys) > 1
    which = _locked(table, keys, where, skip=False, leaving=True) if locks_first else table.c.key.in_(list(keys))
    return delete(table).where(which, condition(table, where)).returning(table.c.key)


def chunks(keys: Collection[str]) -> Iterator[Sequence[str]]:
    """Cut keys into lists of a size that every database takes, in order: neighbours share pages of the index."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def row_of(found: Any) -> Upload:
    """Return a result row as an Upload."""
    values = dict(zip(found._fields, found, strict=True))
    values["status"] = Status(values["status"])
    return Upload(**values)


def _bound(columns: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    # tuple_ takes no types from its neighbour: without them the time would be bound as it is.
    return [literal(value, column.type) for column, value in zip(columns, values, strict=True)]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Status) else value
