"""An index of the commits that ended a table: so few that each question after them is answered at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the index."""
    anew = 'created = "commit" AND previous IS NOT NULL'
    op.create_index(
        "commit_tables_ends",
        "commit_tables",
        ["environment", "layer", "name", "commit"],
        unique=False,
        # The words must be those of the question, else SQLite does not see that the index answers it.
        sqlite_where=sa.text(f"dropped = 1 OR {anew}"),
        postgresql_where=sa.text(f"dropped OR {anew}"),
    )
