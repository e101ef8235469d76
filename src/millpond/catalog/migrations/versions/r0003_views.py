"""Views beside tables, answers that requests with a key have had, and reports of clients about scans and commits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Say what each pointer is of, complete nested namespaces, and make the two tables."""
    for table in ("pointers", "commit_tables"):
        kind = sa.Column("kind", WORD, nullable=False, server_default="table", comment="table or view")
        op.add_column(table, kind)
    _outer_namespaces()
    op.create_table(
        "answers",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("key", WORD, nullable=False, comment="the key by which a client repeats a request"),
        sa.Column("asked", WORD, nullable=False, comment="SHA-256 of method, path and body, hex"),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column(
            "body",
            sa.Text(),
            nullable=True,
            comment="JSON; absent where the answer is a table or view as of the request's commit",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC"),
        sa.PrimaryKeyConstraint("environment", "key", name="answers_key"),
    )
    op.create_index("answers_at", "answers", ["at"], unique=False)
    op.create_table(
        "reports",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC"),
        sa.Column("client", WORD, nullable=False),
        sa.Column("kind", WORD, nullable=False, comment="scan-report or commit-report"),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False, comment="JSON as it was sent"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("reports_table", "reports", ["environment", "layer", "name", "id"], unique=False)


def _outer_namespaces() -> None:
    """A dot stands between the levels of a namespace: what a dotted name lies in must be there too."""
    spaces = sa.table("namespaces", sa.column("environment"), sa.column("name"), sa.column("properties"))
    connection = op.get_bind()
    known = {(row.environment, row.name) for row in connection.execute(sa.select(spaces.c.environment, spaces.c.name))}
    for environment, name in sorted(known):
        levels = name.split(".")
        for count in range(1, len(levels)):
            outer = (environment, ".".join(levels[:count]))
            if outer not in known:
                known.add(outer)
                row = {"environment": outer[0], "name": outer[1], "properties": "{}"}
                connection.execute(sa.insert(spaces).values(row))
