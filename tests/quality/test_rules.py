"""Checks as SQL: which rows fail, on plain DuckDB."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.check import Check, CheckKind
from millpond.project.model import Model
from millpond.quality.rules import NULL_KEY, row_rules

HERE = Location(Path("/m.sql"))


def failing(kind: CheckKind, values: tuple[object, ...], rows: str, column: str = "x") -> list[object]:
    """The values of `x` that fail one check over the rows of a VALUES list."""
    check = Check(kind, (column,) if kind != "sql" else (), values, "quarantine", f"{kind}:{column}", HERE)
    model = Model(TableName("silver", "t"), "replace", Path("/m.sql"), "", checks=(check,))
    (rule,) = row_rules(model, ())
    found = duckdb.execute(f"SELECT x FROM (VALUES {rows}) AS t(x) WHERE {rule.failing} ORDER BY x").fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize(
    ("kind", "values", "rows", "bad"),
    [
        ("not_null", (), "(1), (NULL)", [None]),
        ("in", ("a", "b"), "('a'), ('c'), (NULL)", ["c"]),
        ("in", (1, 2), "(1), (3)", [3]),
        ("in", ("it's",), "('it''s'), ('x')", ["x"]),
        ("between", (0, 100), "(-1), (0), (100), (101), (NULL)", [-1, 101]),
        ("between", (0, None), "(-1), (0), (1000000)", [-1]),
        ("between", (0.5, 1.5), "(0.4::DOUBLE), (0.5), (1.6)", [0.4, 1.6]),
        ("between", (date(2018, 6, 1), None), "(DATE '2018-05-31'), (DATE '2018-06-01')", [date(2018, 5, 31)]),
        (
            "between",
            (datetime(2018, 6, 1), datetime(2018, 6, 2)),
            "(TIMESTAMP '2018-06-01 12:00:00'), (TIMESTAMP '2018-06-02 00:00:01')",
            [datetime(2018, 6, 2, 0, 0, 1)],
        ),
        ("regex", (r"^[A-Z]{2}\d{6}$",), "('AB123456'), ('AB12345'), ('xAB123456'), (NULL)", ["AB12345", "xAB123456"]),
        ("sql", ("x % 2 = 0",), "(1), (2), (NULL)", [1]),
    ],
)
def test_a_check_fails_the_rows_it_should(
    kind: CheckKind, values: tuple[object, ...], rows: str, bad: list[object]
) -> None:
    """Bounds belong to the range, NULL fails nothing but not_null, text is quoted."""
    assert failing(kind, values, rows) == bad


def test_null_in_a_key_is_judged_before_the_checks() -> None:
    """An append model's key is checked without being asked, and named first."""
    check = Check("not_null", ("k",), (), "warn", "not_null:k", HERE)
    model = Model(TableName("silver", "t"), "append", Path("/m.sql"), "", key=("k",), checks=(check,))
    assert [rule.name for rule in row_rules(model, ())] == [NULL_KEY, "not_null:k"]


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("between", (0, 100), "x is not between 0 and 100"),
        ("between", (0, None), "x is not at least 0"),
        ("between", (None, 5), "x is not at most 5"),
        ("length", (2, None), "the length of x is not at least 2"),
    ],
)
def test_a_reason_names_the_ends_that_there_are(kind: CheckKind, values: tuple[object, ...], reason: str) -> None:
    """A range that is open is told by its one end."""
    check = Check(kind, ("x",), values, "quarantine", f"{kind}:x", HERE)
    model = Model(TableName("silver", "t"), "replace", Path("/m.sql"), "", checks=(check,))
    assert [rule.reason for rule in row_rules(model, ())] == [reason]
