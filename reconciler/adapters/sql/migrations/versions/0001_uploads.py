"""The first schema: uploads, their binding, and the runs."""

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    _uploads(schema)
    _indexes(schema)
    _binding(schema)
    _runs(schema)


def _uploads(schema: str | None) -> None:
    op.create_table(
        "upload_status",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("bucket", sa.String(255), nullable=False),
        sa.Column("object_url", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("filename", sa.String(255)),
        sa.Column("declared_type", sa.String(255)),
        sa.Column("min_size", sa.BigInteger),
        sa.Column("max_size", sa.BigInteger),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("etag", sa.String(255)),
        sa.Column("version_id", sa.String(1024)),
        sa.Column("size", sa.BigInteger),
        sa.Column("content_type", sa.String(255)),
        sa.Column("last_modified", MOMENT),
        sa.Column("stored_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("settled_at", MOMENT),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("deleted_at", MOMENT),
        sa.Column("reason", sa.String(32)),
        sa.Column("multipart_id", sa.String(1024)),
        sa.Column("replaces", KEY),
        schema=schema,
    )


def _indexes(schema: str | None) -> None:
    for name, columns in (
        ("due", ["status", "due_at", "key"]),
        ("unsettled", ["status", "settled_at", "key"]),
        ("unconfirmed", ["status", "confirmed_at", "settled_at", "key"]),
        ("outlived", ["status", "deleted_at", "key"]),
    ):
        op.create_index(f"ix_upload_status_{name}", "upload_status", columns, schema=schema)


def _binding(schema: str | None) -> None:
    op.create_table(
        "upload_binding",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("bucket", sa.String(255), nullable=False),
        sa.Column("prefix", KEY, nullable=False),
        sa.Column("disputed", sa.Boolean, nullable=False),
        schema=schema,
    )


def _runs(schema: str | None) -> None:
    op.create_table(
        "upload_runs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("finder", sa.String(16), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("bytes_deleted", sa.BigInteger, nullable=False),
        schema=schema,
    )


def downgrade() -> None:
    schema = context.config.attributes["schema"]
    for name in ("upload_runs", "upload_binding", "upload_status"):
        op.drop_table(name, schema=schema)
