"""The SQL of a read: no more of it than is needed."""

from __future__ import annotations

import duckdb
import pytest

from millpond.core.schema import Column, Schema
from millpond.tables.reading import rows_sql
from millpond.tables.slices import FileSlice, Layout, Reading

LAYOUT = Layout(Schema((Column("a", "BIGINT"), Column('odd "name"', "VARCHAR"))), {"a": 1, 'odd "name"': 2})


def sql(*slices: FileSlice, columns: tuple[str, ...] = ("a",)) -> str:
    """The text for some slices."""
    return rows_sql(Reading(slices, LAYOUT), columns)


def test_files_without_deletes_are_read_without_a_join() -> None:
    """Many files, one read."""
    text = sql(FileSlice("/l/a.parquet"), FileSlice("file:/l/b.parquet"))
    assert "JOIN" not in text
    assert text.count("read_parquet") == 1
    assert "['/l/a.parquet', '/l/b.parquet']" in text


def test_only_files_with_deletes_are_joined() -> None:
    """One read for those with and one for those without."""
    text = sql(FileSlice("/l/a.parquet"), FileSlice("/l/b.parquet", ("/l/d.parquet",)))
    assert (text.count("UNION ALL"), text.count("ANTI JOIN"), text.count("SEMI JOIN")) == (1, 1, 0)


def test_deleted_rows_are_those_of_the_newer_deletes_only() -> None:
    """A semi join for what is wanted, an anti join for what had gone before."""
    text = sql(FileSlice("/l/a.parquet", ("/l/old.parquet",), ("/l/d.parquet",)))
    assert (text.count("ANTI JOIN"), text.count("SEMI JOIN"), text.count("UNION ALL")) == (1, 1, 0)


@pytest.mark.parametrize("origin", [False, True])
def test_nothing_still_has_its_columns(origin: bool) -> None:
    """No files give no rows of the right types."""
    text = rows_sql(Reading((), LAYOUT), LAYOUT.schema.names, origin)
    with duckdb.connect() as engine:
        relation = engine.sql(text)
        assert relation.columns == ["a", 'odd "name"', *(["_origin", "_position"] if origin else [])]
        assert [str(kind) for kind in relation.types][:2] == ["BIGINT", "VARCHAR"]
        assert relation.fetchall() == []


def test_names_and_paths_are_quoted() -> None:
    """No quote in a name or path ends a literal."""
    text = sql(FileSlice("/l/it's.parquet"), columns=('odd "name"',))
    assert 'AS "odd ""name"""' in text
    assert "'/l/it''s.parquet'" in text
