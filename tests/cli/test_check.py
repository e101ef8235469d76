"""`check`: all findings at once, each at the author's own place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Type

MODELS = {
    "silver/orders.sql": "/*---\nkind: append\nkey: [order_idd]\nchecks:\n"
    "  - between: {amount: [0, abc]}\n  - not_null: nope\n---*/\n"
    "SELECT order_id, amout::DECIMAL(10, 2) AS amount\nFROM bronze.orders\n",
    "gold/a.sql": "SELECT n FROM gold.b\n",
    "gold/b.sql": "SELECT n FROM gold.a\n",
    "gold/c.sql": "SELECT 1 AS x FROM silver.ordrs\n",
    "gold/d.sql": "SELECT (1 +\nFROM silver.orders\n",
    "gold/e.sql": "/*---\nkind: replace\ncheks: []\n---*/\nSELECT 1 AS x\n",
}


def test_every_finding_has_a_code_a_place_and_a_next_step(shop: Path, type_: Type) -> None:
    """YAML, SQL, names, columns and circles are found in one look."""
    for name, text in MODELS.items():
        (shop / "models" / name).write_text(text)
    said = type_("check", "--json")
    assert said.code == 2
    found = {(finding["code"], str(finding["file"]).rsplit("models/", 1)[-1]) for finding in said.objects()}
    assert ("MP-2001", "gold/d.sql") in found
    assert ("MP-2010", "gold/c.sql") in found
    assert ("MP-2020", "gold/b.sql") in found or ("MP-2020", "gold/a.sql") in found
    assert any(file == "gold/e.sql" for _, file in found)
    assert all(finding["next_step"] for finding in said.objects())
    suggestions = {finding["file"].rsplit("/", 1)[-1]: finding["suggestion"] for finding in said.objects()}
    assert suggestions["c.sql"] == "silver.orders"


@pytest.mark.parametrize(
    ("wrong", "codes"),
    [
        ("maintenence: {}\n", {"MP-1006", "MP-2011"}),
        ("retention: soon\n", {"MP-1008", "MP-2011"}),
        ("engine: {memroy: 1GB}\n", {"MP-1006"}),
    ],
)
def test_wrong_settings_hide_no_wrong_query(shop: Path, type_: Type, wrong: str, codes: set[str]) -> None:
    """But for settings that say how a query is read: without them nothing can be said of it."""
    (shop / "models" / "gold" / "typo.sql").write_text("SELECT amout FROM silver.orders\n")
    settings = shop / "millpond.yaml"
    settings.write_text(settings.read_text("utf-8") + wrong, "utf-8")
    said = type_("check", "--json")
    assert (said.code, {finding["code"] for finding in said.objects()}) == (2, codes)
    assert type_("run", "--json").code == 2


def test_a_column_that_does_not_exist_is_shown_where_it_is_written(shop: Path, type_: Type) -> None:
    """The engine's complaint is told at the author's line and column, with what was meant."""
    (shop / "models" / "gold" / "typo.sql").write_text("SELECT order_id,\n /* né */ amout\nFROM silver.orders\n")
    (finding,) = type_("check", "--json").objects()
    assert (finding["code"], finding["line"], finding["column"]) == ("MP-2011", 2, 11)
    assert finding["suggestion"] == "amount"
    shown = type_("check").err
    assert "typo.sql:2:11" in shown
    assert "^" in shown


def test_a_function_that_does_not_exist_is_shown_with_the_one_that_was_meant(shop: Path, type_: Type) -> None:
    """The nearest of all names that the engine has."""
    (shop / "models" / "gold" / "typo.sql").write_text(
        "SELECT\n regexp_extrakt(country, 'a') AS a FROM silver.orders\n"
    )
    (finding,) = type_("check", "--json").objects()
    assert (finding["code"], finding["line"], finding["column"]) == ("MP-2011", 2, 2)
    assert finding["suggestion"] == "regexp_extract"


def test_a_column_that_a_join_does_not_find_is_shown_where_it_is_named(shop: Path, type_: Type) -> None:
    """The engine tells its name alone."""
    typo = "SELECT o.order_id FROM silver.orders AS o\nJOIN silver.orders AS p USING (order_idd)\n"
    (shop / "models" / "gold" / "typo.sql").write_text(typo)
    (finding,) = type_("check", "--json").objects()
    assert (finding["code"], finding["line"], finding["column"]) == ("MP-2011", 2, 32)


def test_a_column_that_keeps_its_name_and_does_not_exist_is_shown_where_it_is_read(shop: Path, type_: Type) -> None:
    """`trim(x) AS x` speaks of an input's column, not of itself, though the engine takes it so."""
    (shop / "models" / "gold" / "typo.sql").write_text("SELECT order_id,\n trim(amout) AS amout\nFROM silver.orders\n")
    (finding,) = type_("check", "--json").objects()
    assert (finding["code"], finding["line"], finding["column"]) == ("MP-2011", 2, 7)
    assert finding["message"] == 'there is no column "amout" in silver.orders'
    assert finding["suggestion"] == "amount"


