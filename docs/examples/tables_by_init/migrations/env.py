"""The application's alembic, beside tables that `reconcile init` makes and brings up to date."""

import os

from alembic import context
from models import Base
from sqlalchemy import create_engine

import reconciler

engine = create_engine(os.environ["RECONCILER_TABLE_URL"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=reconciler.not_ours,  # leaves the upload tables alone, whether or not they are there yet
        include_schemas=True,  # only needed where your own tables lie in several schemas
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
