"""The tables of the records database, the same in SQLite and PostgreSQL.

A device stands in every table as its three parts, so that each can be filtered on; ``path`` (community/kind/device) is
the key where one is needed, compared byte by byte in both databases.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    column,
    false,
    or_,
    text,
    true,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from core.clock import from_microseconds, to_microseconds


class Instant(TypeDecorator[datetime]):
    """An aware instant: ``timestamptz`` in PostgreSQL; in SQLite whole microseconds since 1970-01-01T00:00:00Z.

    Goes in with any offset and comes out in UTC, exact to the microsecond; a naive one raises `TypeError`.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[int]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if not isinstance(value, datetime):
            return value  # Nothing, or what a damaged row holds: it goes in as it came out, to find that row again.
        microseconds = to_microseconds(value)  # Raises TypeError for a naive one, before any driver can guess.
        return value if dialect.name == "postgresql" else microseconds

    def process_result_value(self, value: datetime | int | None, _dialect: Dialect) -> datetime | None:
        """A stored value that is no instant comes out as it is: raised here, it would fail the whole result.

        `storage.records.unreadable.decoded` reports the row.
        """
        if value is None:
            return None
        try:
            return from_microseconds(value) if isinstance(value, int) else value.astimezone(UTC)
        except (AttributeError, OverflowError):
            return value  # type: ignore[return-value]  # damaged


