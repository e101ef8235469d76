"""Models whose columns change: what their tables follow while files stay, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millpond.core.errors import RunError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake

ORDERS, DAYS = TableName("silver", "orders"), TableName("gold", "days")
BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/o.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/gold/days.sql": (
        "/*---\nkind: aggregate\nkey: [day]\n---*/\n"
        "SELECT day, count(*) AS n, sum(amount) AS amount FROM silver.orders GROUP BY day\n"
    ),
}
QUERY = "SELECT id::INTEGER AS id, day, amount::DECIMAL(6, 2) AS amount, w::FLOAT AS w FROM bronze.o\n"
FIRST = "id,day,amount,w,note\n1,mon,10.00,1.5,a\n2,tue,20.00,2.5,b\n"
SECOND = "id,day,amount,w,note\n3,tue,12345678.25,4.5,c\n5000000000,wed,1,1,d\n"


def orders(query: str = QUERY, more: str = "", key: str = "id", kind: str = "append") -> str:
    """The file of the orders' model."""
    return f"/*---\nkind: {kind}\nkey: [{key}]\n{more}---*/\n{query}"


def started(model: str, files: dict[str, str] | None = None) -> Any:
    """A lake in which the orders have been built once."""
    return temporary_lake({**BASE, "models/silver/orders.sql": model, **(files or {})})


def first(lake: TemporaryLake) -> None:
    """The first run."""
    lake.deliver("data/a.csv", FIRST)
    assert lake.run().ok


def files_of(lake: TemporaryLake, table: TableName = ORDERS) -> set[str]:
    """The data files of a table."""
    return {path.name for path in Path(lake.lakehouse.catalog.table(table).location).rglob("*.parquet")}


def planned(lake: TemporaryLake) -> list[tuple[str, str]]:
    """Table and work of each step of the plan."""
    return [(str(step.table), step.work) for step in lake.lakehouse.runner.plan().steps]


def fields(lake: TemporaryLake, table: TableName = ORDERS) -> dict[str, tuple[int, str]]:
    """Id and type of each column of the table."""
    metadata = lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(table))
    return {column.name: (metadata.field_ids()[column.name], column.type) for column in metadata.schema()}


def test_wider_types_alter_the_table_and_leave_its_files() -> None:
    """INTEGER to BIGINT, FLOAT to DOUBLE, decimals of more digits; new values fit, what is built on it goes on."""
    wider = QUERY.replace("::INTEGER", "::BIGINT").replace("(6, 2)", "(12, 2)").replace("FLOAT", "DOUBLE")
    with started(orders()) as lake:
        first(lake)
        before, ids = files_of(lake), {name: number for name, (number, _) in fields(lake).items()}
        lake.write("models/silver/orders.sql", orders(wider))
        step, reader = lake.lakehouse.runner.plan().steps
        assert (reader.table, reader.work) == (DAYS, "groups")
        assert (step.table, step.work, step.because) == (
            ORDERS,
            "alter",
            "id has a wider type, amount has a wider type, w has a wider type",
        )
        assert lake.run().ok
        assert files_of(lake) == before
        assert {name: number for name, (number, _) in fields(lake).items()} == ids
        assert [kind for _, kind in fields(lake).values()] == ["BIGINT", "VARCHAR", "DECIMAL(12,2)", "DOUBLE"]
        lake.deliver("data/b.csv", SECOND)
        report = lake.run()
        assert report.ok, report.failures
        assert lake.rows("SELECT id, amount, w FROM silver.orders ORDER BY id") == [
            {"id": 1, "amount": Decimal("10.00"), "w": 1.5},
            {"id": 2, "amount": Decimal("20.00"), "w": 2.5},
            {"id": 3, "amount": Decimal("12345678.25"), "w": 4.5},
            {"id": 5000000000, "amount": Decimal("1.00"), "w": 1.0},
        ]
        assert lake.rows("SELECT n, amount::DECIMAL(12, 2) AS a FROM gold.days WHERE day = 'tue'") == [
            {"n": 2, "a": Decimal("12345698.25")}
        ]
        assert planned(lake) == []


