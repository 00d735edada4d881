"""What Alembic loads to run migrations, on the connection that `storage.records.schema` passes in.

Configures no logging and reads no ini file: both belong to the program around it.
"""

from alembic import context

from storage.records.all_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table in place.
)
with context.begin_transaction():
    context.run_migrations()
