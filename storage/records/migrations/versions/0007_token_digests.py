"""Call points' tokens as digests, with the generation they belong to and the instant at which they end.

A token that is on a wall goes on calling: its digest stands in its place. Tokens that were rotated before have no end
until somebody sets one. Types are spelled out here, as in the pages before.

Revision ID: 0007
Revises: 0006
"""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BEFORE_TOKEN = ("id", "community")
_BEHIND_TOKEN = ("name_zh", "name_en", "lift", "building", "generation", "created_at", "removed_at", "author", "at")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # Else the pages of the tables that are dropped keep the tokens in the file.
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    points = _rows("SELECT * FROM call_points")
    tokens = _rows("SELECT token, point_id FROM call_point_tokens")
    _drop()
    _create(sa.Column("digest", sa.LargeBinary(), nullable=False), kept_in_points=False)
    op.bulk_insert(_light("call_points", *_BEFORE_TOKEN, *_BEHIND_TOKEN), [_without_token(row) for row in points])
    generations = {row["id"]: (row["token"], row["generation"]) for row in points}
    digests = [_digested(row, *generations[row["point_id"]]) for row in tokens if row["point_id"] in generations]
    op.bulk_insert(_light("call_point_tokens", "digest", "point_id", "generation"), digests)


def downgrade() -> None:
    """Go back; for development only. No token can be read from its digest: every sheet has to be printed again."""
    points = _rows("SELECT * FROM call_points")
    tokens = _rows("SELECT digest, point_id FROM call_point_tokens")
    _drop()
    _create(sa.Column("token", sa.Text(), nullable=False), kept_in_points=True)
    lost = [{**row, "token": f"lost-{row['id']}"} for row in points]
    op.bulk_insert(_light("call_points", *_BEFORE_TOKEN, "token", *_BEHIND_TOKEN), lost)
    shown = [{"token": bytes(row["digest"]).hex(), "point_id": row["point_id"]} for row in tokens]
    op.bulk_insert(_light("call_point_tokens", "token", "point_id"), shown)


def _rows(statement: str) -> list[dict[str, Any]]:
    return [dict(row) for row in op.get_bind().execute(sa.text(statement)).mappings()]


def _without_token(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "token"}


def _digested(row: dict[str, Any], present: str, generation: int) -> dict[str, Any]:
    """Nobody wrote down which former token was of which generation; all of them are of one before the present."""
    digest = hashlib.sha256(row["token"].encode()).digest()
    its_generation = generation if row["token"] == present else generation - 1
    return {"digest": digest, "point_id": row["point_id"], "generation": its_generation}


def _light(name: str, *columns: str) -> sa.TableClause:
    """Return a table of plain columns: values go back as they came."""
    return sa.table(name, *(sa.column(each) for each in columns))


def _drop() -> None:
    op.drop_table("call_point_tokens")
    op.drop_table("call_points")


def _create(key: sa.Column[Any], *, kept_in_points: bool) -> None:
    op.create_table(
        "call_points",
        sa.Column("id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        *_texts("community", *(("token",) if kept_in_points else ()), "name_zh", "name_en", "lift", "building"),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("removed_at", _instant(), nullable=True),
        *_texts("author"),
        sa.Column("at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        *((sa.UniqueConstraint("token"),) if kept_in_points else ()),
        sqlite_with_rowid=False,
    )
    op.create_index("call_points_by_community", "call_points", ["community", "id"])
    ends = [sa.Column("generation", sa.Integer(), nullable=False), sa.Column("ends_at", _instant(), nullable=True)]
    op.create_table(
        "call_point_tokens",
        key,
        *_texts("point_id"),
        *([] if kept_in_points else ends),
        sa.PrimaryKeyConstraint(key.name),
        sqlite_with_rowid=False,
    )
    if not kept_in_points:
        op.create_index("call_point_tokens_by_point", "call_point_tokens", ["point_id"])


def _instant() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