def test_a_change_and_new_rows_are_one_step() -> None:
    """The table is altered by the step that brings the rows."""
    with started(orders()) as lake:
        first(lake)
        lake.write(
            "models/silver/orders.sql", orders(QUERY.replace("::INTEGER", "::BIGINT").replace("(6, 2)", "(12, 2)"))
        )
        lake.deliver("data/b.csv", SECOND)
        assert planned(lake) == [("bronze.o", "land"), ("silver.orders", "increment"), ("gold.days", "groups")]
        assert lake.run().ok
        assert len(lake.rows("FROM silver.orders")) == 4


def test_a_renamed_column_keeps_its_id_and_its_values() -> None:
    """So does a key; what speaks of the new name downstream is no other model for that."""
    renamed = QUERY.replace("AS amount", "AS total").replace("AS id", "AS nr").replace("amount::", "amount::")
    said = (
        "columns:\n  total: {renamed_from: amount}\n  nr: {renamed_from: id}\nchecks:\n  - between: {total: [0, 99]}\n"
    )
    with started(orders(more="checks:\n  - between: {amount: [0, 99]}\n")) as lake:
        first(lake)
        before, known = files_of(lake), fields(lake)
        lake.write("models/silver/orders.sql", orders(renamed, said, key="nr"))
        lake.write("models/gold/days.sql", BASE["models/gold/days.sql"].replace("sum(amount)", "sum(total)"))
        steps = lake.lakehouse.runner.plan().steps
        assert [(step.table, step.work) for step in steps] == [(ORDERS, "alter"), (DAYS, "groups")]
        assert steps[0].because == "id is renamed to nr, amount is renamed to total"
        assert lake.run().ok
        assert files_of(lake) == before
        assert fields(lake)["total"] == known["amount"]
        assert fields(lake)["nr"] == known["id"]
        lake.deliver("data/b.csv", "id,day,amount,w,note\n1,mon,10.00,1.5,a\n4,mon,5,1,b\n6,tue,500,1,c\n")
        assert lake.run().ok
        assert lake.rows("SELECT nr, total FROM silver.orders ORDER BY nr") == [
            {"nr": 1, "total": Decimal("10.00")},
            {"nr": 2, "total": Decimal("20.00")},
            {"nr": 4, "total": Decimal("5.00")},
        ]
        assert lake.rows("SELECT amount FROM gold.days WHERE day = 'mon'") == [{"amount": Decimal("15.00")}]
        lake.write(
            "models/silver/orders.sql", orders(renamed, said.replace("renamed_from: id", "description: a"), "nr")
        )
        assert planned(lake) == [("silver.orders", "alter")]


def test_a_renamed_column_is_followed_through_an_alias() -> None:
    """What reads it by its new name and calls it as before is the same model: its rows and files stay."""
    paid = "/*---\nkind: append\nkey: [id]\n---*/\nSELECT o.id, o.amount FROM silver.orders AS o\n"
    with started(orders(), {"models/gold/paid.sql": paid}) as lake:
        first(lake)
        renamed = QUERY.replace("AS amount", "AS total")
        lake.write("models/silver/orders.sql", orders(renamed, "columns:\n  total: {renamed_from: amount}\n"))
        lake.write("models/gold/days.sql", BASE["models/gold/days.sql"].replace("sum(amount)", "sum(total)"))
        lake.write("models/gold/paid.sql", paid.replace("o.amount", "o.total AS amount"))
        works = {step.table.name: step.work for step in lake.lakehouse.runner.plan().steps}
        assert works == {"orders": "alter", "days": "groups", "paid": "increment"}
        before = lake.rows("FROM gold.paid ORDER BY id")
        assert lake.run().ok
        assert lake.rows("FROM gold.paid ORDER BY id") == before
        assert lake.lakehouse.runner.plan().empty


