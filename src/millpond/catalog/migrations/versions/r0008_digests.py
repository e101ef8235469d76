"""A digest of each commit's rows; in SQLite, indexes over whole rows of the tables that others change.

SQLite's integrity check compares each index with its table, so that what stands in both cannot change unseen.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")

WHOLE = {
    "tags": ["name", "number", "at", "principal"],
    "client_tokens": ["id", "name", "environment", "scope", "digest", "made_by", "made", "expires", "revoked"],
    "namespaces": ["environment", "name", "properties"],
}


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
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in WHOLE.items():
            op.create_index(f"{table}_whole", table, columns, unique=False)