def test_keys_and_checks_must_name_columns_of_the_query(shop: Path, type_: Type) -> None:
    """A key, a partition and a check on columns that the query does not give are each told."""
    (shop / "models" / "silver" / "kept.sql").write_text(
        "/*---\nkind: append\nkey: [order_idd]\npartition: [day(when)]\nchecks:\n  - not_null: amout\n---*/\n"
        "SELECT order_id, amount::DECIMAL(10, 2) AS amount FROM bronze.orders\n"
    )
    findings = {finding["code"]: finding for finding in type_("check", "--json").objects()}
    assert set(findings) == {"MP-2031", "MP-2032", "MP-2033"}
    assert (findings["MP-2031"]["line"], findings["MP-2031"]["suggestion"]) == (3, "order_id")


def test_a_type_that_no_table_can_hold_is_told(shop: Path, type_: Type) -> None:
    """TIME is refused because other engines cannot open a table with it."""
    (shop / "models" / "gold" / "clock.sql").write_text("SELECT TIME '12:00:00' AS t FROM silver.orders\n")
    (finding,) = type_("check", "--json").objects()
    assert finding["code"] == "MP-2040"


def test_what_a_kind_asks_of_the_query_must_be_there(shop: Path, type_: Type) -> None:
    """Order, mark of deletion and tombstones are held against the columns that the query gives."""
    head = "/*---\nkind: upsert\nkey: [order_id]\norder: amout\ndelete_when: {}\n{}---*/\n"
    query = "SELECT order_id, amount FROM bronze.orders\n"
    models = {
        "a": head.format("stat = 'x'", "") + query,
        "b": head.format("amount", "").replace("amout", "amount") + query,
        "c": head.format("order_id > 'a'", "tombstones: true\nexclude: [gone]\n").replace("amout", "amount") + query,
    }
    for name, text in models.items():
        (shop / "models" / "silver" / f"{name}.sql").write_text(text)
    found = [(f["file"].rsplit("/", 1)[-1], f["code"], f["suggestion"]) for f in type_("check", "--json").objects()]
    assert found == [
        ("a.sql", "MP-2100", "amount"),
        ("a.sql", "MP-2101", None),
        ("b.sql", "MP-2101", None),
        ("c.sql", "MP-2102", None),
        ("c.sql", "MP-2100", None),
    ]


def test_what_a_history_asks_of_the_query_must_be_there(shop: Path, type_: Type) -> None:
    """The event time is there and tells a time, and no column has the name of one that the kind makes."""
    head = "/*---\nkind: scd2\nkey: [order_id]\nevent_time: {}\n{}---*/\n"
    models = {
        "a": head.format("orderd_at", "") + "SELECT order_id, ordered_at FROM bronze.orders\n",
        "b": head.format("ordered_at", "") + "SELECT order_id, ordered_at::VARCHAR AS ordered_at FROM bronze.orders\n",
        "c": head.format("at", "") + "SELECT order_id, ordered_at::DATE AS at, 1 AS Valid_To FROM bronze.orders\n",
        "d": head.format("valid_from", "partition: [month(valid_from)]\nchecks:\n  - not_null: amount\n")
        + "SELECT order_id, ordered_at::DATE AS valid_from, amount FROM bronze.orders\n",
    }
    for name, text in models.items():
        (shop / "models" / "silver" / f"{name}.sql").write_text(text)
    found = [(f["file"].rsplit("/", 1)[-1], f["code"], f["suggestion"]) for f in type_("check", "--json").objects()]
    assert found == [("a.sql", "MP-2100", "ordered_at"), ("b.sql", "MP-2103", None), ("c.sql", "MP-2104", None)]


CHECKED = """/*---
kind: append
key: [order_id]
checks:
  - relationship: {customer_id: bronze.nobody.id}
  - relationship: {order_id: bronze.orders.nr}
  - regex: {status: 'a)(b'}
  - length: {amount: 3}
  - type: {status: NUMBER_OF_DOOM}
  - in: {amount: [many]}
  - sum_equals: {amount: total}
  - sum_equals: {status: 5}
  - freshness: {amount: 1d}
  - distribution: {ordered: {mean: [0, 1]}}
  - sql: SELECT * FROM silver.nothing
    name: query
  - sql: SELECT missing FROM silver.checked
    name: column
  - relationship: {customer_id: bronze.orders.customer_id}
    name: good
  - sum_equals: {amount: bronze.orders.amount}
    name: text
---*/
SELECT order_id, customer_id, status, amount::DECIMAL(10, 2) AS amount, ordered_at AS ordered FROM bronze.orders
"""


def test_checks_are_bound_against_the_tables_that_they_look_into(shop: Path, type_: Type) -> None:
    """A table, a column, a pattern or a type that is not there is told at the check's own line."""
    (shop / "models" / "silver" / "checked.sql").write_text(CHECKED)
    findings = type_("check", "--json").objects()
    assert sorted((finding["line"], finding["code"]) for finding in findings) == [
        (5, "MP-2010"),
        (6, "MP-2032"),
        (7, "MP-2035"),
        (9, "MP-2035"),
        (10, "MP-2035"),
        (11, "MP-2032"),
        (12, "MP-2035"),
        (13, "MP-2035"),
        (14, "MP-2035"),
        (15, "MP-2010"),
        (17, "MP-2035"),
        (21, "MP-2035"),
    ]