def test_a_new_column_of_an_append_is_empty_in_older_rows() -> None:
    """The plan says so; new rows have it."""
    with started(orders()) as lake:
        first(lake)
        before = files_of(lake)
        lake.write("models/silver/orders.sql", orders(QUERY.replace("day,", "day, upper(note) AS note,")))
        step, _ = lake.lakehouse.runner.plan().steps
        assert (step.work, step.because) == ("alter", "note is new")
        assert step.note == "rows that are there have no note; --rebuild computes it"  # type: ignore[union-attr]
        assert lake.run().ok
        assert files_of(lake) == before
        lake.deliver("data/b.csv", "id,day,amount,w,note\n3,mon,1,1,c\n")
        assert lake.run().ok
        assert lake.rows("SELECT id, note FROM silver.orders ORDER BY id") == [
            {"id": 1, "note": None},
            {"id": 2, "note": None},
            {"id": 3, "note": "C"},
        ]


@pytest.mark.parametrize("kind", ["aggregate", "replace"])
def test_a_new_column_of_what_is_computed_is_computed(kind: str) -> None:
    """All groups have it at once, for a group without it would be wrong; the table stays the same one."""
    gold = f"/*---\nkind: {kind}\nkey: [day]\n---*/\nSELECT day, count(*) AS n FROM silver.orders GROUP BY day\n"
    with started(orders(), {"models/gold/days.sql": gold}) as lake:
        first(lake)
        uuid = lake.lakehouse.catalog.table(DAYS).uuid
        lake.write("models/gold/days.sql", gold.replace("AS n", "AS n, max(w) AS w"))
        assert planned(lake) == [("gold.days", "whole")]
        assert lake.run().ok
        assert lake.lakehouse.catalog.table(DAYS).uuid == uuid
        assert lake.rows("FROM gold.days ORDER BY day") == [
            {"day": "mon", "n": 1, "w": 1.5},
            {"day": "tue", "n": 1, "w": 2.5},
        ]


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        (QUERY.replace("day,", ""), "sql"),
        (QUERY.replace("day,", "upper(day) AS day,"), "sql"),
        (QUERY.replace("bronze.o", "bronze.o WHERE day <> 'mon'"), "sql"),
        (QUERY.replace("AS amount", "AS total"), "sql"),
    ],
)
def test_what_changes_rows_that_are_there_needs_a_rebuild(query: str, parts: str) -> None:
    """A column that is gone, another expression or filter, a name that nobody called the old one."""
    with started(orders()) as lake:
        first(lake)
        lake.write("models/silver/orders.sql", orders(query))
        with pytest.raises(RunError) as refused:
            lake.run("silver.orders")
        assert refused.value.code == "MP-7010"
        assert f"({parts})" in refused.value.finding.message


def test_a_narrower_type_needs_a_rebuild() -> None:
    """Files that hold larger values could not be read any more."""
    with started(orders()) as lake:
        first(lake)
        lake.write("models/silver/orders.sql", orders(QUERY.replace("::INTEGER", "::VARCHAR")))
        failed = lake.run().failures[ORDERS]
        assert failed.code == "MP-2042"
        assert (
            failed.finding.message
            == "the column 'id' of the table silver.orders is a INTEGER, and the query gives VARCHAR"
        )
        assert str(failed.finding.where).endswith("orders.sql:5:8")
        assert lake.run(rebuild=("silver.orders",)).ok


def test_checks_that_keep_no_row_out_may_change_freely() -> None:
    """A new warning or a check on the table needs no rebuild; one that would have kept rows out does."""
    with started(orders()) as lake:
        first(lake)
        more = "checks:\n  - between: {amount: [0, 5]}\n    severity: warn\n  - row_count: [1, null]\n"
        lake.write("models/silver/orders.sql", orders(more=more))
        assert planned(lake) == [("silver.orders", "alter")]
        assert lake.run().ok
        assert planned(lake) == []
        lake.write("models/silver/orders.sql", orders(more=more.replace("severity: warn", "severity: quarantine")))
        with pytest.raises(RunError, match="checks"):
            lake.run()


