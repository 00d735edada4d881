"""Signed-in browsers, which a restart does not sign out.

Only adds. Types are spelled out here, as in the pages before.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("last_used_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_by_use", "sessions", ["last_used_at"])


def downgrade() -> None:
    """Drop what was added; for development only."""
    op.drop_index("sessions_by_use", "sessions")
    op.drop_table("sessions")
