"""The macros of a project as `check`, runs and the gate know them: none hides a function of the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from millpond.core.errors import MillpondError, ModelError
from millpond.core.plugins import lookup
from millpond.governance.feeds import FUNCTION
from millpond.governance.guard import MAX_BYTES, QUERY, reviewed
from millpond.project.sql_file import SqlFile
from millpond.sql.keys import SURROGATE_KEY

if TYPE_CHECKING:
    from millpond.sql.expansion import Library
    from millpond.sql.written import Written

_DECLARED = re.compile(r"\b(?:macro|function)\s+\"?(\w+)", re.IGNORECASE)


def library(files: Sequence[SqlFile]) -> Library:
    """The macros of the files under `macros/`."""
    read = lookup("millpond.sql.macros:read_macros")
    taken = {FUNCTION, *(name.lower() for _, _, name in reviewed())} if files else ()
    found: Library = read(files, taken)
    return found


class QueryMacros:
    """The macros that a person's statement may call; read when the first one names one of them."""

    def __init__(self, files: Sequence[SqlFile] = ()) -> None:
        self._files = tuple(files)
        self._names = {SURROGATE_KEY, *(name.lower() for file in files for name in _DECLARED.findall(file.sql))}

    def expand(self, sql: str) -> Written | None:
        """The statement with what its macros say in their place; None where it calls none, or is not understood.

        Raises ProjectError for a call that does not fit its macro, or a macro that is wrong itself.
        """
        if len(sql) > MAX_BYTES or self._names.isdisjoint(word.lower() for word in re.findall(r"\w+", sql)):
            return None
        written: Written = lookup("millpond.sql.written:Written").of(SqlFile(QUERY, sql))
        try:
            found: Written = lookup("millpond.sql.expansion:expand")(written, QUERY, self._library, named=True)
        except ModelError:
            return None  # the guard reads the statement by the engine's own parser, and says what is wrong with it
        return found if found is not written else None

    @cached_property
    def _library(self) -> Library:
        return library(self._files)


def authored(wrong: MillpondError, written: Written | None) -> MillpondError:
    """An error of a statement, at the place where its words were written."""
    where = wrong.finding.where
    if written is not None and where is not None and where.path == QUERY:
        wrong.finding = replace(wrong.finding, where=written.authored(where))
    return wrong
