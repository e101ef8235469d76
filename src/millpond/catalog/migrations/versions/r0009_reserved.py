"""The folders of tables that are not published yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reserved",
        sa.Column("location", WORD, nullable=False),
        sa.PrimaryKeyConstraint("location", name="reserved_key"),
    )