KEPT = """/*---
kind: append
key: [order_id]
columns:
  order_id: {type: VARCHAR, nullable: false}
  amount: {description: paid}
---*/
SELECT order_id, customer_id,
  amount::DECIMAL(10, 2) AS amount,
  ordered_at
FROM bronze.orders
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("DECIMAL(10, 2)", "DECIMAL(12, 2)", []),
        ("amount: {description: paid}", "customer: {renamed_from: customer_id}", []),
        ("  ordered_at\n", "  ordered_at, status\n", []),
        ("DECIMAL(10, 2)", "DECIMAL(8, 2)", [("MP-2042", 9, 3)]),
        ("DECIMAL(10, 2)", "INTEGER", [("MP-2042", 9, 3)]),
        (",\n  ordered_at", "", [("MP-2042", 8, 8)]),
        ("amount: {description: paid}", "total: {renamed_from: amount}", [("MP-2042", 8, 8), ("MP-2141", 6, 10)]),
        ("amount: {description: paid}", "customer_id: {nullable: false}", [("MP-2142", 6, 27)]),
        ("amount: {description: paid}", "amount: {renamed_from: paid}", []),
        ("type: VARCHAR", "type: BIGINT", [("MP-2140", 5, 20)]),
        ("type: VARCHAR", "type: NUMBERS", [("MP-2140", 5, 20)]),
        ("amount: {description: paid}", "amunt: {description: paid}", [("MP-2141", 6, 10)]),
        ("[order_id]", "[order_id, ordered_at]", [("MP-2142", 3, 6)]),
    ],
)
def test_a_change_that_breaks_the_contract_is_told_where_it_is_made(
    shop: Path, type_: Type, old: str, new: str, found: list[tuple[str, int, int]]
) -> None:
    """The query against what is declared and against the table; what the table can follow is no finding."""
    (shop / "data" / "orders-none.csv").write_text(
        "order_id,customer_id,ordered_at,status,amount\n9,,2026-01-01,paid,1\n"
    )
    path = shop / "models" / "silver" / "kept.sql"
    path.write_text(KEPT)
    assert type_("run", "-q").code == 0
    assert type_("check", "--json").objects() == []
    text = KEPT.replace(old, new)
    path.write_text(text.replace("customer_id,\n", "customer_id AS customer,\n") if "customer:" in new else text)
    findings = type_("check", "--json").objects()
    assert [(finding["code"], finding["line"], finding["column"]) for finding in findings] == sorted(
        found, key=lambda one: one[1:]
    )


def test_a_rename_of_what_was_never_there_is_told(shop: Path, type_: Type) -> None:
    """With what may have been meant."""
    path = shop / "models" / "silver" / "kept.sql"
    path.write_text(KEPT)
    assert type_("run", "-q").code == 0
    path.write_text(KEPT.replace("AS amount", "AS total").replace("amount: {", "total: {renamed_from: amunt, "))
    findings = {finding["code"]: finding for finding in type_("check", "--json").objects()}
    assert set(findings) == {"MP-2042", "MP-2143"}
    assert (findings["MP-2143"]["suggestion"], findings["MP-2143"]["line"]) == ("amount", 6)


def test_a_circle_hides_nothing_else(shop: Path, type_: Type) -> None:
    """What is neither in it nor behind it is looked at all the same; so is how a table is to be partitioned."""
    for name, text in {
        "a": "SELECT n FROM gold.b\n",
        "b": "SELECT n FROM gold.a\n",
        "behind": "SELECT nothing FROM gold.a\n",
        "typo": "SELECT amout FROM silver.orders\n",
        "parts": "/*---\nkind: replace\npartition: [day(order_id)]\n---*/\nSELECT order_id FROM silver.orders\n",
    }.items():
        (shop / f"models/gold/{name}.sql").write_text(text)
    found = {(Path(str(one["file"])).name, one["code"], one["line"]) for one in type_("check", "--json").objects()}
    assert {("typo.sql", "MP-2011", 1), ("parts.sql", "MP-3040", 3)} <= found
    assert {name for name, code, _ in found if code == "MP-2020"} <= {"a.sql", "b.sql"}
    assert len(found) == 3


def test_a_column_that_cannot_be_kept_is_told_where_it_is_written(shop: Path, type_: Type) -> None:
    """Types that no table holds, and two columns of one name."""
    (shop / "models/gold/odd.sql").write_text("SELECT order_id,\n  INTERVAL 1 DAY AS took\nFROM silver.orders\n")
    (shop / "models/gold/twice.sql").write_text("SELECT status,\n  order_id AS status\nFROM silver.orders\n")
    found = {one["code"]: (one["line"], one["column"]) for one in type_("check", "--json").objects()}
    assert found["MP-2040"][0] == 2
    assert found["MP-2034"][0] in (1, 2)
