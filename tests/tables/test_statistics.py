"""Rows and NULLs by metadata, against the rows themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog import manifests
from millpond.catalog.manifests import POSITION_DELETES
from millpond.catalog.metadata import TableMetadata
from millpond.core.names import TableName
from millpond.tables.statistics import count_rows, row_count, statistics
from millpond.testing import TemporaryLake, temporary_lake
from tests.tables.test_compaction import file

TABLE = TableName("silver", "t")
FILES = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/r.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\non_change: replace\n",
    "models/silver/t.sql": "/*---\nkind: aggregate\nkey: [k]\n---*/\n"
    "SELECT k, min(v) AS v, count(*) AS n FROM bronze.r GROUP BY k\n",
}


def check(lake: TemporaryLake) -> None:
    """What the metadata says is so, or it says nothing."""
    metadata = lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(TABLE))
    (found,) = lake.rows("SELECT count(*) AS n, count(*) - count(v) AS nulls FROM silver.t")
    assert row_count(metadata) in (found["n"], None)
    known = statistics(metadata)
    if known is not None:
        assert (known.rows, known.nulls["v"], known.nulls["k"]) == (found["n"], found["nulls"], 0)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "2"]), min_size=1), min_size=1, max_size=3
    )
)
def test_metadata_counts_as_the_rows_do(states: list[dict[str, str]]) -> None:
    """After inserts, changes and deletes; where rows were deleted in files, it does not say."""
    with temporary_lake(FILES) as lake:
        for state in states:
            lake.deliver("data/a.csv", "k,v\n" + "".join(f"{k},{v}\n" for k, v in state.items()))
            assert lake.run().ok
            check(lake)


def test_a_table_of_plain_files_is_counted_without_reading_them(tmp_path: Path) -> None:
    """The counts are there though the data files are not."""
    with temporary_lake(FILES) as lake:
        lake.deliver("data/a.csv", "k,v\na,1\nb,\nc,\n")
        assert lake.run().ok
        entry = lake.lakehouse.catalog.table(TABLE)
        for file in Path(entry.location).rglob("*.parquet"):
            file.rename(tmp_path / file.name)
        metadata = lake.lakehouse.catalog.metadata(entry)
        known = statistics(metadata)
        assert row_count(metadata) == 3
        assert known is not None
        assert (known.rows, known.nulls) == (3, {"k": 0, "v": 2, "n": 0})


def test_rows_are_not_guessed_where_files_that_a_delete_file_may_name_were_rewritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names rows of several files; how many of these are still there, nobody says."""
    first, second = file(10, records=100), file(10, records=100)
    both = file(10, records=7, content=POSITION_DELETES)
    later = file(10, records=50)
    anew = replace(later, records=97, sequence_number=first.sequence_number)
    summary = {"total-records": "1", "total-delete-files": "1"}
    snapshot = {"snapshot-id": 1, "summary": summary}
    metadata = TableMetadata({"current-snapshot-id": 1, "snapshots": [snapshot]})

    def counted(*files: manifests.DataFile) -> int | None:
        monkeypatch.setattr(manifests, "of_snapshot", lambda _: [None])
        monkeypatch.setattr(manifests, "files", lambda _: files)
        return count_rows(metadata)

    assert counted(first, second, later, both) == 243
    assert counted(anew, second, both) is None
