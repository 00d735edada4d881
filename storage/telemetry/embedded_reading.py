"""The embedded store's questions, each a walk along the clustered key of one device and part."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from core.devices import DeviceKey
from core.telemetry import FAMILIES, Aggregate, SignalType, Value
from storage.telemetry.embedded_schema import table
from storage.telemetry.selection import Found, first_points, reduced_type

# SQLite holds anything in any column: a damaged value is no value, a damaged instant lies outside every range.
_STORED_AS = {
    SignalType.FLOAT: "real",
    SignalType.INTEGER: "integer",
    SignalType.BOOLEAN: "integer",
    SignalType.TEXT: "text",
}
_SOUND_INSTANT = "at < 9223372036854775807"
_ALONG = "WHERE device = ? AND part = ?"
_BETWEEN = f"{_ALONG} AND at >= ? AND at < ?"
_FUNCTIONS = {
    Aggregate.MEAN: "AVG",
    Aggregate.MINIMUM: "MIN",
    Aggregate.MAXIMUM: "MAX",
    Aggregate.COUNT: "COUNT",
}
# SQLite rounds integer division towards zero; this floors, also before 1970.
_WINDOW_START = "at - ((at % :width) + :width) % :width"


def latest(connection: sqlite3.Connection, device: DeviceKey) -> list[Found]:
    """Return the newest value of every signal that ``device`` has ever sent and that has not expired."""
    number = _number(connection, device)
    known = connection.execute("SELECT family, part, signal FROM series WHERE device = ?", (number,)).fetchall()
    found = []
    for family, part, signal in known:
        if family not in FAMILIES or signal not in FAMILIES[family].signals:
            continue  # The file is from an Anju that knew more.
        kind = FAMILIES[family].signals[signal]
        newest = connection.execute(
            f'SELECT at, "{signal}" FROM {table(family)} {_ALONG} AND {_SOUND_INSTANT} AND {_holds(signal, kind)} '
            "ORDER BY at DESC LIMIT 1",
            (number, part),
        ).fetchone()
        if newest is not None:
            found.append(Found(family, part, signal, newest[0], _value(kind, newest[1])))
    return found


def raw(
    connection: sqlite3.Connection,
    device: DeviceKey,
    family: str,
    types: Mapping[str, SignalType],
    bounds: tuple[int, int],
    limit: int,
) -> list[Found]:
    """Return the values of the oldest ``limit`` points within ``bounds`` that hold any of the signals."""
    number = _number(connection, device)
    columns = ", ".join(f'CASE WHEN {_holds(signal, kind)} THEN "{signal}" END' for signal, kind in types.items())
    holding = " OR ".join(_holds(signal, kind) for signal, kind in types.items())
    statement = f"SELECT at, {columns} FROM {table(family)} {_BETWEEN} AND ({holding}) ORDER BY at LIMIT ?"
    found = []
    for part in _parts(connection, number, family):
        for row in connection.execute(statement, (number, part, *bounds, limit)):
            for (signal, kind), value in zip(types.items(), row[1:], strict=True):
                if value is not None:
                    found.append(Found(family, part, signal, row[0], _value(kind, value)))
    return first_points(found, limit)


def windows(
    connection: sqlite3.Connection,
    device: DeviceKey,
    family: str,
    types: Mapping[str, SignalType],
    bounds: tuple[int, int],
    width: int,
    aggregate: Aggregate,
) -> list[Found]:
    """Return one value per signal, part and window of ``width`` nanoseconds that holds one."""
    number = _number(connection, device)
    found = []
    for part in _parts(connection, number, family):
        for signal, kind in types.items():
            asked = {"device": number, "part": part, "start": bounds[0], "stop": bounds[1], "width": width}
            reduced = reduced_type(kind, aggregate)
            for start, value in connection.execute(_window_statement(family, signal, kind, aggregate), asked):
                found.append(Found(family, part, signal, start, _value(reduced, value)))
    return found


def _window_statement(family: str, signal: str, kind: SignalType, aggregate: Aggregate) -> str:
    # SQLite takes a bare column from the row that holds the maximum (its documentation, "Bare columns in an
    # aggregate query"): the value of the newest row of the window.
    chosen = f'"{signal}" AS value, MAX(at)'
    if aggregate is not Aggregate.LAST:
        chosen = f'{_FUNCTIONS[aggregate]}("{signal}") AS value'
    within = f"device = :device AND part = :part AND at >= :start AND at < :stop AND {_holds(signal, kind)}"
    grouped = f"SELECT {_WINDOW_START} AS start, {chosen} FROM {table(family)} WHERE {within} GROUP BY 1"
    return f"SELECT start, value FROM ({grouped})"


def _number(connection: sqlite3.Connection, device: DeviceKey) -> int:
    """The device's number in this file; 0, which no device has, for one that never wrote."""
    found = connection.execute("SELECT id FROM device WHERE path = ?", (device.path,)).fetchone()
    return 0 if found is None else int(found[0])


def _parts(connection: sqlite3.Connection, number: int, family: str) -> list[str]:
    statement = "SELECT DISTINCT part FROM series WHERE device = ? AND family = ?"
    return [part for (part,) in connection.execute(statement, (number, family))]


def _holds(signal: str, kind: SignalType) -> str:
    return f"typeof(\"{signal}\") = '{_STORED_AS[kind]}'"


def _value(kind: SignalType, stored: Any) -> Value:
    """SQLite has no booleans; everything else comes back as it went in."""
    return bool(stored) if kind is SignalType.BOOLEAN else stored
