"""Stored content that could not be decoded and had to make room, kept as it was.

Only adds. Types are spelled out here, as in the pages before.

Revision ID: 0009
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "put_aside",
        sa.Column("number", number, autoincrement=True, nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("cleared_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    uncleared = sa.text("cleared_at IS NULL")
    op.create_index("put_aside_uncleared", "put_aside", ["number"], sqlite_where=uncleared, postgresql_where=uncleared)


def downgrade() -> None:
    """Drop what was added; for development only."""
    op.drop_index("put_aside_uncleared", "put_aside")
    op.drop_table("put_aside")
