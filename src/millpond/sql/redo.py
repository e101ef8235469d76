"""Keys whose rows are taken from the input again, because rows of theirs are there no more."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.sql.keys import names, same

WENT = "went"
WENT_BAD = "went_bad"
CAME = "came"
REDO = "redo"


def create_side(name: str, rows: str) -> str:
    """Temp table of rows that went, or that came: the good ones, or the places of those that a rule rejects."""
    return f"CREATE TEMP TABLE {name} AS {rows}"


def create_redo(key: Sequence[str], columns: Sequence[str], unless: Sequence[str] = ()) -> str:
    """Temp table of the keys of rows that went and did not come again as they were.

    `columns` make a row. `unless` are queries over a row `w` that went; where one of them gives a row, what went has
    no influence on the table.
    """
    alone = f"SELECT {names(columns)} FROM {WENT} EXCEPT ALL SELECT {names(columns)} FROM {CAME}"
    spared = " AND ".join(f"NOT EXISTS ({query})" for query in unless) or "TRUE"
    return f"CREATE TEMP TABLE {REDO} AS SELECT DISTINCT {names(key)} FROM ({alone}) AS w WHERE {spared}"


def without_redone(new: str, whole: str, key: Sequence[str]) -> str:
    """The rows of a query over what came, but for redone keys the rows of the same query over all of the input."""
    return (
        f"SELECT q.* FROM ({new}) AS q ANTI JOIN {REDO} AS r ON {same('q', 'r', key)} "
        f"UNION ALL SELECT q.* FROM ({whole}) AS q SEMI JOIN {REDO} AS r ON {same('q', 'r', key)}"
    )
