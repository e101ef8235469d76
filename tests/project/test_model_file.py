"""A model's file as a record."""

from __future__ import annotations

from pathlib import Path

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.findings import Findings
from millpond.project.model import ColumnNotes, Model, Partition
from millpond.project.model_file import read_model
from millpond.project.sql_file import Shift
from millpond.project.variables import Declaration, Variables

TABLE = TableName("silver", "m")


def read(folder: Path, text: str, **values: str) -> Model:
    """A model in which nothing is wrong."""
    path = folder / "m.sql"
    path.write_bytes(text.encode())
    findings = Findings()
    declared = {name: Declaration(value, Location(path)) for name, value in values.items()}
    model = read_model(path, TABLE, Variables({}, {}, declared, findings), findings)
    assert findings.ordered() == ()
    assert model is not None
    return model


def test_a_bare_query_is_a_model(tmp_path: Path) -> None:
    """It replaces its table at each run."""
    model = read(tmp_path, "SELECT 1 AS a")
    assert model == Model(TABLE, "replace", tmp_path / "m.sql", "SELECT 1 AS a")
    assert model.place() == Location(tmp_path / "m.sql")


def test_front_matter_fills_the_record(tmp_path: Path) -> None:
    """Every key has its field."""
    text = """/*---
kind: append
key: [a, b]
partition: [day(ts), bucket(16, a), "truncate(4, b)"]
on_fail: warn
columns:
  a: {description: first, pii: email, tags: [x]}
  b:
description: rows
tags: daily
---*/
SELECT 1 AS a"""
    model = read(tmp_path, text)
    assert (model.kind, model.key, model.on_fail, model.description) == ("append", ("a", "b"), "warn", "rows")
    assert model.partition == (Partition("ts", "day"), Partition("a", "bucket", 16), Partition("b", "truncate", 4))
    assert model.columns == {"a": ColumnNotes("first", "email", ("x",)), "b": ColumnNotes()}
    assert model.tags == ("daily",)
    assert model.sql.count("\n") == text.count("\n")
    assert model.sql.strip() == "SELECT 1 AS a"


def test_a_single_column_needs_no_brackets(tmp_path: Path) -> None:
    """`key: id` is `key: [id]`, and its place is found by either name."""
    model = read(tmp_path, "/*---\nkind: append\nkey: id\npartition: day(ts)\n---*/\nSELECT 1")
    assert (model.key, model.partition) == (("id",), (Partition("ts", "day"),))
    assert model.place("key.0") == model.place("key") == Location(tmp_path / "m.sql", 3, 6, 2)
    assert model.place("key.0.nothing") == model.place("key")
    assert model.place("description") == Location(tmp_path / "m.sql")


def test_variables_are_replaced_in_front_matter_and_sql(tmp_path: Path) -> None:
    """A number stays a number in a check; the columns of SQL lead back to the author's."""
    text = "/*---\nchecks:\n  - between: {a: [0, 9]}\n  - in:\n      b:\n        - ${n}\n---*/\nSELECT '${long}' AS b"
    model = read(tmp_path, text, n="7", long="a long value")
    assert model.checks[1].values == (7,)
    assert model.sql.endswith("SELECT 'a long value' AS b")
    assert model.shifts == (Shift(8, 9, 7, 12),)
    assert model.file.authored(Location(model.path, 8, 23)) == Location(model.path, 8, 18)
    assert model.file.authored(Location(model.path, 8, 12)) == Location(model.path, 8, 9, 7)
    assert model.file.authored(Location(model.path, 7, 23)) == Location(model.path, 7, 23)


def test_windows_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path: Path) -> None:
    """The same record."""
    text = "/*---\nkind: append\nkey: [a]\n---*/\nSELECT 1 AS a\n"
    assert read(tmp_path, "\ufeff" + text.replace("\n", "\r\n")) == read(tmp_path, text)


def test_tabs_in_sql_are_kept(tmp_path: Path) -> None:
    """They count as one column each."""
    assert read(tmp_path, "SELECT\n\t1 AS a").sql == "SELECT\n\t1 AS a"


def test_nothing_is_said_of_what_belongs_to_a_kind_that_is_none(tmp_path: Path) -> None:
    """One word is wrong, and one finding says so."""
    path = tmp_path / "m.sql"
    path.write_text("/*---\nkind: upsertt\nkey: a\norder: b\n---*/\nSELECT 1 AS a, 2 AS b", encoding="utf-8")
    findings = Findings()
    read_model(path, TABLE, Variables({}, {}, {}, findings), findings)
    assert [(found.code, found.suggestion) for found in findings.ordered()] == [("MP-1008", "upsert")]
