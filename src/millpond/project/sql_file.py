"""SQL that an author wrote, and where its words stand in the author's own file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from millpond.core.errors import Location
from millpond.core.records import frozen


@frozen
class Shift:
    """A variable replaced in SQL: at the author's line and column, `written` characters became `given`."""

    line: int
    column: int
    written: int
    given: int


@frozen
class SqlFile:
    """A file's SQL with `${NAME}` replaced by values of one line: every line is the author's own."""

    path: Path
    sql: str
    shifts: tuple[Shift, ...] = ()
    """Variables that were replaced in `sql`, in the order of the text."""

    def authored(self, where: Location) -> Location:
        """The author's place of a place in `sql`: the columns differ after a replaced variable in the same line."""
        moved = 0
        for shift in self.shifts:
            start = shift.column + moved
            if shift.line != where.line or where.column < start:
                continue
            if where.column < start + shift.given:
                return replace(where, column=shift.column, length=shift.written)
            moved += shift.given - shift.written
        return replace(where, column=where.column - moved) if moved else where
