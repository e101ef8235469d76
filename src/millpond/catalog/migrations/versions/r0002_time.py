"""Tags that name commits, forks and where they began, and restores of tables to what they were at a commit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tags",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", NUMBER, nullable=False, comment="the commit that it names"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC"),
        sa.Column("principal", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["commits.number"]),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "forks",
        sa.Column("uuid", sa.String(), nullable=False, comment="of the fork"),
        sa.Column("origin", sa.String(), nullable=False, comment="uuid of the table whose files it began with"),
        sa.Column("commit", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("forks_origin", "forks", ["origin"], unique=False)
    op.create_table(
        "restores",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False, comment="empty: every table"),
        sa.Column("name", sa.String(), nullable=False, comment="empty: every table"),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("number", NUMBER, nullable=False, comment="the commit whose state came back"),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("environment", "layer", "name", "commit", name="restores_key"),
    )
    op.create_index("commit_tables_uuid", "commit_tables", ["uuid"], unique=False)
