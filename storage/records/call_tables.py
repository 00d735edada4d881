"""The tables of emergency calls: the calls, their history, who raised which, the codes on the walls, and the keys."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    column,
    true,
)

from storage.records.tables import PATH, ROW_NUMBER, Blob, FreeText, Instant, metadata, where, where_told

_OPEN = column("is_open", Boolean).is_(true())

# One row, locked by everybody who writes calls: so numbers are without gaps, in the order of commits, and what a writer
# has read of calls under the lock stays true until it has written.
calls_progress = Table(
    "calls_progress",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="calls_progress_one_row"), primary_key=True),
    Column("last_call", BigInteger, nullable=False),
    Column("last_event", BigInteger, nullable=False),
    Column("followed", BigInteger, nullable=False),  # The sequence of the alerts' timelines.
)

calls = Table(
    "calls",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("id", FreeText, nullable=False, unique=True),
    Column("version", BigInteger, nullable=False),
    Column("place_key", FreeText, nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("state", FreeText, nullable=False),
    Column("source", FreeText, nullable=False),
    Column("community", FreeText, nullable=False),
    Column("lift", FreeText, nullable=False),
    Column("contractor", FreeText, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=True),
    Column("call", Text, nullable=False),  # JSON: all of it; the columns beside it are for looking up.
    Index("calls_one_open", "place_key", "drill", unique=True, **where(_OPEN)),
    Index("calls_open", "number", **where(_OPEN)),
    Index("calls_due", "next_at", "number", **where_told("next_at")),
    Index("calls_by_community", "community", "number"),
    Index("calls_by_lift", "lift", "number"),
    Index("calls_by_contractor", "contractor", "number"),
    Index("calls_by_time", "raised_at"),
)

call_events = Table(
    "call_events",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("call_id", FreeText, nullable=False),
    Column("kind", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("event", Text, nullable=False),  # JSON: all of it.
    Index("call_events_by_call", "call_id", "number"),
)

call_keys = Table(
    "call_keys",
    metadata,
    Column("key", FreeText, primary_key=True),
    Column("call_id", FreeText, nullable=False),
    sqlite_with_rowid=False,
)

call_points = Table(
    "call_points",
    metadata,
    Column("id", PATH, primary_key=True),
    Column("community", FreeText, nullable=False),
    Column("name_zh", FreeText, nullable=False),
    Column("name_en", FreeText, nullable=False),
    Column("lift", FreeText, nullable=False),
    Column("building", FreeText, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant, nullable=True),
    Column("author", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    Index("call_points_by_community", "community", "id"),
    sqlite_with_rowid=False,
)

# Every token a point ever had, as its digest: a sheet that still hangs somewhere is known for what it is.
call_point_tokens = Table(
    "call_point_tokens",
    metadata,
    Column("digest", Blob, primary_key=True),
    Column("point_id", FreeText, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("ends_at", Instant, nullable=True),
    Index("call_point_tokens_by_point", "point_id"),
    sqlite_with_rowid=False,
)

controller_codes = Table(
    "controller_codes",
    metadata,
    Column("path", PATH, primary_key=True),
    Column("salt", Blob, nullable=False),
    Column("digest", Blob, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
