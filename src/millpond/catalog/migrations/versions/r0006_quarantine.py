"""The life of quarantined records, how many each commit opened, and the circuits of models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "quarantine_openings",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False, comment="the table that the records were meant for"),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="how many the commit put into quarantine"),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("environment", "commit", name="quarantine_openings_key"),
    )
    op.create_index("quarantine_openings_table", "quarantine_openings", ["environment", "layer", "name"], unique=False)
    op.create_table(
        "quarantine_events",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("record", WORD, nullable=False, comment="id in quarantine.records"),
        sa.Column("number", sa.Integer(), nullable=False, comment="the how manieth event of the record, from 1"),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("status", WORD, nullable=False, comment="open, fixed, replayed, discarded or healed"),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False, comment="the table with which the event stands or falls in a restore"),
        sa.Column("opened", NUMBER, nullable=False, comment="the commit that put the record into quarantine"),
        sa.Column("revision", sa.Integer(), nullable=True, comment="the mended record's revision"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("environment", "record", "number", name="quarantine_events_key"),
    )
    op.create_index("quarantine_events_opened", "quarantine_events", ["environment", "opened"], unique=False)
    op.create_index("quarantine_events_commit", "quarantine_events", ["commit"], unique=False)
    op.create_table(
        "circuits",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("state", WORD, nullable=False, comment="closed or open"),
        sa.Column("judged", sa.BigInteger(), nullable=False, comment="rows judged since it was last told anew"),
        sa.Column("failed", sa.BigInteger(), nullable=False, comment="rows of them that were rejected"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("environment", "layer", "name", "commit", name="circuits_key"),
    )
