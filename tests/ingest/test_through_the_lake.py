"""The same landing through engine, gateway and catalog: what is staged is what is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from millpond.core.errors import IngestError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake

THINGS = TableName("bronze", "things")


def project(**source: object) -> dict[str, str]:
    settings = {"kind": "files", "paths": ["data/*"], **source}
    return {"millpond.yaml": "version: 1\nname: shop\n", "sources/things.yaml": json.dumps(settings)}


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A project with one source that reads everything in `data/`."""
    with temporary_lake(project()) as made:
        yield made


def load(lake: TemporaryLake) -> None:
    report = lake.run()
    for failed in report.failures.values():
        raise failed


def things(lake: TemporaryLake, columns: str) -> list[tuple[object, ...]]:
    rows = lake.rows(f"SELECT {columns} FROM bronze.things ORDER BY _origin, _position, _load")
    return [tuple(row.values()) for row in rows]


def test_columns_grow_with_the_files(lake: TemporaryLake) -> None:
    """A later file adds a column; the earlier records have NULL there."""
    lake.deliver("data/a.csv", "id,name\n1,one\n")
    load(lake)
    lake.deliver("data/b.csv", "size,id\n9,2\n")
    load(lake)

    assert things(lake, "id, name, size, _origin, _position, _rescued") == [
        ("1", "one", None, "data/a.csv", 1, None),
        ("2", None, "9", "data/b.csv", 1, None),
    ]


def test_dirty_files_leave_no_trace_of_the_first_attempt(lake: TemporaryLake) -> None:
    """A load that is rolled back and done again lands each record once, and one snapshot."""
    lake.deliver("data/a.csv", 'id,name\n1,one\n2\n3,three\n4,"four\n5,five\n')
    lake.deliver("data/b.ndjson", '{"id": 6}\n{"id": \n{"id": 8}\n')
    lake.deliver("data/c.csv", "<html>gone</html>\n")
    load(lake)

    assert things(lake, "id, _position") == [("1", 1), ("3", 3), ("5", 5), ("6", 1), ("8", 3)]
    assert lake.rows("SELECT kind, rule, origin, position, raw FROM quarantine.records ORDER BY origin, position") == [
        {"kind": "record", "rule": "missing_columns", "origin": "data/a.csv", "position": 2, "raw": "2"},
        {"kind": "record", "rule": "unclosed_quote", "origin": "data/a.csv", "position": 4, "raw": '4,"four'},
        {"kind": "record", "rule": "not_json", "origin": "data/b.ndjson", "position": 2, "raw": '{"id": '},
        {"kind": "file", "rule": "markup", "origin": "data/c.csv", "position": None, "raw": None},
    ]
    catalog = lake.lakehouse.catalog
    ledger = catalog.ledger(catalog.head())
    assert ledger is not None
    assert (ledger.staged, ledger.inserted, ledger.quarantined, ledger.read) == (8, 5, 3, 8)
    assert [(file.path, file.outcome) for file in catalog.seen_files("things")] == [
        ("data/a.csv", "loaded"),
        ("data/b.ndjson", "loaded"),
        ("data/c.csv", "rejected"),
    ]


def test_a_second_run_has_nothing_to_do(lake: TemporaryLake) -> None:
    """What was loaded, rejected or a copy is known."""
    lake.deliver("data/a.csv", "id,name\n1,one\n")
    lake.deliver("data/b.csv", "id,name\n1,one\n")
    lake.deliver("data/c.csv", "<html>gone</html>\n")
    load(lake)
    head = lake.lakehouse.catalog.head()

    assert lake.run().outcomes == {}
    assert lake.lakehouse.catalog.head() == head


def test_replacing_a_file_is_one_commit() -> None:
    """Old rows go and new ones come together; a copy set aside comes back."""
    with temporary_lake(project(on_change="replace")) as lake:
        lake.deliver("data/a.csv", "id,name\n1,one\n2,two\n")
        lake.deliver("data/b.csv", "id,name\n1,one\n2,two\n")
        load(lake)
        before = lake.lakehouse.catalog.head()
        lake.deliver("data/a.csv", "id,name\n3,three\n")
        load(lake)

        assert lake.lakehouse.catalog.head() == before + 1
        assert things(lake, "id, _origin") == [("3", "data/a.csv"), ("1", "data/b.csv"), ("2", "data/b.csv")]
        assert lake.run().outcomes == {}


