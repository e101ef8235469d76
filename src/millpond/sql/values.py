"""Values as SQL literals, for the places where a statement takes no bound value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from millpond.core.clock import naive_utc
from millpond.core.names import literal


def value(given: object) -> str:
    """A YAML value as an SQL literal of its own type. Raises TypeError for lists and mappings."""
    if given is None:
        return "NULL"
    if isinstance(given, bool):
        return "TRUE" if given else "FALSE"
    if isinstance(given, int | Decimal):
        return str(given)
    if isinstance(given, float):
        return f"{literal(repr(given))}::DOUBLE"
    if isinstance(given, datetime):
        moment = naive_utc(given) if given.tzinfo else given
        return f"TIMESTAMP {literal(moment.isoformat(sep=' '))}"
    if isinstance(given, date):
        return f"DATE {literal(given.isoformat())}"
    if isinstance(given, str):
        return literal(given)
    raise TypeError(f"no SQL literal for {type(given).__name__}")
