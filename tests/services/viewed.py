"""A view of a project, published, and what another engine must give for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millpond.lakehouse import open_lakehouse
from millpond.testing import TemporaryLake

VIEW = """/*---
kind: view
columns:
  label: {{description: what it is called}}
---*/
SELECT id, upper(word) AS label, price / 2 AS half, ts::DATE AS day FROM {table} WHERE id % 10 = 0
"""

Rows = list[tuple[Any, ...]]


def read_alike(lake: TemporaryLake, table: str, ask: Callable[[str], Rows]) -> Rows:
    """The rows that an engine gives for a view of a table, the same as people see through the gate."""
    folder = lake.folder / "models/gold"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "early.sql").write_text(VIEW.format(table=table))
    with open_lakehouse(lake.folder) as opened:
        report = opened.runner.run()
        assert report.ok, report.failures
    asked = "SELECT id, label, CAST(half AS DOUBLE) AS half, day FROM {}gold.early ORDER BY id"
    rows = ask(asked.format("lake."))
    assert rows == [tuple(row.values()) for row in lake.rows(asked.format(""))]
    return rows
