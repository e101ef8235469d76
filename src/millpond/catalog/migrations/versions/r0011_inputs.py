"""The readers of a table are found by its name."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the index."""
    columns = ["environment", "input_layer", "input_name", "consumer_layer", "consumer_name"]
    op.create_index("cursors_input", "cursors", columns)
