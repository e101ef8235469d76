"""Verdicts are found by their table."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the index."""
    op.create_index("verdicts_table", "verdicts", ["layer", "name", "commit"])
