"""The project's views in a person's statement: each gives way to its query, which then is guarded as if typed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from millpond.catalog.commits import VIEW
from millpond.core.errors import ModelError
from millpond.core.plugins import lookup
from millpond.governance.guard import MAX_BYTES, QUERY
from millpond.project.sql_file import SqlFile

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.core.names import TableName
    from millpond.sql.references import Reference
    from millpond.sql.written import Written

_WORD = re.compile(r"\w+")


class QueryViews:
    """The views that there are as of a commit, with what each said then."""

    def __init__(self, catalog: Catalog, commit: int) -> None:
        self._catalog = catalog
        self._commit = commit
        self.names = frozenset(entry.name for entry in catalog.tables(commit, VIEW))

    def expand(self, sql: str, written: Written | None) -> Written | None:
        """The statement with the queries of views in the place of their names; as it is where it reads none.

        Raises ModelError MP-2110 where it becomes too long, ProjectError for what is wrong in it.
        """
        text = sql if written is None else written.sql
        words = {word.lower() for word in _WORD.findall(text)} if self.names and len(text) <= MAX_BYTES else set()
        if not any(name.name in words for name in self.names):
            return written
        queries = published_queries(self._catalog, self._commit, self.names)
        before = written or lookup("millpond.sql.written:Written").of(SqlFile(QUERY, sql))

        def query_of(reference: Reference) -> Written:
            piece = lookup("millpond.sql.written:Piece")(queries[reference.table], at=reference.where)
            found: Written = lookup("millpond.sql.written:Written")((piece,))
            return found

        try:
            found, read = lookup("millpond.sql.views:expand_views")(before, QUERY, queries.keys(), query_of)
        except ModelError as wrong:
            if wrong.code == "MP-2110":
                raise
            return written  # the guard reads the statement by the engine's own parser, and says what is wrong with it
        expanded: Written = found
        return expanded if read else written


def published_queries(catalog: Catalog, commit: int, names: Collection[TableName]) -> Mapping[TableName, str]:
    """What the project's own views among these said as of a commit, over tables alone."""
    found = {}
    for table, state in catalog.model_states(commit).items():
        definition = json.loads(state.definition)
        if table in names and definition.get("kind") == "view":
            found[table] = str(definition["sql"])
    return found
