"""The tables of what people keep: suppressions, rules, plans, facts of devices, and who stands in for whom.

Rows are ended or replaced by newer ones, never removed: their authors and instants are the audit.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from storage.records.tables import PATH, ROW_NUMBER, Blob, FreeText, Instant, device_columns, metadata, where_null

suppressions = Table(
    "suppressions",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("kind", FreeText, nullable=False),
    Column("matchers", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Column("ended_by", FreeText, nullable=True),
    Index("suppressions_by_end", "ends_at"),
    sqlite_autoincrement=True,
)

# Counted in the transaction of the change, row locked: a version is never visible before the one below it.
kept_versions = Table(
    "kept_versions",
    metadata,
    Column("name", FreeText, primary_key=True),
    Column("version", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

rule_revisions = Table(
    "rule_revisions",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("rule", FreeText, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("text", FreeText, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("comment", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("rule", "revision"),
)

# Replaced by the next good version; the texts are the files' as JSON, by name.
good_configurations = Table(
    "good_configurations",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("texts", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

device_facts = Table(
    "device_facts",
    metadata,
    Column("path", PATH, primary_key=True),
    *device_columns(),
    Column("facts", Text, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What a person says of a weekly test; the first word on each counts.
test_acknowledgements = Table(
    "test_acknowledgements",
    metadata,
    Column("person", FreeText, primary_key=True),
    Column("sent_at", Instant, primary_key=True),  # To the second, as the link in the test says it.
    Column("acknowledged_at", Instant, nullable=False),
    Column("acknowledged_by", FreeText, nullable=False),
    sqlite_with_rowid=False,
)

rota_overrides = Table(
    "rota_overrides",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("rota", FreeText, nullable=False),
    Column("person", FreeText, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant, nullable=True),
    Column("removed_by", FreeText, nullable=True),
    Index("rota_overrides_by_end", "ends_at", **where_null("removed_at")),
    sqlite_autoincrement=True,
)

# What could not be decoded and had to make room (an engine's state that is made anew, the record of a call that was
# rebuilt), byte by byte as it was found; `cleared_at` is when an operator has looked at it.
put_aside = Table(
    "put_aside",
    metadata,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("table_name", FreeText, nullable=False),
    Column("row_key", FreeText, nullable=False),
    Column("content", Blob, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("cleared_at", Instant, nullable=True),
    Index("put_aside_uncleared", "number", **where_null("cleared_at")),
    sqlite_autoincrement=True,
)
