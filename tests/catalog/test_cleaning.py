"""Upkeep deletes files while tables go back to what these were part of: one of the two is first, and no row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from millpond.catalog import cleaning, restoring
from millpond.catalog.cleaning import expire, maintenance, remove, strays
from millpond.catalog.restoring import restore
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from tests.catalog.test_reachability import nothing
from tests.tables.lake import Lake, small_lake

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with a table of the rows 1 and 2, which commit 1 made; of both nothing is left, and nothing needs it."""
    with small_lake(tmp_path) as made:
        made.run(f"CREATE TABLE {NAME} AS SELECT unnest([1, 2]) AS a")
        stage = made.begin()
        stage.truncate(T)
        stage.publish(maintenance(stage.step_key, "tester", None))
        made.run(f"INSERT INTO {NAME} VALUES (3)")
        expire(made.catalog, T, nothing, maintenance("expire", "tester", None))
        yield made


def clean(lake: Lake) -> None:
    """Remove all that nothing needs, however young."""
    remove(lake.catalog, strays(lake.catalog, nothing, timedelta()), nothing, maintenance("clean", "tester", None))


def test_no_file_of_a_table_that_goes_back_meanwhile_is_deleted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked what is needed, and the first file was about to be deleted."""
    ask = cleaning._needed

    def late(*given: Any) -> frozenset[str]:
        monkeypatch.setattr(cleaning, "_needed", ask)
        needed = ask(*given)
        restore(lake.catalog, 1, T, "tester")
        return needed

    found = strays(lake.catalog, nothing, timedelta())
    monkeypatch.setattr(cleaning, "_needed", late)
    remove(lake.catalog, found, nothing, maintenance("clean", "tester", None))
    assert sorted(lake.rows(f"SELECT a FROM {NAME}")) == [(1,), (2,)]


def test_a_table_does_not_go_back_to_files_that_were_deleted_meanwhile(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deleted them after they were looked at: the table is what it was, and the restore is refused."""
    stage = restoring._stage

    def late(*given: Any) -> None:
        monkeypatch.setattr(restoring, "_stage", stage)
        stage(*given)
        with monkeypatch.context() as other:
            other.setattr(lake.catalog.tokens, "grants", lambda: ())
            clean(lake)

    monkeypatch.setattr(restoring, "_stage", late)
    with pytest.raises(CatalogError) as refused:
        restore(lake.catalog, 1, T, "tester")
    assert refused.value.code == "MP-3070"
    assert list(lake.rows(f"SELECT a FROM {NAME}")) == [(3,)]
    clean(lake)
    assert list(lake.rows(f"SELECT a FROM {NAME}")) == [(3,)]
