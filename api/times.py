"""Instants on the wire: RFC 3339 with an offset on the way in, UTC ending in ``Z`` on the way out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_EXPECTED = "expected RFC 3339 with an offset, such as 2026-08-14T07:02:26Z or 2026-08-14T15:02:26%2B08:00"
_EARLIEST_YEAR = 1970  # What lies a span before it must be a date as well.
_WINDOW = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_instant(text: object) -> datetime:
    """Return ``text`` as an instant in UTC; raises `ValueError` for anything but RFC 3339 with an offset."""
    if isinstance(text, datetime):
        return text
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"not an instant: {_EXPECTED} (a + must be written %2B in a URL)")
    if found[2] is None:
        raise ValueError(f"no offset, so the instant is ambiguous: {_EXPECTED}")
    try:
        instant = datetime.fromisoformat(found[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"no such date or time: {_EXPECTED}") from None
    if instant.year < _EARLIEST_YEAR:
        raise ValueError(f"long before any device spoke: expected a year from {_EARLIEST_YEAR} on")
    return instant


def parse_window(text: object) -> timedelta:
    """Return ``text`` ("30s", "5m", "1h", "1d") as a duration; raises `ValueError` otherwise or below 1 s."""
    if isinstance(text, timedelta):
        return text
    found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError("expected a whole number above 0 and a unit s, m, h or d, such as 5m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A query's instant; naive ones are refused."""

Window = Annotated[
    timedelta, BeforeValidator(parse_window), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"})
]
"""The width of an aggregation window in a query."""


def _to_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Utc = Annotated[
    datetime, AfterValidator(_to_utc), Field(json_schema_extra={"description": "RFC 3339, UTC, ends in `Z`."})
]
"""An instant in an answer."""
