"""Checks as front matter writes them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from millpond.core.names import TableName
from millpond.project.check import Check, CheckKind, CheckSeverity, Limit, Target
from millpond.project.findings import Findings
from millpond.project.model_file import read_model


def checks(folder: Path, text: str, on_fail: str = "quarantine") -> tuple[Check, ...]:
    """The checks of a model whose front matter has these lines under `checks:`."""
    path = folder / "m.sql"
    path.write_text(f"/*---\non_fail: {on_fail}\nchecks:\n{text}\n---*/\nSELECT 1 AS a", "utf-8")
    findings = Findings()
    model = read_model(path, TableName("silver", "m"), None, findings)
    assert findings.ordered() == ()
    assert model is not None
    return model.checks


def check(
    rule: str,
    kind: CheckKind,
    columns: tuple[str, ...],
    values: tuple[Any, ...],
    severity: CheckSeverity = "quarantine",
) -> Check:
    """A record to compare with; the place is not compared."""
    from_anywhere: Any = None
    return Check(kind, columns, values, severity, rule, from_anywhere)


def test_every_kind_becomes_a_flat_record(tmp_path: Path) -> None:
    """Kind, columns, values, severity and a stable name."""
    text = """
  - not_null: vehicle_id
  - in: {vehicle_type: [scooter, ebike]}
  - between: {battery: [0, 100]}
  - regex: {vehicle_id: '^[A-Z]{2}$'}
  - unique: [vehicle_id, ts]
  - sql: ' a < b '
"""
    assert checks(tmp_path, text) == (
        check("not_null:vehicle_id", "not_null", ("vehicle_id",), ()),
        check("in:vehicle_type", "in", ("vehicle_type",), ("scooter", "ebike")),
        check("between:battery", "between", ("battery",), (0, 100)),
        check("regex:vehicle_id", "regex", ("vehicle_id",), ("^[A-Z]{2}$",)),
        check("unique:vehicle_id,ts", "unique", ("vehicle_id", "ts"), (), "stop"),
        check("sql:efe1e5c7", "sql", (), ("a < b",)),
    )


def test_the_other_kinds_become_flat_records_too(tmp_path: Path) -> None:
    """Durations become seconds, shares numbers, and a distribution one check for each bound."""
    text = """
  - length: {code: 6, name: [1, null]}
  - type: {battery: "DECIMAL(10, 2)"}
  - relationship: {customer: silver.customers.id}
  - row_count: [1, null]
  - freshness: {ts: 36h}
  - completeness: {email: 99.5%}
  - sum_equals: {debit: credit, paid: gold.total.paid, n: 12}
    tolerance: 1%
  - distribution: {amount: {mean: [1, 2], quantile: {0.5: [1, null]}, share: {a b: [null, 50%]}}}
  - sql: "-- none below\\nSELECT * FROM silver.t WHERE a < 0"
    name: above
