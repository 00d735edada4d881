"""Brings the records database to the schema of this version; works from a checkout and from an installed wheel."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.clock import SystemClock
from core.errors import StartupError
from storage.records.all_tables import metadata
from storage.records.database import RecordsDatabase
from storage.records.numbering import mend

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that no other program on the same PostgreSQL database uses: "anju" in ASCII.
_UPGRADE_LOCK = 0x616E6A75


async def upgrade(url: str) -> None:
    """Create or upgrade the schema in one transaction; does nothing when it is current. May be repeated.

    Several programs may call it at once: one works, the others wait. Raises `TemporaryError` when the database is
    away and `StartupError` when it was made by a newer version.
    """
    database = RecordsDatabase(url)
    try:
        await database.open()
        async with database.writing() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def differences(connection: Connection) -> list[object]:
    """Return where the database differs from `storage.records.all_tables`; empty when the migrations are complete."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    _require_known(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        mend(connection, SystemClock().now())


def _require_known(connection: Connection, scripts: ScriptDirectory) -> None:
    """Raise `StartupError` for a schema that this version neither has nor can upgrade; revisions rise with time."""
    known = sorted(script.revision for script in scripts.walk_revisions())
    for found in MigrationContext.configure(connection).get_current_heads():
        if found in known:
            continue
        if found > known[-1]:
            raise StartupError(
                f"records database: its schema {found} was made by a newer version of Anju, this one knows up to"
                f" {known[-1]}: start that version, or restore the backup made before the upgrade"
            )
        raise StartupError(
            f"records database: its schema {found} is older than {known[0]}, the oldest that this Anju can upgrade:"
            f" start a version between the two first"
        )
