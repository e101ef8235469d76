"""Macros of a person's statement: what they say goes through the guard like all else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millpond.core.errors import MillpondError
from millpond.testing import TemporaryLake, temporary_lake

MACROS = """CREATE MACRO taxed(price, share := ${taxes}) AS price * (100 + share) / 100.0;
CREATE MACRO strict(price) AS
  CAST(price AS INT);
CREATE MACRO text(name) AS TABLE SELECT * FROM read_text(name);
CREATE MACRO setting(name) AS current_setting(name);
CREATE MACRO dear(least) AS TABLE SELECT name FROM silver.items WHERE price >= least;
CREATE MACRO came(since) AS TABLE SELECT name FROM changes('silver.items', since => since);
CREATE MACRO peek(a) AS TABLE SELECT * FROM state.silver__items;
"""
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\nvariables: {taxes: '20'}\n",
    "seeds/items.csv": "name,price\npen,10\ncup,x\n",
    "models/silver/items.sql": "SELECT name, TRY_CAST(price AS INT) AS price FROM bronze.items",
    "macros/money.sql": MACROS,
}


@pytest.fixture(scope="module")
def lake() -> Iterator[TemporaryLake]:
    """A lake with its tables, and with a macro that is wrong."""
    with temporary_lake(PROJECT) as made:
        made.run()
        made.write("macros/wrong.sql", "CREATE MACRO wrong(a) AS b;\n")
        yield made


def test_a_statement_calls_macros_of_both_kinds(lake: TemporaryLake) -> None:
    """Columns are called what was typed, and the statement is written down as it was asked."""
    sql = "SELECT taxed(price), taxed(price, share := 0) AS net FROM silver.items WHERE name IN (FROM dear(5))"
    assert lake.rows(sql) == [{"taxed(price)": 12.0, "net": 10.0}]
    assert {row["name"] for row in lake.rows("FROM came(0)")} == {"pen", "cup"}


def test_a_statement_may_make_a_surrogate_key(lake: TemporaryLake) -> None:
    """It is there without a file that says it."""
    rows = lake.rows("SELECT surrogate_key(name, 'bc') AS k FROM (SELECT 'a' AS name)")
    assert rows == [{"k": "8a7d22c8204c8d23ca1da728c29313ad"}]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("FROM text('/etc/passwd')", ("MP-8006", "money.sql", 4, 48)),
        ("SELECT setting('home_directory')", ("MP-8006", "money.sql", 5, 31)),
        ("FROM peek(1)", ("MP-8004", "money.sql", 8, 45)),
        ("SELECT taxed((SELECT 1 FROM read_text('x')))", ("MP-8006", "<query>", 1, 29)),
        ("SELECT taxed(prize)\nFROM silver.items", ("MP-4001", "<query>", 1, 14)),
        ("SELECT strict(price) FROM bronze.items", ("MP-4002", "money.sql", 3, 3)),
        ("SELECT taxed(price), x FROM bronze.itms", ("MP-8005", "<query>", 1, 29)),
        ("SELECT taxed()", ("MP-1309", "<query>", 1, 8)),
        ("SELECT wrong(1)", ("MP-1308", "wrong.sql", 1, 26)),
        ("SELECT taxed(1) FROM", ("MP-8001", "<query>", 1, 21)),
        ("DELETE FROM silver.items WHERE taxed(price) > 1", ("MP-8002", "<query>", 1, 0)),
    ],
)
def test_a_macro_opens_no_door(lake: TemporaryLake, sql: str, expected: tuple[str, str, int, int]) -> None:
    """What a statement may not do, a macro may not do for it; the place is where the word stands."""
    with pytest.raises(MillpondError) as refused:
        lake.rows(sql)
    where = refused.value.finding.where
    assert where is not None
    assert (refused.value.code, where.path.name, where.line, where.column) == expected
