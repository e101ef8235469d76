"""Views of a project in Spark: the SQL that Millpond published for it."""

from __future__ import annotations

import pytest

from tests.services.everyone import Everyone, made_by_spark
from tests.services.viewed import read_alike

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


def test_spark_reads_a_view_by_its_own_dialect(everyone: Everyone) -> None:
    """The same rows as people see through the gate."""
    made_by_spark(everyone, merge_on_read=True)
    rows = read_alike(everyone.lake, "silver.events", everyone.spark)
    assert (len(rows), rows[1][1]) == (10, "W1")
