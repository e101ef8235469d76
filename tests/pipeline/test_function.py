"""Python models in a lake: the same kinds, checks and ledger as SQL models have."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import ProjectError, RunError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake
from tests.cli.conftest import Type, type_

__all__ = ["type_"]

COLUMNS = {"id": "INTEGER", "at": "INTEGER", "team": "VARCHAR", "v": "INTEGER"}
KINDS: dict[str, dict[str, object]] = {
    "append": {"key": "id"},
    "upsert": {"key": "id", "order": "at"},
    "scd2": {"key": "id", "event_time": "at"},
    "aggregate": {"key": ["id", "at"]},
}
QUERY = "SELECT id::INTEGER AS id, at::INTEGER AS at, team, v::INTEGER AS v "
QUERY += "FROM bronze.rows CROSS JOIN (SELECT 1)"
"""A join hides which input row a row is, as a function does."""


def python(**said: object) -> str:
    """A model whose function gives its input, typed."""
    declared = ", ".join(f"{name}={value!r}" for name, value in said.items())
    return f"""import pyarrow as pa
import millpond

@millpond.model({declared}, inputs={{"rows": "bronze.rows"}}, columns={COLUMNS})
def same(rows):
    for batch in rows:
        names = {list(COLUMNS)}
        yield pa.RecordBatch.from_arrays(
            [batch[n] if n == "team" else batch[n].cast(pa.int32()) for n in names], names=names
        )
"""


def project() -> dict[str, str]:
    """Each kind twice: as a query, and as a function."""
    files = {"millpond.yaml": "version: 1\nname: shop\n"}
    files["sources/rows.yaml"] = "kind: files\npaths: [data/*.csv]\n"
    for kind, said in KINDS.items():
        checks = [{"between": {"v": [0, 9]}}]
        head = f"/*---\n{{kind: {kind}, checks: {checks}, {str(said)[1:-1]}}}\n---*/\n"
        files[f"models/silver/q_{kind}.sql"] = head + QUERY
        files[f"models/silver/p_{kind}.py"] = python(kind=kind, checks=checks, **said)
    return files


def test_a_function_makes_what_a_query_makes_by_each_keyed_kind() -> None:
    """Two deliveries with changed, late and bad rows: the same tables, the same ledgers, the same quarantine."""
    with temporary_lake(project()) as lake:
        for number, rows in enumerate(("1,10,a,1\n2,10,b,2\n3,11,b,99\n", "1,12,a,5\n2,9,c,4\n4,12,a,7\n")):
            lake.deliver(f"data/{number}.csv", "id,at,team,v\n" + rows)
            report = lake.run()
            assert report.failures == {}
            ledgers = {table.name: outcome.ledger for table, outcome in report.outcomes.items()}
            for kind in KINDS:
                assert ledgers[f"p_{kind}"] == ledgers[f"q_{kind}"], kind
                made = lake.rows(f"FROM silver.p_{kind} ORDER BY ALL")
                assert made
                assert made == lake.rows(f"FROM silver.q_{kind} ORDER BY ALL"), kind
        rejected = "SELECT rule, raw FROM quarantine.records WHERE model = 'silver.{}_{}' ORDER BY ALL"
        for kind in KINDS:
            assert lake.rows(rejected.format("p", kind)) == lake.rows(rejected.format("q", kind)), kind


def one(body: str, **more: str) -> dict[str, str]:
    """A project with one function of this body over a seed."""
    return {
        "millpond.yaml": "version: 1\nname: shop\n",
        "seeds/rows.csv": "id,v\n1,2\n2,3\n",
        "lib/rates.py": "RATE = 10\n",
        "models/gold/m.py": "import millpond\nimport pyarrow as pa\n\n"
        '@millpond.model(inputs={"rows": "bronze.rows"}, columns={"id": "INTEGER", "v": "BIGINT"})\n'
        f"def m(rows):\n    {body}\n",
        **more,
    }


GIVES = "from lib.rates import RATE\n    yield pa.record_batch({'v': [RATE, 2], 'id': ['1', '2']})"


def failure(lake: TemporaryLake) -> tuple[str, str, int]:
    """Code, file and line of what made the one model fail."""
    (failed,) = lake.run().failures.values()
    where = failed.finding.where
    assert isinstance(failed, ProjectError)
    assert where is not None
    return failed.code, where.path.name, where.line


def test_rows_have_the_declared_columns_and_types_and_a_changed_function_is_a_changed_model() -> None:
    """Columns by name; a comment changes nothing; the input of every column is all of what is read."""
    with temporary_lake(one(GIVES)) as lake:
        lake.run()
        assert lake.rows("FROM gold.m ORDER BY id") == [{"id": 1, "v": 10}, {"id": 2, "v": 2}]
        lake.write("models/gold/m.py", one(GIVES)["models/gold/m.py"] + "# the end\n")
        assert lake.lakehouse.runner.plan().steps == ()
        lake.write("models/gold/m.py", one(GIVES.replace("2]", "3]"))["models/gold/m.py"])
        with pytest.raises(RunError, match=r"changed since its table was built \(function\)"):
            lake.run()
        lake.run(rebuild=("gold.m",))
        assert lake.rows("SELECT v FROM gold.m WHERE id = 2") == [{"v": 3}]
        lake.write("models/gold/m.py", one("return iter(())")["models/gold/m.py"])
        lake.run(rebuild=("gold.m",))
        assert lake.rows("FROM gold.m") == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return rows.\\\n        nothing", ("MP-1315", "m.py", 7)),
        ("import os\n    os.kill(os.getpid(), 9)", ("MP-1315", "m.py", 0)),
        ("raise SystemExit(0)", ("MP-1315", "m.py", 0)),
        ("return 5", ("MP-1314", "m.py", 0)),
        ("return pa.table({'id': [1]})", ("MP-1314", "m.py", 4)),
        ("return pa.table({'id': [1], 'v': [1], 'w': [1]})", ("MP-1314", "m.py", 4)),
    ],
)
def test_what_fails_in_a_function_is_told_and_nothing_is_changed(body: str, expected: tuple[str, str, int]) -> None:
    """An exception at the author's line, a process that ends, rows that are none, columns that are others."""
    with temporary_lake(one(body)) as lake:
        assert failure(lake) == expected
        assert lake.lakehouse.catalog.find(TableName("gold", "m")) is None


