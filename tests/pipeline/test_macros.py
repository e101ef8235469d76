"""Macros in models and checks: expanded before anything is proved, so that all else holds as for plain SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import FindingsError, RunError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake
from tests.cli.conftest import Type, type_

__all__ = ["type_"]

MACRO = "CREATE MACRO cents(amount, factor := 100) AS CAST(amount AS INT) * factor;\n"
RULES = "CREATE MACRO sane(v) AS v BETWEEN 0 AND 5000;\nCREATE MACRO recent(n) AS TABLE FROM bronze.orders LIMIT n;\n"
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "seeds/orders.csv": "id,amount\n1,10\n2,x\n3,99\n",
    "models/silver/orders.sql": "/*---\nkind: append\nkey: id\nchecks:\n  - sql: sane(cents)\n---*/\n"
    "SELECT id, cents(amount) AS cents FROM bronze.orders",
    "macros/money.sql": MACRO,
    "macros/rules/all.sql": RULES,
}


def orders(lake: TemporaryLake) -> list[tuple[str, int]]:
    """What the model made."""
    return [(row["id"], row["cents"]) for row in lake.rows("FROM silver.orders ORDER BY id")]


def rejected(lake: TemporaryLake) -> list[str]:
    """The rules that rows broke."""
    return [
        row["rule"]
        for row in lake.rows("SELECT split_part(rule, ':', 1) AS rule FROM quarantine.records ORDER BY rule")
    ]


def test_casts_and_checks_in_macros_judge_rows_as_written_out() -> None:
    """A row whose cast fails inside a macro goes to quarantine; the model stays incremental, its input known."""
    with temporary_lake(PROJECT) as lake:
        lake.run()
        assert orders(lake) == [("1", 1000)]
        assert rejected(lake) == ["cast", "sql"]
        (model,) = lake.lakehouse.runner.graph().models
        assert (model.incremental, model.inputs) == (True, (TableName("bronze", "orders"),))


def test_a_macro_that_changes_builds_its_models_again() -> None:
    """The definition is what the macro says; a comment in it changes nothing."""
    with temporary_lake(PROJECT) as lake:
        lake.run()
        lake.write("macros/money.sql", "-- to cents\n" + MACRO)
        assert [step.table.name for step in lake.lakehouse.runner.plan().steps] == []
        for path, text, expected in (
            ("macros/money.sql", MACRO.replace("100", "10"), [("1", 100), ("3", 990)]),
            ("macros/rules/all.sql", RULES.replace("5000", "500"), [("1", 100)]),
        ):
            lake.write(path, text)
            with pytest.raises(RunError, match="changed since its table was built"):
                lake.run()
            lake.run(rebuild=("silver.orders",))
            assert orders(lake) == expected


def test_what_is_wrong_is_told_in_the_file_of_the_macro(type_: Type, tmp_path: Path) -> None:
    """A function that there is not, a table that there is not, and a circle; no model that calls them is blamed."""
    files = {
        **PROJECT,
        "macros/bad.sql": "CREATE MACRO odd(a) AS\n  sqroot(a);\nCREATE MACRO no(n) AS TABLE FROM bronze.ordrs;\n"
        "CREATE MACRO f(a) AS f(a);\n",
        "models/gold/a.sql": "SELECT odd(1) AS a",
        "models/gold/b.sql": "SELECT f(id) AS a FROM no(1)",
        "models/gold/c.sql": "SELECT id FROM no(1)",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("check", "--project", str(tmp_path), "--json")
    assert said.code == 2
    assert [(f["code"], Path(f["file"]).name, f["line"], f["column"]) for f in said.objects()] == [
        ("MP-2011", "bad.sql", 2, 3),
        ("MP-2010", "bad.sql", 3, 34),
        ("MP-1307", "bad.sql", 4, 22),
    ]
    assert "in the query of gold.a" in said.objects()[0]["message"]
    assert type_("run", "--project", str(tmp_path)).code == 2


def test_a_query_needs_macros_alone_to_be_right(type_: Type) -> None:
    """`millpond query` calls macros though a model is broken; a macro's unknown variable matters where it is called."""
    with temporary_lake(PROJECT) as lake:
        lake.run()
        lake.write("models/gold/broken.sql", "SELEC")
        lake.write("macros/more.sql", "CREATE MACRO v(a) AS ${nowhere};")
        with pytest.raises(FindingsError) as wrong:
            lake.run()
        assert {finding.code for finding in wrong.value.findings} >= {"MP-1010"}
        lake.close()
        asked = ("query", "--project", str(lake.folder), "--json")
        assert type_(*asked, "SELECT cents(id) FROM silver.orders").objects() == [{"cents(id)": 100}]
        (told,) = type_(*asked, "SELECT v(id) FROM silver.orders").objects()
        assert (Path(told["file"]).name, told["line"], told["column"]) == ("more.sql", 1, 22)
