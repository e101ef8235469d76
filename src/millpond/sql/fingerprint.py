"""What a query says, apart from how it is laid out."""

from __future__ import annotations

from millpond.sql.dialect import Verbatim
from millpond.sql.parse import Query


def canonical(query: Query) -> str:
    """The query without comments, layout, letter case of keywords and functions: equal text means equal meaning."""
    return query.tree.sql(dialect=Verbatim, comments=False, normalize_functions="lower")