def test_check_runs_no_function_and_knows_its_columns(type_: Type, tmp_path: Path) -> None:
    """A model that reads it is checked by what is declared; types and tables that there are not have their places."""
    body = f"open({str(tmp_path / 'ran')!r}, 'w')"
    files = one(body, **{"models/gold/n.sql": "SELECT id, w FROM gold.m"})
    files["models/gold/o.py"] = files["models/gold/m.py"].replace("bronze.rows", "bronze.rws")
    files["models/gold/p.py"] = files["models/gold/m.py"].replace("BIGINT", "BIGNIT")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("check", "--project", str(tmp_path), "--json").objects()
    found = [(f["code"], Path(f["file"]).name, f["line"], f["column"], f["suggestion"]) for f in said]
    assert found == [
        ("MP-2011", "n.sql", 1, 12, "id"),
        ("MP-2010", "o.py", 4, 33, "bronze.rows"),
        ("MP-2011", "p.py", 4, 80, None),
    ]
    assert not (tmp_path / "ran").exists()


def test_a_test_tries_a_function_without_a_lake(type_: Type, tmp_path: Path) -> None:
    """Given rows go in, and what comes out is compared."""
    body = "t = rows.read_all()\n    return pa.table({'id': t['id'].cast('int32'), 'v': t['v'].cast('int64')})"
    test = "model: gold.m\ngiven:\n  bronze.rows: [{id: 7, v: 1}]\nexpect: [{id: 7, v: 1}]\n"
    for name, text in one(body, **{"tests/m.yaml": test}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = type_("test", "--project", str(tmp_path))
    assert (said.code, "1 test passed" in said.out) == (0, True), said
