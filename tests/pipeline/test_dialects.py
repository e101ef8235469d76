"""A model in another dialect is a model like any other: incremental, judged row by row, with places of its own."""

from __future__ import annotations

from pathlib import Path

from millpond.testing import temporary_lake
from tests.cli.conftest import Type, type_

__all__ = ["type_"]

HEAD = "/*---\ndialect: bigquery\nkind: append\nkey: id\n---*/\n"
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\nvariables: {table: bronze.orders}\n",
    "seeds/orders.csv": "id,amount\n1,10\n2,x\n",
    "models/silver/orders.sql": HEAD + "SELECT id, doubled(CAST(amount AS INT64)) AS amount FROM ${table}",
    "macros/money.sql": "CREATE MACRO doubled(v) AS v * 2;\n",
}


def test_casts_and_macros_work_as_in_the_engines_own_dialect() -> None:
    """A failed cast is a verdict on its row, the model stays incremental, its input has its place."""
    with temporary_lake(PROJECT) as lake:
        lake.run()
        assert lake.rows("FROM silver.orders") == [{"id": "1", "amount": 20}]
        assert lake.rows("SELECT rule, value FROM quarantine.records") == [{"rule": "cast:amount", "value": "x"}]
        (model,) = lake.lakehouse.runner.graph().models
        assert model.incremental
        assert [str(reference.where).rsplit("/", 1)[-1] for reference in model.references] == ["orders.sql:6:58"]


def test_what_is_wrong_is_told_in_the_authors_words(type_: Type, tmp_path: Path) -> None:
    """A dialect that there is not, a column that there is not, and what has no counterpart."""
    files = {
        **PROJECT,
        "models/gold/a.sql": "/*---\ndialect: bigqery\n---*/\nSELECT 1 AS a",
        "models/gold/b.sql": "/*---\ndialect: bigquery\n---*/\nSELECT id,\n  `amout` FROM silver.orders",
        "models/gold/c.sql": "/*---\ndialect: bigquery\n---*/\nSELECT\n  ARRAY_AGG(id LIMIT 3) AS a FROM silver.orders",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("check", "--project", str(tmp_path), "--json")
    assert said.code == 2
    found = [(f["code"], Path(f["file"]).name, f["line"], f["column"], f["suggestion"]) for f in said.objects()]
    assert found == [
        ("MP-1008", "a.sql", 2, 10, "bigquery"),
        ("MP-2011", "b.sql", 5, 3, "amount"),
        ("MP-1311", "c.sql", 5, 3, None),
    ]