def test_a_frozen_source_fails_and_stays_as_it_was() -> None:
    """The error reaches the report, and nothing of the load is visible."""
    with temporary_lake(project(on_schema_change="freeze")) as lake:
        lake.deliver("data/a.csv", "id,name\n1,one\n")
        load(lake)
        lake.deliver("data/b.csv", "id,name,more\n2,two,x\n")

        with pytest.raises(IngestError, match="'more'"):
            load(lake)

        assert things(lake, "id") == [("1",)]


def test_parquet_keeps_its_types(lake: TemporaryLake, tmp_path: Path) -> None:
    """Types come through the table; a later file of other types is cast or rescued."""
    for name, query in (
        ("a", "SELECT 1::BIGINT AS id, DATE '2024-01-31' AS day, [1.5, 2]::DECIMAL(9, 2)[] AS list"),
        ("b", "SELECT unnest(['2', 'x']) AS id, '2024-02-29' AS day, NULL AS list"),
    ):
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
        lake.deliver(f"data/{name}.parquet", (tmp_path / f"{name}.parquet").read_bytes())
        load(lake)

    assert things(lake, "id, day::VARCHAR, list::VARCHAR, _rescued") == [
        (1, "2024-01-31", "[1.50, 2.00]", None),
        (2, "2024-02-29", None, None),
        (None, "2024-02-29", None, '{"id":"x"}'),
    ]


def test_declared_columns_are_cast() -> None:
    """Declared types are the table's, whatever the file holds."""
    with temporary_lake(project(columns={"id": "BIGINT", "moment": "TIMESTAMP"})) as lake:
        lake.deliver("data/a.csv", "id,moment\n1,2024-01-31 10:00:00\ntwo,never\n")
        load(lake)

        assert things(lake, "id, moment::VARCHAR, _rescued") == [
            (1, "2024-01-31 10:00:00", None),
            (None, None, '{"id":"two","moment":"never"}'),
        ]


def test_many_files_land_in_one_commit(lake: TemporaryLake) -> None:
    """More files than one statement reads are still one load."""
    for number in range(150):
        lake.deliver(f"data/{number:03}.csv", f"id,name\n{number},n{number}\n")
    before = lake.lakehouse.catalog.head()
    load(lake)

    assert lake.lakehouse.catalog.head() == before + 1
    assert things(lake, "id") == [(str(number),) for number in range(150)]


EVENTS = ('{"id": 1, "at": "2026-03-01T10:00:00"}\n{"id": 2, "at": "2026-04-30T23:59:59"}\n', '{"id": 3, "at": null}\n')


def folders(lake: TemporaryLake) -> set[str]:
    """The folders of the table's data files, below its own."""
    files = (lake.folder / ".millpond" / "lake" / "bronze").rglob("*.parquet")
    return {path.parent.as_posix().partition("/data/")[2] for path in files}


def test_bronze_is_partitioned_as_the_source_declares() -> None:
    """By year, month and day of a typed column; a change holds for what lands from then on."""
    files = project(columns={"at": "TIMESTAMP"}, partition=["year(at)", "month(at)", "day(at)"])
    with temporary_lake(files) as lake:
        lake.deliver("data/a.ndjson", EVENTS[0])
        load(lake)
        # The engine names folders by what it counts: years, months and days since 1970.
        days = {"at_year=56/at_month=674/at_day=20513", "at_year=56/at_month=675/at_day=20573"}
        assert folders(lake) == days

        lake.write(
            "sources/things.yaml", project(columns={"at": "TIMESTAMP"}, partition="month(at)")["sources/things.yaml"]
        )
        lake.deliver("data/b.ndjson", EVENTS[1])
        load(lake)
        assert len(folders(lake)) == 3
        assert [row["id"] for row in lake.rows("SELECT id FROM bronze.things ORDER BY id")] == ["1", "2", "3"]


@pytest.mark.parametrize("field", ["day(at)", "month(when)"])
def test_a_partition_that_cannot_be_is_told_where_it_stands(field: str) -> None:
    """Text has no days, and a column that is not there has none either."""
    with temporary_lake(project(partition=["day(_loaded_at)", field])) as lake:
        lake.deliver("data/a.ndjson", EVENTS[0])
        with pytest.raises(IngestError) as caught:
            load(lake)
        assert caught.value.code == "MP-5013"
        assert str(caught.value.finding.where).endswith("things.yaml:1:73")
