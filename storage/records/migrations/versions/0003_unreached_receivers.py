"""Since when a receiver has taken nothing: a restart while it is away must not read as its return.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    op.add_column("outbox_receivers", sa.Column("unreached_since", instant, nullable=True))
    op.add_column("outbox_receivers", sa.Column("last_error", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox_receivers", "last_error")
    op.drop_column("outbox_receivers", "unreached_since")
