"""The tables of the notification desk: its memory, its position, and the outbox of what is to be delivered."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    Table,
    Text,
    and_,
    column,
    false,
    literal_column,
    text,
    true,
)

from storage.records.tables import PATH, ROW_NUMBER, Blob, FreeText, Instant, metadata, where, where_null, where_told

desk_progress = Table(
    "desk_progress",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="desk_progress_one_row"), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    # Fingerprint of the last commit that did not move the sequence (timers ran out, no step was told).
    Column("tick", Blob, nullable=True),
)

desk_states = Table(
    "desk_states",
    metadata,
    Column("key", PATH, primary_key=True),
    Column("state", Blob, nullable=False),
    sqlite_with_rowid=False,
)

# The databases use a partial index only where a question repeats its condition, word for word.
OF_TESTS: ColumnElement[bool] = literal_column("purpose = 'test'", Boolean)
OF_CALLS: ColumnElement[bool] = literal_column("purpose = 'call'", Boolean)
OF_OTHERS: ColumnElement[bool] = literal_column("purpose <> 'call'", Boolean)
_CALLS_DUE = and_(OF_CALLS, column("next_attempt_at").is_not(None))

# A *line* is what one receiver is told of one incident: delivered in the order of its numbers.
outbox = Table(
    "outbox",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", FreeText, nullable=False, unique=True),
    Column("receiver", FreeText, nullable=False),
    Column("incident", FreeText, nullable=False),
    Column("community", FreeText, nullable=False),
    Column("person", FreeText, nullable=True),
    Column("severity", FreeText, nullable=False),
    Column("purpose", FreeText, nullable=False),
    Column("intent", Text, nullable=False),  # JSON: there U+0000 is an escape, which every database takes.
    Column("created_at", Instant, nullable=False),
    # By the steady clock. Null while it is not to be tried: behind an older one of its line, or finished.
    Column("next_attempt_at", Instant, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("finished_at", Instant, nullable=True),  # Null while waiting.
    Column("failed", Boolean, nullable=False, server_default=false()),
    Column("detail", FreeText, nullable=False),
    Column("created_ahead", BigInteger, nullable=False, server_default=text("0")),  # Microseconds.
    Index("outbox_due", "next_attempt_at", "number", "receiver", **where_told("next_attempt_at")),
    Index("outbox_line", "receiver", "incident", "number", **where_null("finished_at")),
    Index("outbox_waiting", "number", **where_null("finished_at")),
    Index("outbox_failed", "number", **where(column("failed", Boolean).is_(true()))),
    Index("outbox_by_receiver", "receiver", "number"),
    Index("outbox_by_time", "created_at"),
    Index("outbox_tests", "person", "number", **where(OF_TESTS)),
    Index("outbox_calls", "incident", "number", **where(OF_CALLS)),
    Index("outbox_calls_due", "next_attempt_at", "number", "receiver", **where(_CALLS_DUE)),
    sqlite_autoincrement=True,
)

outbox_alerts = Table(
    "outbox_alerts",
    metadata,
    Column("alert_id", FreeText, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Index("outbox_alerts_by_number", "number"),
    sqlite_with_rowid=False,
)

# How each receiver fares, so that nobody needs to look through all messages: how the newest finished one ended, and
# since when attempts have failed without one that was taken or given up in between.
outbox_receivers = Table(
    "outbox_receivers",
    metadata,
    Column("receiver", FreeText, primary_key=True),
    Column("failure", FreeText, nullable=True),  # Null where it was delivered, and before the first has ended.
    Column("unreached_since", Instant, nullable=True),
    Column("last_error", FreeText, nullable=True),
    sqlite_with_rowid=False,
)
