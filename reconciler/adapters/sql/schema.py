"""The schema, written once: the state table, the binding, and the runs. The migrations arrive at exactly this; a test says so."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

UPLOADS = "upload_status"
BINDING = "upload_binding"
RUNS = "upload_runs"
VERSIONS = "reconciler_alembic_version"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out. SQLite has no time zones: there it is written naive, in a form that sorts as text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they would be compared as if they were UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Keys sort by the bytes of their UTF-8, as S3 lists them: SQLite's BINARY does, PostgreSQL must be told.
Key = String(1024).with_variant(String(1024, collation="C"), "postgresql")


def tables_as_used(metadata: MetaData | None = None, *, schema: str | None = None) -> MetaData:
    """Return a MetaData that holds reconciler's tables, for your own alembic's `target_metadata`.

    With `metadata` they are added to yours; `schema` names the database schema they live in.
    """
    into = MetaData() if metadata is None else metadata
    _uploads(into, schema)
    Table(
        BINDING,
        into,
        Column("only", Integer, primary_key=True, autoincrement=False),
        Column("instance_id", String(36), nullable=False),
        Column("bucket", String(255), nullable=False),
        Column("prefix", Key, nullable=False),
        Column("disputed", Boolean, nullable=False),
        schema=schema,
    )
    Table(
        RUNS,
        into,
        Column("id", String(36), primary_key=True),
        Column("finder", String(16), nullable=False),
        Column("started_at", UtcDateTime, nullable=False),
        Column("ended_at", UtcDateTime, nullable=False),
        Column("outcome", String(16), nullable=False),
        Column("counts", JSON, nullable=False),
        Column("bytes_deleted", BigInteger, nullable=False),
        schema=schema,
    )
    return into


def _uploads(metadata: MetaData, schema: str | None) -> Table:
    return Table(
        UPLOADS,
        metadata,
        Column("key", Key, primary_key=True),
        Column("bucket", String(255), nullable=False),
        Column("object_url", Text, nullable=False),
        Column("status", String(16), nullable=False),
        Column("owner", String(255), nullable=False),
        Column("filename", String(255)),
        Column("declared_type", String(255)),
        Column("min_size", BigInteger),
        Column("max_size", BigInteger),
        Column("metadata", JSON, nullable=False),
        *_moments("created_at", "expires_at", "due_at", nullable=False),
        Column("etag", String(255)),
        Column("version_id", String(1024)),
        Column("size", BigInteger),
        Column("content_type", String(255)),
        *_moments(
            "last_modified",
            "stored_at",
            "completed_at",
            "settled_at",
            "confirmed_at",
            "deleted_at",
            nullable=True,
        ),
        Column("reason", String(32)),
        Column("multipart_id", String(1024)),
        Column("replaces", Key),
        Index("ix_upload_status_due", "status", "due_at", "key"),
        Index("ix_upload_status_unsettled", "status", "settled_at", "key"),
        Index("ix_upload_status_unconfirmed", "status", "confirmed_at", "settled_at", "key"),
        Index("ix_upload_status_outlived", "status", "deleted_at", "key"),
        schema=schema,
    )


def _moments(*names: str, nullable: bool) -> list[Column[Any]]:
    return [Column(name, UtcDateTime, nullable=nullable) for name in names]
