"""Bringing the schema up to date, with alembic and the migrations in this package, beside an alembic of the application's own.

Either `reconcile init` makes the tables, and the application's alembic leaves them alone (`not_ours`), or the application's own
history makes them (`metadata_for`), and init only notes that it did. Init tells the two apart by looking: tables that are already
exactly this version's are stamped, others are migrated, and what neither has made is refused.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    column,
    func,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateSchema

from reconciler.adapters.sql.schema import BINDING, RUNS, UPLOADS, VERSIONS, UtcDateTime, tables_as_used
from reconciler.errors import SettingsError, TableError, TableNotInitialisedError, TableVersionError

REVISIONS = ("0001",)  # every revision this version knows, oldest first; a test compares it with the migrations
OURS = frozenset({UPLOADS, BINDING, RUNS, VERSIONS})
_SCRIPTS = Path(__file__).parent / "migrations"
_DENIED = "42501"  # insufficient_privilege (PostgreSQL manual, appendix A)
_LOCK = 0x7265636F6E63696C  # "reconcil": the advisory lock that only one `init` at a time holds


def metadata_for(metadata: MetaData | None = None, *, schema: str | None = None) -> MetaData:
    """Return a MetaData that holds reconciler's tables, for an alembic history of your own that makes them.

    With `metadata` they are added to yours, once. `schema` is the database schema they live in, by default that of `metadata`:
    the same as RECONCILER_TABLE_SCHEMA. Their types are SQLAlchemy's own, so that what `alembic revision --autogenerate` writes
    imports nothing of reconciler. One of them is where `reconcile init` notes the version.
    """
    into = MetaData() if metadata is None else metadata
    where: Any = schema or into.schema  # Any: None is not typed, but documented
    for each in _every_table(where).tables.values():
        if each.key not in into.tables:
            for found in each.to_metadata(into, schema=where).columns:
                if isinstance(found.type, UtcDateTime):
                    found.type = DateTime(timezone=True)
    return into


def _every_table(schema: str | None) -> MetaData:
    every = tables_as_used(MetaData(), schema=schema)
    number = Column("version_num", String(32), nullable=False)
    Table(VERSIONS, every, number, PrimaryKeyConstraint("version_num", name=f"{VERSIONS}_pkc"), schema=schema)  # as alembic's
    return every


def not_ours(_item: object, name: str | None, kind: str, *_: object) -> bool:
    """Say whether alembic should look at an item: not at reconciler's tables, whatever schema they are in.

    For `context.configure(include_object=...)` where `reconcile init` makes the tables: autogenerate then neither drops nor
    creates them, whether or not they exist or are part of your `target_metadata`.
    """
    return kind != "table" or name not in OURS


def current(connection: Connection, schema: str | None) -> str | None:
    """Return the revision the database is at; None where the tables were never created, or not by us."""
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
        _has_schema(connection, schema)
        revision = current(connection, schema)
    if revision is None:
        raise TableNotInitialisedError(f"there is no upload table in {place(engine)}{_within(schema)}")
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


def upgrade(engine: Engine, schema: str | None) -> None:
    """Create or upgrade the tables, all or nothing. One process at a time does it; the others wait.

    Tables that your own migrations made exactly as `metadata_for` says are taken as they are. Raises TableVersionError for a
    newer schema and for tables of these names that are otherwise, TableError where this role may not create them.
    """
    try:
        with engine.begin() as connection:
            _hold_others_off(connection)
            _bring_up(connection, schema, place(engine))
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _DENIED:
            raise
        name = schema or "uploads"
        raise TableError(
            f"this role may not create the upload tables: {str(error.orig).splitlines()[0]}",
            hint=f"let an administrator run `CREATE SCHEMA {name} AUTHORIZATION <this role>` (or, where there is one, "
            f"`GRANT USAGE, CREATE ON SCHEMA {name} TO <this role>`), and set RECONCILER_TABLE_SCHEMA={name}",
        ) from error


def _bring_up(connection: Connection, schema: str | None, where: str) -> None:
    if not _has_schema(connection, schema):
        connection.execute(CreateSchema(str(schema)))
    revision = current(connection, schema)
    if revision is not None and revision not in REVISIONS:
        raise _newer(revision)
    if revision == REVISIONS[-1]:
        return
    if not any(inspect(connection).has_table(name, schema=schema) for name in OURS - {VERSIONS}):
        _alembic("upgrade", connection, schema)
        return
    differences = _differences(connection, schema)
    if differences and revision is None:
        raise TableVersionError(
            f"the upload tables in {where}{_within(schema)} were not made by `reconcile init`, and are not as this version "
            f"needs them; it would take: {'; '.join(differences)}",
            hint="bring them to reconciler.metadata_for() with your own alembic, or rename them",
        )
    _alembic("upgrade" if differences else "stamp", connection, schema)


def _alembic(verb: str, connection: Connection, schema: str | None) -> None:
    from alembic import command  # noqa: PLC0415  a tenth of a second that only init has to pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))  # ConfigParser interpolates
    config.attributes.update(connection=connection, schema=schema)
    getattr(command, verb)(config, "head")


def _differences(connection: Connection, schema: str | None) -> list[str]:
    """Name what is otherwise than the schema says. What alembic compares leaves out primary keys and collations."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  only init has to pay
    from alembic.migration import MigrationContext  # noqa: PLC0415

    looked = None if schema == inspect(connection).default_schema_name else schema  # alembic never names the default one
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "version_table": VERSIONS,
        "version_table_schema": looked,
        "include_schemas": looked is not None,
        "include_name": lambda name, kind, _: kind != "schema" or name == looked,
        "include_object": lambda _, name, kind, *__: kind != "table" or name in OURS,
    }
    wanted = tables_as_used(MetaData(), schema=looked)
    found = compare_metadata(MigrationContext.configure(connection, opts=options), wanted)
    return [_words(each) for each in found] or [*_other_keys(connection, wanted), *_other_collations(connection, wanted)]


