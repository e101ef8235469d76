"""Checks as front matter writes them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from millpond.core.names import TableName
from millpond.project.check import Check, CheckKind, CheckSeverity
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
    """Only `unique` needs more than one row."""
    assert [one.on_rows for one in checks(tmp_path, "  - sql: a > 1\n  - unique: a")] == [True, False]