"""
    one = Limit(0.01, share=True)
    assert checks(tmp_path, text) == (
        check("length:code", "length", ("code",), (6, 6)),
        check("length:name", "length", ("name",), (1, None)),
        check("type:battery", "type", ("battery",), ("DECIMAL(10, 2)",)),
        check("relationship:customer", "relationship", ("customer",), (Target.parse("silver.customers.id"),)),
        check("row_count", "row_count", (), (1, None), "stop"),
        check("freshness:ts", "freshness", ("ts",), (36 * 3600,), "warn"),
        check("completeness:email", "completeness", ("email",), (0.995,), "stop"),
        check("sum_equals:debit", "sum_equals", ("debit",), ("credit", one), "stop"),
        check("sum_equals:paid", "sum_equals", ("paid",), (Target.parse("gold.total.paid"), one), "stop"),
        check("sum_equals:n", "sum_equals", ("n",), (12.0, one), "stop"),
        check("distribution:amount:mean", "distribution", ("amount",), ("mean", None, 1, 2), "warn"),
        check("distribution:amount:quantile(0.5)", "distribution", ("amount",), ("quantile", 0.5, 1, None), "warn"),
        check("distribution:amount:share(a b)", "distribution", ("amount",), ("share", "a b", None, 0.5), "warn"),
        check("sql:above", "sql", (), ("-- none below\nSELECT * FROM silver.t WHERE a < 0",), "stop"),
    )


@pytest.mark.parametrize(
    ("written", "limit"), [("1%", Limit(0.01, share=True)), ("0.5 %", Limit(0.005, share=True)), ("10", Limit(10))]
)
def test_a_threshold_is_a_number_or_a_share(tmp_path: Path, written: str, limit: Limit) -> None:
    """Of the rows that are judged."""
    (made,) = checks(tmp_path, f"  - not_null: a\n    max_failed: {written}")
    assert made.max_failed == limit
    assert limit.of(1000) == (limit.number * 1000 if limit.share else 10)


def test_a_relationship_never_stops_a_step(tmp_path: Path) -> None:
    """The row that it asks for may only be late, so that a model that stops on failures keeps the fact back."""
    (made,) = checks(tmp_path, "  - relationship: {a: silver.b.c}", on_fail="stop")
    assert made.severity == "quarantine"


def test_a_rule_on_several_columns_is_one_check_for_each(tmp_path: Path) -> None:
    """Each with its own verdict, at its own place."""
    made = checks(tmp_path, "  - not_null: [a, b]\n  - between: {a: [0, 1], b: [2, 3]}")
    assert [one.rule for one in made] == ["not_null:a", "not_null:b", "between:a", "between:b"]
    assert [(one.where.line, one.where.column) for one in made] == [(4, 16), (4, 19), (5, 15), (5, 26)]


def test_severity_is_the_checks_own_or_the_models(tmp_path: Path) -> None:
    """`unique` stops unless it says otherwise, whatever the model says."""
    text = (
        "  - not_null: a\n  - not_null: b\n    severity: stop\n  - unique: a\n  - unique: b\n    severity: quarantine"
    )
    assert [one.severity for one in checks(tmp_path, text, on_fail="warn")] == ["warn", "stop", "stop", "quarantine"]


def test_a_name_takes_the_place_of_the_columns(tmp_path: Path) -> None:
    """So that two checks of one kind on one column can be told apart."""
    text = """
  - between: {a: [0, 9]}
  - between: {a: [1, 8], b: [1, 8]}
    name: usual
  - sql: a < b
    name: ordered
  - not_null: a
    name: known
"""
    assert [one.rule for one in checks(tmp_path, text)] == [
        "between:a",
        "between:usual:a",
        "between:usual:b",
        "sql:ordered",
        "not_null:known",
    ]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("[0, 100]", (0, 100)),
        ("[-0.5, 1]", (-0.5, 1)),
        ("[2018-06-01, 2019-06-01]", (date(2018, 6, 1), date(2019, 6, 1))),
        ("[2018-06-01, 2018-06-01 10:00:00]", (date(2018, 6, 1), datetime(2018, 6, 1, 10))),
        ("['2018-06-01', '2019-06-01']", ("2018-06-01", "2019-06-01")),
        ("[5, 5]", (5, 5)),
    ],
)
def test_bounds_may_be_numbers_dates_timestamps_and_texts(
    tmp_path: Path, written: str, values: tuple[Any, ...]
) -> None:
    """As YAML gives them."""
    assert checks(tmp_path, f"  - between: {{a: {written}}}")[0].values == values


def test_bounds_in_two_zones_are_compared_as_moments(tmp_path: Path) -> None:
    """12:00+02:00 is before 11:00Z."""
    made = checks(tmp_path, "  - between: {a: [2018-06-01 12:00:00+02:00, 2018-06-01 11:00:00Z]}")
    assert [value.isoformat() for value in made[0].values] == ["2018-06-01T12:00:00+02:00", "2018-06-01T11:00:00+00:00"]


def test_rules_on_rows_and_rules_on_the_table_are_told_apart(tmp_path: Path) -> None:
    """An expression judges a row, a query a table."""
    text = "  - sql: a > 1\n  - unique: a\n  - sql: FROM silver.t\n  - sql: from_a > (SELECT 1)\n  - row_count: 5"
    assert [one.on_rows for one in checks(tmp_path, text)] == [True, False, False, True, False]
