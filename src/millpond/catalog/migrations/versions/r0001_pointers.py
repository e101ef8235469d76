"""The first schema: commits, pointers and their history, namespaces, cursors, files, verdicts, lineage, models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WORD = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Compared and sorted by code point, as SQLite does, whatever the database's language is."""

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    _commits()
    _namespaces()
    _commit_tables()
    _cursors()
    _lineage()
    _model_states()
    _pointers()
    _source_files()
    _verdicts()


def _commits() -> None:
    op.create_table(
        "commits",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="microseconds since 1970 in UTC, never falling"),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("principal", WORD, nullable=False),
        sa.Column("client", WORD, nullable=False),
        sa.Column("step_key", WORD, nullable=True),
        sa.Column("run", WORD, nullable=True),
        sa.Column("table_layer", WORD, nullable=True),
        sa.Column("table_name", WORD, nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("ledger", sa.Text(), nullable=True, comment="JSON"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("step_key", name="commits_step_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("commits_at", "commits", ["at"], unique=False)


def _namespaces() -> None:
    op.create_table(
        "namespaces",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("properties", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("environment", "name", name="namespaces_key"),
    )


def _commit_tables() -> None:
    op.create_table(
        "commit_tables",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("uuid", WORD, nullable=False),
        sa.Column("location", WORD, nullable=False),
        sa.Column("metadata_location", WORD, nullable=False),
        sa.Column("previous", WORD, nullable=True, comment="metadata location before this commit"),
        sa.Column("created", NUMBER, nullable=False),
        sa.Column("dropped", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("environment", "layer", "name", "commit", name="commit_tables_key"),
    )
    op.create_index("commit_tables_commit", "commit_tables", ["commit"], unique=False)


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("consumer_layer", WORD, nullable=False),
        sa.Column("consumer_name", WORD, nullable=False),
        sa.Column("input_layer", WORD, nullable=False),
        sa.Column("input_name", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("number", NUMBER, nullable=False, comment="every change up to this commit is in"),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint(
            "environment", "consumer_layer", "consumer_name", "input_layer", "input_name", "commit", name="cursors_key"
        ),
    )


def _lineage() -> None:
    op.create_table(
        "lineage",
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("output_layer", WORD, nullable=False),
        sa.Column("output_name", WORD, nullable=False),
        sa.Column("output_column", WORD, nullable=False),
        sa.Column("input_layer", WORD, nullable=False),
        sa.Column("input_name", WORD, nullable=False),
        sa.Column("input_column", WORD, nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("commit", "ordinal", name="lineage_key"),
    )
    op.create_index("lineage_output", "lineage", ["environment", "output_layer", "output_name", "commit"], unique=False)


def _model_states() -> None:
    op.create_table(
        "model_states",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("fingerprint", WORD, nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("environment", "layer", "name", "commit", name="model_states_key"),
    )


def _pointers() -> None:
    op.create_table(
        "pointers",
        sa.Column("environment", WORD, nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("uuid", WORD, nullable=False),
        sa.Column("location", WORD, nullable=False),
        sa.Column("metadata_location", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("created", NUMBER, nullable=False, comment="commit that made the table"),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("environment", "layer", "name", name="pointers_key"),
    )


def _source_files() -> None:
    op.create_table(
        "source_files",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("environment", WORD, nullable=False),
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("path", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("content", WORD, nullable=False, comment="SHA-256 of the bytes, hex"),
        sa.Column("parser", WORD, nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("source_files_content", "source_files", ["environment", "source", "content", "id"], unique=False)
    op.create_index("source_files_path", "source_files", ["environment", "source", "path", "id"], unique=False)


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("commit", NUMBER, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("layer", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("rule", WORD, nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("judged", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.number"],
        ),
        sa.PrimaryKeyConstraint("commit", "ordinal", name="verdicts_key"),
    )