class FreeText(TypeDecorator[str]):
    """Text that devices and people may fill as they like.

    PostgreSQL refuses U+0000, and a fault code is free to hold one: kept as U+FFFD, it cannot stop the engine,
    and a question that holds one finds nothing.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        # What is no text came out of a damaged row, and is looked for as it is.
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


class Blob(TypeDecorator[bytes]):
    """Bytes. What SQLite holds of another type comes out as it is, for the reason given at `Instant`."""

    impl = LargeBinary
    cache_ok = True

    def bind_processor(self, _dialect: Dialect) -> None:
        """Nothing to do: both drivers take bytes, and what is of another type goes in as it came out."""

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], Any]:
        return _bytes_of


def _bytes_of(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


# SQLite numbers rows by itself only for the exact type INTEGER.
ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
# Byte order, whatever the locale the PostgreSQL database was created with: paths are paged through in rising order.
PATH = FreeText().with_variant(FreeText(collation="C"), "postgresql")

metadata = MetaData()


def device_columns() -> tuple[Column[str], Column[str], Column[str]]:
    return (
        Column("community", FreeText, nullable=False),
        Column("device_kind", FreeText, nullable=False),
        Column("device", FreeText, nullable=False),
    )


def where(condition: ColumnElement[bool]) -> dict[str, Any]:
    """A partial index over the rows that meet ``condition``, said to both databases."""
    return {"sqlite_where": condition, "postgresql_where": condition}


def where_null(name: str) -> dict[str, Any]:
    """A partial index over the rows whose column ``name`` is null."""
    return where(column(name).is_(None))


def where_told(name: str) -> dict[str, Any]:
    """A partial index over the rows whose column ``name`` holds something."""
    return where(column(name).is_not(None))


# The databases use a partial index only where a question repeats its condition: so each of these is said once.
LATCHED = and_(
    column("latching", Boolean).is_(true()), column("resolved_at").is_not(None), column("reset_at").is_(None)
)
WANTS_SOMEBODY = or_(
    column("resolved_at").is_(None),
    column("acknowledged_at").is_(None),
    and_(column("latching", Boolean).is_(true()), column("reset_at").is_(None)),
)
FOR_THE_DESK = text("kind NOT IN ('pending', 'notified', 'suppressed', 'undelivered')")


alert_progress = Table(
    "alert_progress",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="alert_progress_one_row"), primary_key=True),
    Column("position", BigInteger, nullable=False),
    # Fingerprint of the last commit that did not move the position (timers ran out, no message came).
    Column("tick", Blob, nullable=True),
)

transition_counter = Table(
    "transition_counter",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="transition_counter_one_row"), primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
)

engine_states = Table(
    "engine_states",
    metadata,
    Column("path", PATH, primary_key=True),
    Column("state", Blob, nullable=False),
    sqlite_with_rowid=False,  # One tree instead of two: a checkpoint of a thousand devices costs half.
)

devices = Table(
    "devices",
    metadata,
    Column("path", PATH, primary_key=True),
    *device_columns(),
    Column("first_heard_at", Instant, nullable=False),
    Column("last_heard_at", Instant, nullable=False),
    Column("online", Boolean, nullable=True),
    Column("skew_microseconds", BigInteger, nullable=True),
    Column("latest", Text, nullable=False),
    Index("devices_by_community", "community", "path"),
    sqlite_with_rowid=False,
)

alerts = Table(
    "alerts",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", FreeText, nullable=False, unique=True),
    Column("rule", FreeText, nullable=False),
    Column("severity", FreeText, nullable=False),
    *device_columns(),
    Column("title_zh", FreeText, nullable=False),
    Column("title_en", FreeText, nullable=False),
    Column("reason_zh", FreeText, nullable=False),
    Column("reason_en", FreeText, nullable=False),
    Column("pending_since", Instant, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("resolved_at", Instant, nullable=True),  # Null while firing: the state is not kept a second time.
    Column("acknowledged_at", Instant, nullable=True),
    Column("acknowledged_by", FreeText, nullable=True),
    Column("latching", Boolean, nullable=False, server_default=false()),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("maintenance", Boolean, nullable=False, server_default=false()),
    Column("reset_at", Instant, nullable=True),
    Column("reset_by", FreeText, nullable=True),
    Column("assigned_to", FreeText, nullable=True),
    Column("false_alarm_by", FreeText, nullable=True),
    Column("suppression", FreeText, nullable=True),
    Column("inhibited_by", FreeText, nullable=True),
    # One open alert per (rule, device); led by the device, so that it counts a device's open alerts too.
    Index("alerts_one_open", "community", "device_kind", "device", "rule", unique=True, **where_null("resolved_at")),
    Index("alerts_open", "number", **where_null("resolved_at")),
    Index("alerts_unacknowledged", "number", **where_null("acknowledged_at")),
    Index("alerts_latched", "latching", "number", **where(LATCHED)),  # SQLite wants something to look up.
    Index("alerts_wanting", "number", **where(WANTS_SOMEBODY)),
    Index("alerts_by_assignee", "assigned_to", "number", **where_told("assigned_to")),
    Index("alerts_false", "number", **where_told("false_alarm_by")),
    Index("alerts_by_cause", "inhibited_by", "number", **where_told("inhibited_by")),
    Index("alerts_by_community", "community", "number"),
    Index("alerts_by_device", "community", "device_kind", "device", "number"),
    Index("alerts_by_rule", "rule", "number"),
    Index("alerts_by_time", "fired_at"),
    Index("alerts_by_end", "resolved_at"),
    sqlite_autoincrement=True,  # A number is never given twice.
)

# No foreign key to `alerts`: the engine may write the pending step of an alert that has not fired.
transitions = Table(
    "transitions",
    metadata,
    Column("sequence", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("alert_id", FreeText, nullable=False),
    Column("rule", FreeText, nullable=False),
    Column("severity", FreeText, nullable=False),
    *device_columns(),
    Column("kind", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", FreeText, nullable=True),
    Column("reason_code", FreeText, nullable=False),
    Column("reason_zh", FreeText, nullable=False),
    Column("reason_en", FreeText, nullable=False),
    Column("facts", Text, nullable=False),
    Column("position", BigInteger, nullable=True),  # Null for what people do.
    Index("transitions_by_alert", "alert_id", "sequence"),
    Index("transitions_for_desk", "sequence", sqlite_where=FOR_THE_DESK, postgresql_where=FOR_THE_DESK),
)

faults = Table(
    "faults",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    *device_columns(),
    Column("source", FreeText, nullable=False),
    Column("code", FreeText, nullable=False),
    Column("kind", FreeText, nullable=False),
    Column("severity", FreeText, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("cleared_at", Instant, nullable=True),
    Column("late", Boolean, nullable=False),
    Index("faults_identity", "community", "device_kind", "device", "source", "code", "raised_at", unique=True),
    Index("faults_open", "number", **where_null("cleared_at")),
    Index("faults_by_community", "community", "number"),
    Index("faults_by_device", "community", "device_kind", "device", "number"),
    Index("faults_by_kind", "kind", "number"),
    Index("faults_by_time", "raised_at"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Blob, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant, nullable=True),
    Index("tokens_one_in_force", "name", unique=True, **where_null("revoked_at")),
)

# By a digest of what the browser keeps; it ends with its token, which is why the token's digest stands here.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Blob, primary_key=True),
    Column("token", Blob, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Index("sessions_by_use", "last_used_at"),
    sqlite_with_rowid=False,
)


def python_type_of(column_type: TypeEngine[Any]) -> type:
    """Return the type that values of a sound column have in Python."""
    for kind, python_type in ((FreeText, str), (Blob, bytes), (Instant, datetime)):
        if isinstance(column_type, kind):
            return python_type
    return column_type.python_type
