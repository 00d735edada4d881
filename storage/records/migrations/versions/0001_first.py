"""The first schema: engine state, devices, alerts with their timelines, faults, tokens.

Types are spelled out here and not taken from the tables module: that one moves on, this page of history does not.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_progress()
    _create_devices()
    _create_alerts()
    _create_transitions()
    _create_faults()
    _create_tokens()


def downgrade() -> None:
    """Drop everything; for development only."""
    for name in ("tokens", "faults", "transitions", "alerts", "devices", "engine_states", "transition_counter"):
        op.drop_table(name)
    op.drop_table("alert_progress")


def _instant() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _row_number() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _path() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _where(column: str) -> dict[str, Any]:
    condition = sa.text(f"{column} IS NULL")
    return {"sqlite_where": condition, "postgresql_where": condition}


def _device() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in ("community", "device_kind", "device")]


def _create_progress() -> None:
    op.create_table(
        "alert_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("id = 1", name="alert_progress_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "transition_counter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="transition_counter_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "engine_states",
        sa.Column("path", _path(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO alert_progress (id, position) VALUES (1, 0)")
    op.execute("INSERT INTO transition_counter (id, last_sequence) VALUES (1, 0)")


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("path", _path(), nullable=False),
        *_device(),
        sa.Column("first_heard_at", _instant(), nullable=False),
        sa.Column("last_heard_at", _instant(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=True),
        sa.Column("skew_microseconds", sa.BigInteger(), nullable=True),
        sa.Column("latest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        sqlite_with_rowid=False,
    )
    op.create_index("devices_by_community", "devices", ["community", "path"], unique=False)


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("number", _row_number(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        *_device(),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("reason_zh", sa.Text(), nullable=False),
        sa.Column("reason_en", sa.Text(), nullable=False),
        sa.Column("pending_since", _instant(), nullable=False),
        sa.Column("fired_at", _instant(), nullable=False),
        sa.Column("resolved_at", _instant(), nullable=True),
        sa.Column("acknowledged_at", _instant(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("alerts_by_community", "alerts", ["community", "number"], unique=False)
    op.create_index("alerts_by_device", "alerts", ["community", "device_kind", "device", "number"], unique=False)
    op.create_index("alerts_by_rule", "alerts", ["rule", "number"], unique=False)
    op.create_index("alerts_by_time", "alerts", ["fired_at"], unique=False)
    op.create_index(
        "alerts_one_open",
        "alerts",
        ["community", "device_kind", "device", "rule"],
        unique=True,
        **_where("resolved_at"),
    )
    op.create_index("alerts_open", "alerts", ["number"], unique=False, **_where("resolved_at"))
    op.create_index("alerts_unacknowledged", "alerts", ["number"], unique=False, **_where("acknowledged_at"))


def _create_transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("sequence", _row_number(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        *_device(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", _instant(), nullable=False),
        sa.Column("recorded_at", _instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reason_zh", sa.Text(), nullable=False),
        sa.Column("reason_en", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("transitions_by_alert", "transitions", ["alert_id", "sequence"], unique=False)


def _create_faults() -> None:
    op.create_table(
        "faults",
        sa.Column("number", _row_number(), autoincrement=True, nullable=False),
        *_device(),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("raised_at", _instant(), nullable=False),
        sa.Column("cleared_at", _instant(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("faults_by_community", "faults", ["community", "number"], unique=False)
    op.create_index("faults_by_device", "faults", ["community", "device_kind", "device", "number"], unique=False)
    op.create_index("faults_by_kind", "faults", ["kind", "number"], unique=False)
    op.create_index("faults_by_time", "faults", ["raised_at"], unique=False)
    op.create_index(
        "faults_identity", "faults", ["community", "device_kind", "device", "source", "code", "raised_at"], unique=True
    )
    op.create_index("faults_open", "faults", ["number"], unique=False, **_where("cleared_at"))


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("revoked_at", _instant(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("tokens_one_in_force", "tokens", ["name"], unique=True, **_where("revoked_at"))
