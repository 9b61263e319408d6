"""Alembic's entry: runs the migrations on the connection that `migrate.upgrade` hands over."""

from alembic import context

from reconciler.adapters.sql.schema import VERSIONS

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=VERSIONS,
    version_table_schema=attributes["schema"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
