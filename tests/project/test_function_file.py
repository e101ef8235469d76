"""Python models: what they declare is read from their text, and told wrong at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import FindingsError, Location
from millpond.core.names import TableName
from millpond.project.loader import load
from millpond.project.model import ColumnNotes, Model

GOOD = '''"""Scores."""
import millpond

raise SystemExit("nothing of this file is run when it is read")

@millpond.model(
    kind="upsert", key=["id"], order="at",
    inputs={"orders": "silver.orders", "dé": "bronze.orders"},
    columns={"id": "BIGINT", "at": {"type": "TIMESTAMP", "nullable": False}},
    checks=[{"between": {"id": [-1, 9.5]}}, {"not_null": "at"}],
    on_fail="warn",
)
def scores(orders, dé):
    # a comment
    return orders
'''


def read(folder: Path, text: str) -> Model:
    """The one model of a project."""
    (folder / "models/gold").mkdir(parents=True, exist_ok=True)
    (folder / "millpond.yaml").write_text("version: 1\nname: shop\n")
    (folder / "models/gold/scores.py").write_text(text)
    (folder / "models/gold/_shared.py").write_text("RATE = 2\n")
    (model,) = load(folder, environ={}).models
    return model


def test_a_declaration_is_a_models_front_matter(tmp_path: Path) -> None:
    """Kind, key, checks and columns are as in YAML; a type alone stands for a column; all have their places."""
    model = read(tmp_path, GOOD)
    assert (model.table, model.kind, model.key, model.order) == (
        TableName("gold", "scores"),
        "upsert",
        ("id",),
        ("at",),
    )
    assert model.columns == {"id": ColumnNotes(type="BIGINT"), "at": ColumnNotes(type="TIMESTAMP", nullable=False)}
    assert [(check.rule, check.severity, check.values) for check in model.checks] == [
        ("between:id", "warn", (-1, 9.5)),
        ("not_null:at", "warn", ()),
    ]
    assert model.function is not None
    assert model.function.name == "scores"
    assert model.function.inputs == (("orders", TableName("silver", "orders")), ("dé", TableName("bronze", "orders")))
    assert model.place("inputs.dé") == Location(model.path, 8, 46, 15)
    assert model.place("columns.id.type") == Location(model.path, 9, 20, 8)


def test_layout_and_declaration_are_no_part_of_the_functions_text(tmp_path: Path) -> None:
    """The text changes with what the code does, and with nothing else."""
    first = read(tmp_path, GOOD).function
    same = read(
        tmp_path, GOOD.replace("# a comment", "# another\n").replace('on_fail="warn"', 'on_fail="stop"')
    ).function
    other = read(tmp_path, GOOD.replace("return orders", "return dé")).function
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.text == same.text != other.text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return orders", "return orders)", ("MP-1312", 15, 18)),
        ("@millpond.model(", "@other(", ("MP-1312", 1, 0)),
        ("# a comment", "pass\n\n@millpond.model()\ndef second():", ("MP-1312", 16, 0)),
        ('kind="upsert"', '"upsert"', ("MP-1312", 7, 5)),
        ('key=["id"]', "**KEYS", ("MP-1312", 7, 22)),
        ('key=["id"]', 'key=["id" + "x"]', ("MP-1312", 7, 25)),
        ('"id": "BIGINT"', 'ID: "BIGINT"', ("MP-1312", 9, 14)),
        ('"id": "BIGINT"', '"id": {}', ("MP-1313", 9, 14)),
        ('columns={"id": "BIGINT", "at": {"type": "TIMESTAMP", "nullable": False}},', "", ("MP-1313", 6, 2)),
        ('"silver.orders"', '"orders"', ("MP-1313", 8, 23)),
        ('"orders": "silver.orders", ', "", ("MP-1313", 8, 5)),
        ("def scores(orders, dé)", "def scores(dé)", ("MP-1313", 8, 13)),
        ('on_fail="warn"', 'dialect="spark"', ("MP-1313", 11, 5)),
        ('on_fail="warn"', 'onfail="warn"', ("MP-1006", 11, 5)),
        ('kind="upsert"', 'kind="upsrt"', ("MP-1008", 7, 10)),
    ],
)
def test_faults_of_a_declaration_are_told_at_line_and_column(
    tmp_path: Path, old: str, new: str, expected: tuple[str, int, int]
) -> None:
    """What is no Python, not written out, or does not fit the function."""
    assert old in GOOD
    with pytest.raises(FindingsError) as wrong:
        read(tmp_path, GOOD.replace(old, new))
    found = [(f.code, f.where.line, f.where.column) for f in wrong.value.findings if f.where]
    assert found == [expected]


def test_a_table_is_made_by_one_file(tmp_path: Path) -> None:
    """A SQL and a Python file of one name are two makers."""
    read(tmp_path, GOOD)
    (tmp_path / "models/gold/scores.sql").write_text("SELECT 1 AS id")
    with pytest.raises(FindingsError) as wrong:
        load(tmp_path, environ={})
    assert {finding.code for finding in wrong.value.findings} == {"MP-1018"}