SAID = """description: One row for each order.
owner: sales
tags: [daily, money]
columns:
  id: {type: INTEGER, nullable: false, description: Number of the order.}
  day: {tags: [time, key], pii: birthday}
"""


def test_what_the_author_says_reaches_the_table() -> None:
    """Descriptions as Iceberg's doc, the rest as properties; taken back when it is no longer said."""
    with started(orders(more=SAID)) as lake:
        first(lake)
        catalog = lake.lakehouse.catalog
        metadata = catalog.metadata(catalog.table(ORDERS))
        documented = {
            field["name"]: (field.get("doc"), field["required"]) for field in metadata.schema_document["fields"]
        }
        assert documented["id"] == ("Number of the order.", True)
        assert documented["day"] == (None, False)
        told = {name: text for name, text in metadata.properties.items() if not name.startswith("write.")}
        assert told == {
            "owner": "sales",
            "comment": "One row for each order.",
            "millpond.model.tags": "daily,money",
            "millpond.model.column.day.tags": "time,key",
            "millpond.model.column.day.pii": "birthday",
        }
        before = files_of(lake)
        lake.write("models/silver/orders.sql", orders(more="columns:\n  day: {description: When.}\n"))
        assert planned(lake) == [("silver.orders", "alter")]
        assert lake.run().ok
        metadata = lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(ORDERS))
        documented = {
            field["name"]: (field.get("doc"), field["required"]) for field in metadata.schema_document["fields"]
        }
        assert documented["id"] == (None, False)
        assert documented["day"] == ("When.", False)
        assert not {"owner", "comment", "millpond.model.tags"} & metadata.properties.keys()
        assert files_of(lake) == before


def test_rows_without_a_value_where_one_must_be_are_quarantined() -> None:
    """`nullable: false` is a rule, and the table is closed to NULL for every other writer."""
    with started(orders(more="columns:\n  day: {nullable: false}\non_fail: warn\n")) as lake:
        lake.deliver("data/a.csv", FIRST + "9,,1,1,x\n")
        assert lake.run().ok
        assert lake.rows("SELECT rule FROM quarantine.records") == [{"rule": "nullable:day"}]
        assert len(lake.rows("FROM silver.orders")) == 2


@pytest.mark.parametrize(("row", "ok"), [("", True), ("9,,1,1,x\n", False)])
def test_a_column_may_be_closed_to_null_where_it_has_none(row: str, ok: bool) -> None:
    """The metadata tells; else the table cannot follow."""
    with started(orders()) as lake:
        lake.deliver("data/a.csv", FIRST + row)
        assert lake.run().ok
        lake.write("models/silver/orders.sql", orders(more="columns:\n  day: {nullable: false}\n"))
        report = lake.run()
        if ok:
            assert report.ok, report.failures
            metadata = lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(ORDERS))
            assert metadata.schema().columns[1].required
        else:
            assert report.failures[ORDERS].code == "MP-2142"


def test_the_query_must_give_what_is_declared() -> None:
    """Type and presence, told at the declaration, before anything is built."""
    with started(orders(more="columns:\n  id: {type: BIGINT}\n")) as lake:
        lake.deliver("data/a.csv", FIRST)
        failed = lake.run().failures[ORDERS]
        assert failed.code == "MP-2140"
        assert str(failed.finding.where).endswith("orders.sql:5:14")
        lake.write("models/silver/orders.sql", orders(more="columns:\n  idd: {description: x}\n"))
        failed = lake.run().failures[ORDERS]
        assert (failed.code, failed.finding.suggestion) == ("MP-2141", "id")
