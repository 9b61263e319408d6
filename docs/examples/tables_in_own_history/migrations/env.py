"""The application's alembic, which makes the upload tables as well. `reconcile init` then finds them as they should be."""

import os

from alembic import context
from models import Base
from sqlalchemy import create_engine

import reconciler

schema = os.environ.get("RECONCILER_TABLE_SCHEMA")  # must exist before the first migration
engine = create_engine(os.environ["RECONCILER_TABLE_URL"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=reconciler.metadata_for(Base.metadata, schema=schema),
        include_schemas=schema is not None,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
