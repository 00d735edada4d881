"""Emergency calls: their history, the codes on the walls, the controllers' codes, and an index over their pages.

Only adds. Types are spelled out here, as in the page before.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    "calls_progress",
    "calls",
    "call_events",
    "call_keys",
    "call_points",
    "call_point_tokens",
    "controller_codes",
)


def upgrade() -> None:
    _create_progress()
    _create_calls()
    _create_events()
    _create_points()
    _create_codes()
    called = "purpose = 'call'"
    op.create_index("outbox_calls", "outbox", ["incident", "number"], **_where(called))
    due = f"{called} AND next_attempt_at IS NOT NULL"
    op.create_index("outbox_calls_due", "outbox", ["next_attempt_at", "number", "receiver"], **_where(due))


def downgrade() -> None:
    """Drop what was added; for development only."""
    op.drop_index("outbox_calls_due", "outbox")
    op.drop_index("outbox_calls", "outbox")
    for name in reversed(_TABLES):
        op.drop_table(name)


def _instant() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _row_number() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _path() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _where(sqlite: str, postgresql: str | None = None) -> dict[str, Any]:
    return {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql or sqlite)}


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _create_progress() -> None:
    op.create_table(
        "calls_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last_call", sa.BigInteger(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("followed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="calls_progress_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    # What happened before there were calls is history: nobody is called to last month's trapped passengers.
    op.execute(
        "INSERT INTO calls_progress (id, last_call, last_event, followed) "
        "SELECT 1, 0, 0, last_sequence FROM transition_counter"
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("number", _row_number(), autoincrement=False, nullable=False),
        *_texts("id"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *_texts("place_key"),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        *_texts("state", "source", "community", "lift", "contractor"),
        sa.Column("raised_at", _instant(), nullable=False),
        sa.Column("next_at", _instant(), nullable=True),
        *_texts("call"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    is_open = _where("is_open IS 1", "is_open IS true")
    op.create_index("calls_one_open", "calls", ["place_key", "drill"], unique=True, **is_open)
    op.create_index("calls_open", "calls", ["number"], **is_open)
    op.create_index("calls_due", "calls", ["next_at", "number"], **_where("next_at IS NOT NULL"))
    for name in ("community", "lift", "contractor"):
        op.create_index(f"calls_by_{name}", "calls", [name, "number"])
    op.create_index("calls_by_time", "calls", ["raised_at"])


def _create_events() -> None:
    op.create_table(
        "call_events",
        sa.Column("number", _row_number(), autoincrement=False, nullable=False),
        *_texts("call_id", "kind"),
        sa.Column("at", _instant(), nullable=False),
        *_texts("event"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("call_events_by_call", "call_events", ["call_id", "number"])
    op.create_table("call_keys", *_texts("key", "call_id"), sa.PrimaryKeyConstraint("key"), sqlite_with_rowid=False)


def _create_points() -> None:
    op.create_table(
        "call_points",
        sa.Column("id", _path(), nullable=False),
        *_texts("community", "token", "name_zh", "name_en", "lift", "building"),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("removed_at", _instant(), nullable=True),
        *_texts("author"),
        sa.Column("at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
        sqlite_with_rowid=False,
    )
    op.create_index("call_points_by_community", "call_points", ["community", "id"])
    op.create_table(
        "call_point_tokens",
        *_texts("token", "point_id"),
        sa.PrimaryKeyConstraint("token"),
        sqlite_with_rowid=False,
    )


def _create_codes() -> None:
    op.create_table(
        "controller_codes",
        sa.Column("path", _path(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *_texts("author"),
        sa.Column("at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        sqlite_with_rowid=False,
    )
