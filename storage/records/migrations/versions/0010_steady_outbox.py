"""How far the wall clock was ahead of the steady one when a notification came in.

Only adds. What is there already came in while both clocks agreed.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("created_ahead", sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Drop what was added; for development only."""
    op.drop_column("outbox", "created_ahead")
