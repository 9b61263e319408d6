"""The state table, through SQLAlchemy Core: SQLite here, PostgreSQL by the same code."""

from reconciler.adapters.sql.clock import DatabaseClock
from reconciler.adapters.sql.engine import begin_immediate, check_file, make_engine
from reconciler.adapters.sql.schema import tables_as_used
from reconciler.adapters.sql.table import SqlTable

__all__ = ["DatabaseClock", "SqlTable", "begin_immediate", "check_file", "make_engine", "tables_as_used"]
