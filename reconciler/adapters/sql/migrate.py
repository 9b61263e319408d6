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
    if _is_absent_file(engine):
        raise TableNotInitialisedError(f"there is no database at {place(engine)}")
    with engine.connect() as connection:
        revision = current(connection, schema)
    if revision is None:
        raise TableNotInitialisedError(f"there is no upload table in {place(engine)}")
    if revision not in REVISIONS:
        raise _newer(revision)
    if revision != REVISIONS[-1]:
        raise TableVersionError(
            f"the table's schema is at {revision}, this version needs {REVISIONS[-1]}",
            hint="run `reconcile init`",
        )


def place(engine: Engine) -> str:
    """Say where the table lies, as an operator would look for it; never with a password."""
    if engine.dialect.name == "sqlite":
        return str(Path(engine.url.database or "").resolve())
    return engine.url.render_as_string(hide_password=True)


def _is_absent_file(engine: Engine) -> bool:
    # Connecting would create it, and leave an empty database behind in whatever folder this runs.
    is_file = engine.dialect.name == "sqlite" and not (engine.url.database or "").startswith("file:")
    return is_file and not Path(engine.url.database or "").exists()


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
