"""Acts on alerts, the notification desk with its outbox, and what people keep: suppressions, rules, facts, stand-ins.

Only adds. Types are spelled out here, as in the page before.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    "desk_progress",
    "desk_states",
    "outbox",
    "outbox_alerts",
    "outbox_receivers",
    "suppressions",
    "kept_versions",
    "rule_revisions",
    "device_facts",
    "rota_overrides",
)
_INSTANTS = ("reset_at",)
_FLAGS = ("latching", "protected", "maintenance")
_TEXTS = ("reset_by", "assigned_to", "false_alarm_by", "suppression", "inhibited_by")
_ALERT_INDEXES = (
    "alerts_latched",
    "alerts_wanting",
    "alerts_by_assignee",
    "alerts_false",
    "alerts_by_cause",
    "alerts_by_end",
)


def upgrade() -> None:
    _extend_alerts()
    _index_alerts()
    _create_desk()
    _create_outbox()
    _create_suppressions()
    _create_rules()
    _create_facts()
    _create_overrides()


def downgrade() -> None:
    """Drop what was added; for development only."""
    for name in reversed(_TABLES):
        op.drop_table(name)
    op.drop_index("transitions_for_desk", "transitions")
    for name in _ALERT_INDEXES:
        op.drop_index(name, "alerts")
    for name in (*_INSTANTS, *_FLAGS, *_TEXTS):
        op.drop_column("alerts", name)


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


def _extend_alerts() -> None:
    for name in _FLAGS:
        op.add_column("alerts", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in _INSTANTS:
        op.add_column("alerts", sa.Column(name, _instant(), nullable=True))
    for name in _TEXTS:
        op.add_column("alerts", sa.Column(name, sa.Text(), nullable=True))


def _index_alerts() -> None:
    latched = "latching IS {} AND resolved_at IS NOT NULL AND reset_at IS NULL"
    wanting = "resolved_at IS NULL OR acknowledged_at IS NULL OR latching IS {} AND reset_at IS NULL"
    op.create_index(
        "alerts_latched", "alerts", ["latching", "number"], **_where(latched.format("1"), latched.format("true"))
    )
    op.create_index("alerts_wanting", "alerts", ["number"], **_where(wanting.format("1"), wanting.format("true")))
    op.create_index("alerts_by_assignee", "alerts", ["assigned_to", "number"], **_where("assigned_to IS NOT NULL"))
    op.create_index("alerts_false", "alerts", ["number"], **_where("false_alarm_by IS NOT NULL"))
    op.create_index("alerts_by_cause", "alerts", ["inhibited_by", "number"], **_where("inhibited_by IS NOT NULL"))
    op.create_index("alerts_by_end", "alerts", ["resolved_at"])
    concerned = "kind NOT IN ('pending', 'notified', 'suppressed', 'undelivered')"
    op.create_index("transitions_for_desk", "transitions", ["sequence"], **_where(concerned))


def _create_desk() -> None:
    op.create_table(
        "desk_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("id = 1", name="desk_progress_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "desk_states",
        sa.Column("key", _path(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    # What happened before there was a desk is history: nobody is woken for last month's alerts.
    op.execute("INSERT INTO desk_progress (id, sequence) SELECT 1, last_sequence FROM transition_counter")


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", _row_number(), autoincrement=True, nullable=False),
        *_texts("id", "receiver", "incident", "community"),
        sa.Column("person", sa.Text(), nullable=True),
        *_texts("severity", "purpose", "intent"),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("next_attempt_at", _instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", _instant(), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False, server_default=sa.false()),
        *_texts("detail"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    _index_outbox()
    op.create_table(
        "outbox_alerts",
        *_texts("alert_id"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_alerts_by_number", "outbox_alerts", ["number"])
    op.create_table(
        "outbox_receivers",
        *_texts("receiver"),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("receiver"),
        sqlite_with_rowid=False,
    )


def _index_outbox() -> None:
    waiting = _where("finished_at IS NULL")
    due = _where("next_attempt_at IS NOT NULL")
    op.create_index("outbox_due", "outbox", ["next_attempt_at", "number", "receiver"], **due)
    op.create_index("outbox_line", "outbox", ["receiver", "incident", "number"], **waiting)
    op.create_index("outbox_waiting", "outbox", ["number"], **waiting)
    op.create_index("outbox_failed", "outbox", ["number"], **_where("failed IS 1", "failed IS true"))
    op.create_index("outbox_by_receiver", "outbox", ["receiver", "number"])
    op.create_index("outbox_by_time", "outbox", ["created_at"])


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("number", _row_number(), autoincrement=True, nullable=False),
        *_texts("kind", "matchers"),
        sa.Column("starts_at", _instant(), nullable=False),
        sa.Column("ends_at", _instant(), nullable=False),
        *_texts("reason", "author"),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("ended_at", _instant(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("suppressions_by_end", "suppressions", ["ends_at"])


def _create_rules() -> None:
    op.create_table(
        "kept_versions",
        *_texts("name"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO kept_versions (name, version) VALUES ('rules', 0), ('facts', 0)")
    op.create_table(
        "rule_revisions",
        sa.Column("number", _row_number(), autoincrement=False, nullable=False),
        *_texts("rule"),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_texts("text"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        *_texts("author", "comment"),
        sa.Column("at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("rule", "revision"),
    )


def _create_facts() -> None:
    op.create_table(
        "device_facts",
        sa.Column("path", _path(), nullable=False),
        *_texts("community", "device_kind", "device", "facts", "author"),
        sa.Column("at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        sqlite_with_rowid=False,
    )


def _create_overrides() -> None:
    op.create_table(
        "rota_overrides",
        sa.Column("number", _row_number(), autoincrement=True, nullable=False),
        *_texts("rota", "person"),
        sa.Column("starts_at", _instant(), nullable=False),
        sa.Column("ends_at", _instant(), nullable=False),
        *_texts("author"),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("removed_at", _instant(), nullable=True),
        sa.Column("removed_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("rota_overrides_by_end", "rota_overrides", ["ends_at"], **_where("removed_at IS NULL"))
