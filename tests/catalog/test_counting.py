"""Rows that came and went by the commits of stock clients."""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.catalog import load_catalog

from millpond.catalog.catalog import Catalog
from millpond.catalog.counting import Counts, counted

from .conftest import Duck


def newest(catalog: Catalog) -> Counts | None:
    """What the newest commit did."""
    return counted(catalog, catalog.history(limit=1)[0])


def test_rows_of_duckdb_are_counted(catalog: Catalog, open_door: str, duck: Duck) -> None:
    """Inserted, updated and deleted rows; a commit without rows counts none."""
    lake = duck(open_door)
    lake.execute("CREATE SCHEMA lake.s")
    lake.execute("CREATE TABLE lake.s.t (id BIGINT)")
    assert newest(catalog) is None
    lake.execute("INSERT INTO lake.s.t SELECT * FROM range(10)")
    assert newest(catalog) == Counts(10, 0)
    lake.execute("DELETE FROM lake.s.t WHERE id < 3")
    assert newest(catalog) == Counts(0, 3)
    lake.execute("UPDATE lake.s.t SET id = 50 WHERE id = 5")
    assert newest(catalog) == Counts(1, 1)
    lake.execute("ALTER TABLE lake.s.t ADD COLUMN word VARCHAR")
    assert newest(catalog) is None


def test_rows_of_pyiceberg_are_counted(catalog: Catalog, open_door: str) -> None:
    """Several snapshots of one commit count together; a file written anew counts as its summary says."""
    other = load_catalog("lake", type="rest", uri=open_door, warehouse="prod")
    other.create_namespace("s")
    rows = pa.table({"id": range(10)})
    table = other.create_table("s.t", rows.schema)
    table.append(rows)
    assert newest(catalog) == Counts(10, 0)
    table.delete("id < 3")
    assert newest(catalog) == Counts(7, 10)
    table.overwrite(pa.table({"id": [1, 2]}))
    assert newest(catalog) == Counts(2, 7)
