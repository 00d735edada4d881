"""The schema's history, as Alembic runs it; see `storage.records.schema`."""
