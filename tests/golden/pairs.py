"""Reads golden files.

`<pass>.sql` holds pairs, each ended by `;`: the query and what it becomes. `<pass>__invalid.sql` holds queries, each
followed by a line `-- MP-code line:column`. Other lines that begin with `--` say what a pair shows.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
_REFUSAL = re.compile(r"(?P<sql>(?:(?!-- MP-).*\n)+?)-- (?P<code>MP-\d{4}) (?P<place>\S+)\n")


def pairs(name: str) -> list[tuple[str, str]]:
    """Every (query, expected) of a pass."""
    text = "\n".join(line for line in _lines(f"{name}.sql") if not line.startswith("--")) + "\n"
    statements = [part.strip() for part in text.split(";\n") if part.strip()]
    assert len(statements) % 2 == 0, f"{name}.sql: a query has no partner"
    return list(zip(statements[::2], statements[1::2], strict=True))


def refused(name: str) -> list[tuple[str, str, str]]:
    """Every (query, code, place) that a pass must refuse."""
    lines = [line for line in _lines(f"{name}__invalid.sql") if not line.startswith("-- ") or line.startswith("-- MP-")]
    text = "\n".join(lines) + "\n"
    return [(found["sql"].strip("\n"), found["code"], found["place"]) for found in _REFUSAL.finditer(text)]


def _lines(file: str) -> list[str]:
    return (FOLDER / file).read_text(encoding="utf-8").splitlines()
