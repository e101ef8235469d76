"""Tokens of outside clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "client_tokens",
        sa.Column("id", WORD, nullable=False, comment="the public part of the token"),
        sa.Column("name", WORD, nullable=False, comment="the principal of its commits"),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("digest", WORD, nullable=False, comment="SHA-256 of the token, hex"),
        sa.Column("made_by", WORD, nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC"),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("client_tokens_name", "client_tokens", ["name"], unique=False)
    op.create_table(
        "access_tokens",
        sa.Column("id", WORD, nullable=False, comment="the public part of the token"),
        sa.Column("client_token", WORD, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("digest", WORD, nullable=False, comment="SHA-256 of the token, hex"),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_token"], ["client_tokens.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("access_tokens_expires", "access_tokens", ["expires"], unique=False)
