"""Views of a project in Spark: the SQL that Millpond published for it."""

from __future__ import annotations

import pytest

from millpond.lakehouse import open_lakehouse
from tests.services.everyone import Everyone, made_by_spark

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

VIEW = """/*---
kind: view
columns:
  label: {description: what it is called}
---*/
SELECT id, upper(word) AS label, price / 2 AS half, ts::DATE AS day FROM silver.events WHERE id % 10 = 0
"""


def test_spark_reads_a_view_by_its_own_dialect(everyone: Everyone) -> None:
    """The same rows as people see through the gate."""
    made_by_spark(everyone, merge_on_read=True)
    folder = everyone.lake.folder / "models/gold"
    (folder / "early.sql").write_text(VIEW)
    with open_lakehouse(everyone.lake.folder) as lake:
        report = lake.runner.run()
        assert report.ok, report.failures
    asked = "SELECT id, label, CAST(half AS DOUBLE) AS half, day FROM {}gold.early ORDER BY id"
    rows = everyone.spark(asked.format("lake."))
    assert rows == [tuple(row.values()) for row in everyone.lake.rows(asked.format(""))]
    assert (len(rows), rows[1][1]) == (10, "W1")
