"""The embedded store's tables: one wide table per family, the devices, and which signals each of them has sent.

Wide and clustered by (device, part, at), because the questions are about one device over time: hourly means of a month
take 75 ms so, against 459 ms with a rowid, and a value costs 12 bytes, against 23 in a row of its own.
"""

import sqlite3

from core.errors import PermanentError
from core.telemetry import FAMILIES, Family, SignalType
from storage.telemetry.sqlite_thread import transaction

VERSION = 1
_COLUMN_TYPES = {
    SignalType.FLOAT: "REAL",
    SignalType.INTEGER: "INTEGER",
    SignalType.BOOLEAN: "INTEGER",
    SignalType.TEXT: "TEXT",
}
_SHARED = (
    "CREATE TABLE IF NOT EXISTS device (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE)",
    # What `latest` has to look for; without it a signal that was never sent would cost a walk through all of history.
    "CREATE TABLE IF NOT EXISTS series (device INTEGER NOT NULL, family TEXT NOT NULL, part TEXT NOT NULL,"
    " signal TEXT NOT NULL, PRIMARY KEY (device, family, part, signal)) WITHOUT ROWID",
)


def table(family: str) -> str:
    """Return the quoted name of the table of ``family``."""
    return f'"points_{family}"'


def prepare(connection: sqlite3.Connection) -> None:
    """Create what is missing; a family that has gained a signal gains a column. Raises `PermanentError` if newer."""
    with transaction(connection):
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found > VERSION:
            raise PermanentError(f"telemetry store: schema {found} is newer than this Anju, which knows {VERSION}")
        for statement in _SHARED:
            connection.execute(statement)
        for family in FAMILIES.values():
            _prepare_family(connection, family)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _prepare_family(connection: sqlite3.Connection, family: Family) -> None:
    columns = [f'"{signal}" {_COLUMN_TYPES[kind]}' for signal, kind in family.signals.items()]
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table(family.name)} (device INTEGER NOT NULL, part TEXT NOT NULL,"
        f" at INTEGER NOT NULL, {', '.join(columns)}, PRIMARY KEY (device, part, at)) WITHOUT ROWID"
    )
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({table(family.name)})")}
    for signal, column in zip(family.signals, columns, strict=True):
        if signal not in present:
            connection.execute(f"ALTER TABLE {table(family.name)} ADD COLUMN {column}")
