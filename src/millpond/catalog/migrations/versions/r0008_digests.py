"""A digest of each commit's rows, and indexes over whole rows of the tables that are changed.

SQLite's integrity check compares each index with its table, so that what stands in both cannot change unseen.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")

TOKEN = ["id", "name", "environment", "scope", "digest", "made_by", "made", "expires", "revoked"]


def upgrade() -> None:
    """Make the table and the indexes, and let the key of checksums hold all of them."""
    op.create_table(
        "commit_digests",
        sa.Column("commit", NUMBER, nullable=False, autoincrement=False),
        sa.Column("digest", WORD, nullable=False, comment="BLAKE2b of 128 bits over the commit's rows, hex"),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("commit", "digest", name="commit_digests_key"),
    )
    kept = op.get_bind().execute(sa.text('SELECT path, size, digest, "commit" FROM checksums')).mappings().all()
    op.drop_table("checksums")
    made = op.create_table(
        "checksums",
        sa.Column("path", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("digest", WORD, nullable=False, comment="BLAKE2b of 128 bits, hex"),
        sa.Column("commit", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["commit"], ["commits.number"]),
        sa.PrimaryKeyConstraint("path", "size", "digest", name="checksums_key"),
    )
    op.bulk_insert(made, [dict(row) for row in kept])
    op.create_index("tags_whole", "tags", ["name", "number", "at", "principal"], unique=False)
    op.create_index("client_tokens_whole", "client_tokens", TOKEN, unique=False)
    # Properties may be too long for a tree of Postgres.
    op.create_index("namespaces_properties", "namespaces", ["properties"], unique=False, postgresql_using="hash")