def _words(difference: Any) -> str:
    """Return one difference in words: alembic's verb, and the names it concerns."""
    what, *about = difference[0] if isinstance(difference, list) else difference
    names = [each if isinstance(each, str) else each.name for each in about if isinstance(each, str) or hasattr(each, "name")]
    return " ".join([what.replace("_", " "), *names[-2:]])


def _other_keys(connection: Connection, wanted: MetaData) -> list[str]:
    inspector = inspect(connection)
    return [
        f"primary key of {each.name}"
        for each in wanted.sorted_tables
        if inspector.get_pk_constraint(each.name, schema=each.schema)["constrained_columns"] != each.primary_key.columns.keys()
    ]


def _other_collations(connection: Connection, wanted: MetaData) -> list[str]:
    """Keys must sort by their bytes, or a plan merges the listing with the table wrongly."""
    if connection.dialect.name != "postgresql":
        return []
    names = ("table_schema", "table_name", "column_name", "collation_name")
    columns = table("columns", *map(column, names), schema="information_schema").c
    schema = wanted.sorted_tables[0].schema or inspect(connection).default_schema_name
    ours = select(columns.table_name, columns.column_name, columns.collation_name).where(columns.table_schema == schema)
    found = {(name, each): collation for name, each, collation in connection.execute(ours)}
    return [
        f"collation of {own.name}.{each.name}"
        for own in wanted.sorted_tables
        for each in own.columns
        if found.get((own.name, each.name)) != getattr(each.type.dialect_impl(connection.dialect), "collation", None)
    ]


def _has_schema(connection: Connection, schema: str | None) -> bool:
    there = schema is None or inspect(connection).has_schema(schema)
    if not there and connection.dialect.name == "sqlite":
        raise SettingsError(
            f"RECONCILER_TABLE_SCHEMA is {schema!r}, but a SQLite database has no schemas",
            hint="leave it out, or give the tables a database file of their own",
        )
    return there


def _hold_others_off(connection: Connection) -> None:
    """Let one process at a time create or upgrade. SQLite is told to begin: else each statement would commit by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _within(schema: str | None) -> str:
    return f", schema {schema}" if schema else ""


def _is_absent_file(engine: Engine) -> bool:
    # Connecting would create it, and leave an empty database behind in whatever folder this runs.
    is_file = engine.dialect.name == "sqlite" and not (engine.url.database or "").startswith("file:")
    return is_file and not Path(engine.url.database or "").exists()


def _newer(revision: str) -> TableVersionError:
    return TableVersionError(
        f"the table's schema is at {revision}, which this version does not know",
        hint="a newer reconciler made it: upgrade this one (pip install -U reconciler)",
    )
