"""Bringing the schema up to date, with alembic and the migrations in this package."""

from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table

from reconciler.adapters.sql.schema import VERSIONS
from reconciler.errors import TableNotInitialisedError, TableVersionError

REVISIONS = ("0001",)  # every revision this version knows, oldest first; a test compares it with the migrations
_SCRIPTS = Path(__file__).parent / "migrations"


def current(connection: Connection, schema: str | None) -> str | None:
    """Return the revision the database is at; None where the tables were never created."""
    if not inspect(connection).has_table(VERSIONS, schema=schema):
        return None
    versions = table(VERSIONS, column("version_num"), schema=schema)
    found: str | None = connection.execute(select(versions.c.version_num)).scalar_one_or_none()
    return found


def check_version(engine: Engine, schema: str | None) -> None:
    """Raise unless the database's schema is exactly this version's."""
    with engine.connect() as connection:
        revision = current(connection, schema)
    if revision is None:
        raise TableNotInitialisedError
    if revision not in REVISIONS:
        raise _newer(revision)
    if revision != REVISIONS[-1]:
        raise TableVersionError(
            f"the table's schema is at {revision}, this version needs {REVISIONS[-1]}",
            hint="run `reconcile init`",
        )


def upgrade(engine: Engine, schema: str | None) -> None:
    """Create or upgrade the tables; a newer schema is refused."""
    from alembic import command  # noqa: PLC0415  a tenth of a second that only init has to pay
    from alembic.config import Config  # noqa: PLC0415

    with engine.begin() as connection:
        revision = current(connection, schema)
        if revision is not None and revision not in REVISIONS:
            raise _newer(revision)
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS))
        config.attributes.update(connection=connection, schema=schema)
        command.upgrade(config, "head")


def _newer(revision: str) -> TableVersionError:
    return TableVersionError(
        f"the table's schema is at {revision}, which this version does not know",
        hint="a newer reconciler made it: upgrade this one (pip install -U reconciler)",
    )
