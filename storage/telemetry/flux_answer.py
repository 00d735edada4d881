"""Reads InfluxDB's annotated CSV (InfluxDB v2 reference, "Annotated CSV") without losing nanoseconds or line breaks."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from core.clock import to_microseconds
from core.errors import TemporaryError
from core.telemetry import Value
from storage.telemetry.selection import Found

_SECONDS_DIGITS = len("2026-08-14T15:02:26")
_CONVERSIONS: dict[str, Callable[[str], Value]] = {
    "long": int,
    "double": float,
    "boolean": "true".__eq__,
    "string": str,
}


def parse(answer: str) -> Iterator[Found]:
    """Yield the values in ``answer``: as they are in ``_value``, or as JSON in ``_json``.

    Raises `TemporaryError` for an error in the middle of an answer that had begun well.
    """
    types: list[str] = []
    columns: dict[str, int] = {}
    for row in csv.reader(io.StringIO(answer, newline="")):
        if not row:
            columns = {}
        elif row[0] == "#datatype":
            types, columns = row, {}
        elif row[0].startswith("#"):
            continue
        elif not columns:
            columns = {name: index for index, name in enumerate(row)}
        elif "error" in columns:
            raise TemporaryError(f"InfluxDB gave up a query half way: {row[columns['error']]}")
        else:
            yield _found(row, columns, types)


def _found(row: list[str], columns: dict[str, int], types: list[str]) -> Found:
    part = columns.get("part")
    return Found(
        family=row[columns["_measurement"]],
        part="" if part is None else row[part],
        signal=row[columns["_field"]],
        at_nanoseconds=_nanoseconds(row[columns["_time"]]),
        value=_value(row, columns, types),
    )


def _value(row: list[str], columns: dict[str, int], types: list[str]) -> Value:
    if "_json" in columns:
        return str(json.loads(row[columns["_json"]]))
    index = columns["_value"]
    return _CONVERSIONS[types[index]](row[index])


def _nanoseconds(text: str) -> int:
    """RFC 3339 in UTC with up to nine decimals, which `datetime` cannot hold."""
    second = datetime.fromisoformat(text[:_SECONDS_DIGITS]).replace(tzinfo=UTC)
    decimals = text[_SECONDS_DIGITS + 1 : -1]
    return to_microseconds(second) * 1_000 + int(decimals.ljust(9, "0"))
