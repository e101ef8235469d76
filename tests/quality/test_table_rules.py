"""Checks on tables: what follows from what was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.project.check import Check, CheckKind, Limit, Target
from millpond.quality.table_rules import EXACT, expressions, judge, measured, recent
from millpond.quality.verdicts import outcome

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TABLE = TableName("silver", "t")
NONE, ONE = Limit(0.0), Limit(0.01, share=True)


def check(kind: CheckKind, *values: object, column: str = "x") -> Check:
    """A check of one column."""
    return Check(kind, (column,) if kind != "row_count" else (), values, "stop", kind, Location(Path("/m.sql")))


@pytest.mark.parametrize(
    ("asked", "answer", "holds"),
    [
        (check("row_count", 1, 5), (5,), True),
        (check("row_count", 1, 5), (0,), False),
        (check("row_count", None, 5), (6,), False),
        (check("completeness", 0.5), (10, 5), True),
        (check("completeness", 0.51), (10, 5), False),
        (check("completeness", 1.0), (0, 0), True),
        (check("sum_equals", 5.0, NONE), (Decimal("5.00"),), True),
        (check("sum_equals", 0.0, NONE), (None,), True),
        (check("sum_equals", "y", NONE), (Decimal("5.00"), Decimal("5.01")), False),
        (check("sum_equals", "y", Limit(0.01)), (Decimal("5.00"), Decimal("5.01")), True),
        (check("sum_equals", Target(TABLE, "y"), ONE), (100.0, 101.5), False),
        (check("sum_equals", Target(TABLE, "y"), ONE), (100.0, 100.5), True),
        (check("sum_equals", "y", NONE), (0.1 + 0.2, 0.3), True),
        (check("sum_equals", "y", NONE), (float("nan"), 0.3), False),
        (check("distribution", "mean", None, 1, 2), (Decimal("2.0"),), True),
        (check("distribution", "mean", None, 1, 2), (2.01,), False),
        (check("distribution", "mean", None, 1, 2), (None,), True),
        (check("distribution", "share", "a", 0.5, None), (1, 2), True),
        (check("distribution", "share", "a", 0.5, None), (1, 3), False),
        (check("distribution", "share", "a", 0.5, None), (0, 0), True),
        (check("freshness", 86400), (datetime(2026, 1, 1, 12),), True),
        (check("freshness", 86400), (datetime(2026, 1, 1, 11, 59, 59),), False),
        (check("freshness", 86400), (None,), False),
        (check("freshness", 86400), (datetime(2030, 1, 1),), True),
    ],
)
def test_a_check_holds_within_its_bounds(asked: Check, answer: tuple[Any, ...], holds: bool) -> None:
    """Both bounds belong to the range, nothing to measure is no failure, and decimals are compared exactly."""
    assert judge(asked, answer, NOON).holds is holds


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DATE", "VARCHAR"])
def test_freshness_takes_every_type_that_holds_a_time(kind: str) -> None:
    """In UTC, whatever the session's zone; the shortcut finds the newest time where it is young enough."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Asia/Tokyo'")
        con.execute("ATTACH ':memory:' AS lake")
        con.execute("CREATE SCHEMA lake.silver")
        con.execute(f"CREATE TABLE lake.silver.t (x {kind})")
        zone = "+00" if "ZONE" in kind else ""
        con.execute(
            f"INSERT INTO lake.silver.t VALUES ('2026-01-01 00:00:00{zone}'), ('2026-01-02 00:00:00{zone}'), (NULL)"
        )
        schema = Schema((Column("x", kind),))
        for seconds, young in ((12 * 3600, True), (12 * 3600 - 1, False)):
            asked = check("freshness", seconds)
            (whole,) = con.execute(measured(TABLE, expressions(asked, schema))).fetchone() or ()
            (short,) = con.execute(recent(asked, TABLE, schema, NOON)).fetchone() or ()
            assert whole == datetime(2026, 1, 2)
            assert short == (whole if young else None)
            assert judge(asked, (whole,), NOON).holds is young


def test_quantiles_of_very_large_tables_are_estimated() -> None:
    """An exact one would hold every value in memory."""
    asked = check("distribution", "quantile", 0.5, 1, 2)
    assert expressions(asked, Schema(()), EXACT)[0].startswith("quantile_cont")
    assert expressions(asked, Schema(()), EXACT + 1)[0].startswith("approx_quantile")


def test_texts_in_measures_are_quoted() -> None:
    """Values and columns of any spelling."""
    schema = Schema((Column('a"b', "VARCHAR"),))
    asked = check("distribution", "share", "it's", 0, 1, column='a"b')
    row = duckdb.execute(
        f"SELECT {', '.join(expressions(asked, schema))} FROM (SELECT 'it''s' AS \"a\"\"b\")"
    ).fetchone()
    assert row == (1, 1)


def test_few_failures_are_borne_and_many_stop() -> None:
    """A share counts of what was judged."""
    assert outcome("quarantine", None, 0, 10) == "pass"
    assert outcome("quarantine", ONE, 1, 100) == "quarantine"
    assert outcome("quarantine", ONE, 2, 100) == "stop"
    assert outcome("stop", Limit(1), 1, 100) == "warn"
    assert outcome("warn", Limit(0), 1, 100) == "stop"
