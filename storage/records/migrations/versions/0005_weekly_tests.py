"""Who has said that a weekly test arrived, and an index over the tests of people.

Only adds. Types are spelled out here, as in the page before.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
    op.create_table(
        "test_acknowledgements",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("sent_at", instant, nullable=False),
        sa.Column("acknowledged_at", instant, nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "sent_at"),
        sqlite_with_rowid=False,
    )
    tests = sa.text("purpose = 'test'")
    op.create_index("outbox_tests", "outbox", ["person", "number"], sqlite_where=tests, postgresql_where=tests)


def downgrade() -> None:
    """Drop what was added; for development only."""
    op.drop_index("outbox_tests", "outbox")
    op.drop_table("test_acknowledgements")
