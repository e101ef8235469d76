"""Names of tables and columns: how they are written, compared and quoted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

RESERVED = "_mp_"
"""Columns of staging relations begin with this, and no column of a table may."""

LAYERS = ("bronze", "silver", "gold", "platinum")
QUARANTINE = "quarantine"
STATE = "state"
"""The layer of side tables: what models remember beside their own tables. Readers do not see it."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


@dataclass(frozen=True, order=True)
class TableName:
    """A table's full name, `layer.name`, in lower case."""

    layer: str
    name: str

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def quoted(self) -> str:
        """The name as SQL, each part quoted."""
        return f"{quote(self.layer)}.{quote(self.name)}"

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read `layer.name`. Raises ValueError when there are not exactly two plain parts."""
        parts = text.split(".")
        if len(parts) != 2 or not all(is_plain(part.lower()) for part in parts):
            raise ValueError(f"not a table name of the form layer.name: {text!r}")
        return cls(parts[0].lower(), parts[1].lower())


def side_table(table: TableName) -> TableName:
    """Where the model of a table remembers what the table itself does not hold, such as deleted keys."""
    return TableName(STATE, f"{table.layer}__{table.name}")


def is_plain(name: str) -> bool:
    """Whether every engine takes the name without quotes: lower case letters, digits, underscore."""
    return bool(_PLAIN.match(name))


def quote(identifier: str) -> str:
    """An SQL identifier, always quoted. The only place that does so."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal, for the few places where a statement takes no bound value."""
    return "'" + text.replace("'", "''") + "'"


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was most likely meant, or None when nothing is near."""
    known = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return known[near[0]] if near else None
