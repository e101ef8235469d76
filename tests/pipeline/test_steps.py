"""Steps on small lakes: awkward names and values, inputs that change shape, tables of others."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from millpond.catalog.commits import Commit
from millpond.core.errors import RunError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.pipeline.validation import validate
from millpond.testing import TemporaryLake, temporary_lake

BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/o.yaml": "kind: files\npaths: ['data/*.csv']\non_change: replace\nsettle_seconds: 0\n",
}


def model(sql: str, kind: str = "append", key: str = "id", more: str = "") -> str:
    """A model's file."""
    keyed = f"key: [{key}]\n" if key else ""
    return f"/*---\nkind: {kind}\n{keyed}{more}---*/\n{sql}\n"


def run(lake: TemporaryLake, **files: str) -> None:
    """Deliver some files and run; every step must end well."""
    for name, text in files.items():
        lake.deliver(f"data/{name}.csv", text)
    report = lake.run()
    assert report.ok, report.failures


def test_columns_may_be_called_as_the_staging_relations_words_are() -> None:
    """rank, copy, change and the like are the author's to use, in payloads and keys."""
    sql = "SELECT id, rank::INT AS rank, copy, change FROM bronze.o"
    gold = model("SELECT change, count(*) AS n FROM silver.o GROUP BY change", "aggregate", "change")
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql), "models/gold/c.sql": gold}) as lake:
        run(lake, a="id,rank,copy,change\n1,5,7,x\n1,5,7,x\n2,1,9,y\n")
        run(lake, b="id,rank,copy,change\n3,2,2,y\n3,2,2,y\n")
        assert lake.rows("SELECT id, rank FROM silver.o ORDER BY id") == [
            {"id": "1", "rank": 5},
            {"id": "2", "rank": 1},
            {"id": "3", "rank": 2},
        ]
        assert lake.rows("SELECT * FROM gold.c ORDER BY ALL") == [{"change": "x", "n": 1}, {"change": "y", "n": 2}]


def test_names_of_the_staging_relations_are_refused() -> None:
    """The one reserved prefix is told before anything is built."""
    with temporary_lake({**BASE, "models/silver/o.sql": model("SELECT id, id AS _mp_reject FROM bronze.o")}) as lake:
        lake.deliver("data/a.csv", "id\n1\n")
        failed = lake.run().failures[TableName("silver", "o")]
        assert failed.code == "MP-2006"


@pytest.mark.parametrize(
    ("kind", "sql", "place", "meant"),
    [
        ("append", "SELECT id,\n  staus AS s FROM bronze.o", (6, 3), "status"),
        ("replace", "SELECT id,\n  o.staus FROM bronze.o AS o", (6, 3), "status"),
        ("aggregate", "SELECT id, summ(1) AS n\nFROM bronze.o GROUP BY id", (5, 12), "sum"),
        ("append", "SELECT id,\n  trim(staus) AS staus FROM bronze.o", (6, 8), "status"),
        ("view", "SELECT id,\n  staus AS s FROM bronze.o", (5, 3), "status"),
        ("replace", "SELECT id, p.status FROM bronze.o AS o", (5, 12), "o"),
    ],
)
def test_a_first_run_tells_where_a_query_is_wrong(kind: str, sql: str, place: tuple[int, int], meant: str) -> None:
    """Nothing knew the columns before the file was read: the step tells it as `check` does from then on."""
    key = "" if kind == "view" else "id"
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql, kind, key)}) as lake:
        lake.deliver("data/a.csv", "id,status\n1,x\n")
        told = lake.run().failures[TableName("silver", "o")].finding
        assert told.where is not None
        assert (told.code, told.suggestion) == ("MP-2011", meant)
        assert (told.where.path.name, told.where.line, told.where.column) == ("o.sql", *place)
        (failed,) = (event for event in lake.events if event.name == "step_failed")
        assert failed.fields["suggestion"] == meant
        known = {TableName("bronze", "o"): Schema((Column("id", "VARCHAR"), Column("status", "VARCHAR")))}
        assert validate(lake.lakehouse.project, lake.lakehouse.engine, known) == (told,)


def test_what_stands_on_a_table_made_anew_is_made_anew() -> None:
    """A replaced table that gets other columns takes its old rows away downstream as well."""
    files = {
        **BASE,
        "models/silver/o.sql": model(
            "SELECT * EXCLUDE (_load) FROM bronze.o WHERE d = (SELECT max(d) FROM bronze.o)", "replace", ""
        ),
        "models/gold/b.sql": model("SELECT id, d FROM silver.o"),
        "models/gold/c.sql": model("SELECT d, count(*) AS n FROM silver.o GROUP BY d", "aggregate", "d"),
    }
    with temporary_lake(files) as lake:
        run(lake, a="id,d\n1,2026-01-01\n2,2026-01-01\n")
        run(lake, b="id,d,w\n3,2026-01-02,x\n")
        assert lake.rows("SELECT id FROM gold.b") == [{"id": "3"}]
        assert lake.rows("SELECT d, n FROM gold.c") == [{"d": "2026-01-02", "n": 1}]


def test_a_replaced_file_opens_its_own_rejects() -> None:
    """The record that stands where a rejected one stood is another record."""
    with temporary_lake({**BASE, "models/silver/o.sql": model("SELECT id, v::INT AS v FROM bronze.o")}) as lake:
        run(lake, a="id,v\n1,bad\n2,9\n")
        run(lake, a="id,v\n7,worse\n2,9\n")
        assert lake.rows("SELECT value FROM quarantine.records ORDER BY value") == [
            {"value": "bad"},
            {"value": "worse"},
        ]


def test_not_a_number_is_one_key() -> None:
    """NaN equals itself in a key, whatever file it came in."""
    with temporary_lake(
        {**BASE, "models/silver/o.sql": model("SELECT v::DOUBLE AS k, w FROM bronze.o", key="k")}
    ) as lake:
        run(lake, a="v,w\nnan,5\n1.5,7\n")
        run(lake, b="v,w\nnan,1\n2.5,7\n")
        assert lake.rows("SELECT w FROM silver.o WHERE isnan(k)") == [{"w": "1"}]


@pytest.mark.parametrize("unit", ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP"])
def test_a_time_is_one_key_in_every_unit(unit: str) -> None:
    """The table keeps microseconds; what the query gives is found again in it by a later run."""
    sql = f"SELECT id, ts::{unit} AS ts FROM bronze.o"
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql, key="id, ts")}) as lake:
        run(lake, a="id,ts\n1,2026-03-01 10:00:00\n")
        run(lake, b="id,ts\n1,2026-03-01 10:00:00\n2,2026-03-01 10:00:00\n")
        assert lake.rows("SELECT count(*) AS n FROM silver.o") == [{"n": 2}]


@pytest.mark.parametrize("kind", ["append", "replace"])
def test_a_star_takes_in_columns_that_its_input_got(kind: str) -> None:
    """A model that selects everything grows with its input; older rows have NULL there."""
    sql = "SELECT * EXCLUDE (_load, _loaded_at) FROM bronze.o"
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql, kind)}) as lake:
        run(lake, a="id,v\n1,x\n")
        run(lake, b="id,v,w\n2,y,z\n")
        assert lake.rows("SELECT id, w FROM silver.o ORDER BY id") == [{"id": "1", "w": None}, {"id": "2", "w": "z"}]


def test_a_table_of_others_is_never_overwritten_by_a_first_build() -> None:
    """Only --rebuild, which names it, replaces what somebody else made."""
    theirs = TableName("gold", "theirs")
    with temporary_lake({**BASE, "models/gold/theirs.sql": "SELECT count(*) AS n FROM bronze.o\n"}) as lake:
        stage = lake.lakehouse.catalog.begin("made outside")
        stage.create_table(theirs, Schema((Column("id", "BIGINT"),)))
        stage.publish(Commit("made outside", "external", "somebody"))
        lake.deliver("data/a.csv", "id\n1\n")
        with pytest.raises(RunError) as refused:
            lake.run()
        assert refused.value.code == "MP-7012"
        assert lake.run(rebuild=("gold.theirs",)).ok
        assert lake.rows("FROM gold.theirs") == [{"n": 1}]


def test_a_model_whose_input_is_not_there_is_said_to_wait() -> None:
    """A run with nothing it can do does not say that all is up to date."""
    with temporary_lake({**BASE, "models/silver/o.sql": model("SELECT id FROM silver.typo")}) as lake:
        assert lake.run().waiting == ((TableName("silver", "o"), TableName("silver", "typo")),)


def test_an_input_that_moved_without_rows_is_done_with() -> None:
    """A file that only brings a column is no news for ever."""
    with temporary_lake({**BASE, "models/silver/o.sql": model("SELECT id FROM bronze.o")}) as lake:
        run(lake, a="id\n1\n")
        run(lake, b="id,w\n")
        assert lake.lakehouse.runner.plan().empty


def test_an_unknown_failure_of_one_step_is_told_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a step raises, the independent models are built and the run ends as failed."""
    files = {
        **BASE,
        "models/silver/a.sql": "SELECT 1 AS x FROM bronze.o\n",
        "models/silver/b.sql": "SELECT 2 AS y FROM bronze.o\n",
    }
    real = "millpond.pipeline.build.lineage"
    with temporary_lake(files) as lake:
        lake.deliver("data/a.csv", "id\n1\n")

        def broken(query: object, schemas: object) -> tuple[()]:
            if "AS x" in str(getattr(query, "sql", "")):
                raise RecursionError("too deep")
            return ()

        monkeypatch.setattr(real, broken)
        report = lake.run()
        assert report.failures[TableName("silver", "a")].code == "MP-9999"
        assert TableName("silver", "b") in report.outcomes
        assert lake.lakehouse.runner.log.recent(1)[0].status == "failed"


def test_a_check_may_end_in_a_comment() -> None:
    """The expression of a sql check is its own line."""
    more = "checks:\n  - sql: 'id::INT > 0 -- positive'\n"
    with temporary_lake({**BASE, "models/silver/o.sql": model("SELECT id FROM bronze.o", more=more)}) as lake:
        run(lake, a="id\n1\n0\n")
        assert lake.rows("SELECT id FROM silver.o") == [{"id": "1"}]


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("mood::ENUM('sad', 'ok', 'long')", "sad,1\nok,2\n"),
        ("[1::INTEGER, length(mood)]", "sad,1\nok,2\n"),
        ("('2026-01-01 00:00:00.123456789'::TIMESTAMP_NS + to_seconds(length(mood)))", "sad,1\nok,2\n"),
    ],
    ids=["enum", "list", "nanoseconds"],
)
def test_rows_are_compared_as_the_table_keeps_them(key: str, rows: str) -> None:
    """A type that the table keeps as another one is known again, in keys and beside them; lists have no bounds."""
    sql = f"SELECT {key} AS mood, v::INT AS v, {key} AS again FROM bronze.o"
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql, key="mood")}) as lake:
        for name in ("a", "b", "c"):
            run(lake, **{name: f"mood,v\n{rows}" + ("long,9\n" if name == "c" else "")})
            (counted,) = lake.rows("SELECT count(*) AS n, count(DISTINCT mood) AS k FROM silver.o")
            assert counted == {"n": 2 + (name == "c"), "k": 2 + (name == "c")}


def test_a_window_over_days_looks_back_over_a_day_of_25_hours() -> None:
    """Clocks go back on 25 October 2026 in Berlin: the day before begins 25 hours earlier."""
    files = {
        **BASE,
        "millpond.yaml": "version: 1\nname: shop\ntime_zone: Europe/Berlin\n",
        "models/silver/o.sql": model("SELECT id::INT AS id, t::TIMESTAMPTZ AS t, v::INT AS v FROM bronze.o"),
        "models/gold/d.sql": model(
            "WITH d AS (SELECT date_trunc('day', t) AS day, sum(v)::BIGINT AS s FROM silver.o GROUP BY 1) "
            "SELECT day, s, (sum(s) OVER (ORDER BY day RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW))"
            "::BIGINT AS two FROM d",
            "aggregate",
            "day",
        ),
    }
    with temporary_lake(files) as lake:
        run(lake, a="id,t,v\n1,2026-10-25T12:00:00+01:00,10\n2,2026-10-26T12:00:00+01:00,100\n")
        run(lake, b="id,t,v\n3,2026-10-26T13:00:00+01:00,5\n")
        assert [row["two"] for row in lake.rows("SELECT two FROM gold.d ORDER BY day")] == [10, 115]
        run(lake, c="id,t,v\n4,2026-10-25T13:00:00+01:00,1\n")
        assert [row["two"] for row in lake.rows("SELECT two FROM gold.d ORDER BY day")] == [11, 116]


def test_another_time_zone_is_another_model() -> None:
    """Its days are others, so it is to be built anew; nothing is mixed."""
    sql = "SELECT id::INT AS id, t::TIMESTAMPTZ::DATE AS day FROM bronze.o"
    with temporary_lake({**BASE, "models/silver/o.sql": model(sql)}) as lake:
        run(lake, a="id,t\n1,2026-03-01T20:00:00Z\n")
        lake.write("millpond.yaml", "version: 1\nname: shop\ntime_zone: Asia/Kolkata\n")
        lake.deliver("data/b.csv", "id,t\n2,2026-03-01T20:00:00Z\n")
        with pytest.raises(RunError) as refused:
            lake.run()
        assert refused.value.code == "MP-7010"
        assert "time_zone" in refused.value.finding.message


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
def test_a_time_without_end_is_a_verdict_on_its_row(kind: str) -> None:
    """The engine reads the word, and no table can hold it."""
    with temporary_lake({**BASE, "models/silver/o.sql": model(f"SELECT id, d::{kind} AS d FROM bronze.o")}) as lake:
        run(lake, a="id,d\n1,infinity\n2,2026-01-01\n3,-infinity\n")
        assert lake.rows("SELECT id FROM silver.o") == [{"id": "2"}]
        run(lake, b="id,d\n4,2026-01-02\n")
        assert lake.rows("SELECT rule, value FROM quarantine.records ORDER BY value") == [
            {"rule": "cast:d", "value": "-infinity"},
            {"rule": "cast:d", "value": "infinity"},
        ]


@pytest.mark.parametrize(
    ("kind", "item", "text", "code", "told"),
    [
        ("aggregate", "max(d::DATE) AS last", "infinity", "MP-4007", "its column 'last' has the value 'infinity'"),
        ("aggregate", "median(d::TIMESTAMP) AS mid", "-infinity", "MP-4007", "column 'mid' has the value '-infinity'"),
        ("replace", "min(d::TIMESTAMPTZ) AS first", "-infinity", "MP-4007", "'first' has the value '-infinity'"),
        ("aggregate", "max(d::DATE) AS last", "soon", "MP-4002", '"soon"'),
    ],
)
def test_an_aggregate_names_the_value_that_it_cannot_keep(
    kind: str, item: str, text: str, code: str, told: str
) -> None:
    """With model, line and column; its table stays, the input waits, and all is taken in once the model is mended."""
    sql = f"/*---\nkind: {kind}\nkey: [id]\n---*/\nSELECT id,\n  {item}\nFROM bronze.o GROUP BY id\n"
    with temporary_lake({**BASE, "models/gold/g.sql": sql}) as lake:
        run(lake, a="id,d\n1,2026-01-01\n")
        lake.deliver("data/b.csv", f"id,d\n2,{text}\n3,2026-01-03\n")
        (failure,) = lake.run().failures.values()
        finding = failure.finding
        assert (failure.code, finding.where and finding.where.line) == (code, 6)
        assert "gold.g" in finding.message
        assert told in finding.message
        assert lake.rows("SELECT id FROM gold.g") == [{"id": "1"}]
        lake.write("models/gold/g.sql", sql.replace("d::", f"nullif(d, '{text}')::"))
        assert lake.run(rebuild=("gold.g",)).ok
        assert lake.rows("SELECT id FROM gold.g ORDER BY id") == [{"id": "1"}, {"id": "2"}, {"id": "3"}]


@pytest.mark.parametrize("order", ["ab", "ba", "a+b"])
def test_whichever_parquet_file_is_first_every_value_fits(order: str, tmp_path: Path) -> None:
    """A column becomes as wide as the widest of its files, as Iceberg widens: INTEGER, FLOAT and DECIMAL."""
    queries = {
        "a": "SELECT 1::INTEGER AS id, 0.5::FLOAT AS x, 1.25::DECIMAL(5, 2) AS d",
        "b": "SELECT 5000000000 AS id, 1.1::DOUBLE AS x, 12345678.25::DECIMAL(12, 2) AS d",
    }
    with duckdb.connect() as con:
        for name, query in queries.items():
            con.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (FORMAT parquet)")
    sql = "SELECT id, x, d FROM bronze.o"
    files = {**BASE, "models/silver/o.sql": model(sql)}
    files["sources/o.yaml"] = "kind: files\npaths: ['data/*.parquet']\nsettle_seconds: 0\n"
    with temporary_lake(files) as lake:
        for name in order.replace("+", ""):
            lake.deliver(f"data/{name}.parquet", (tmp_path / f"{name}.parquet").read_bytes())
            if "+" not in order or name == "b":
                report = lake.run()
                assert report.ok, report.failures
        found = lake.rows("SELECT id, x, d::VARCHAR AS d FROM silver.o ORDER BY id")
        assert found == [{"id": 1, "x": 0.5, "d": "1.25"}, {"id": 5000000000, "x": 1.1, "d": "12345678.25"}]
        assert lake.rows("SELECT count(*) AS n FROM bronze.o WHERE _rescued IS NOT NULL") == [{"n": 0}]


def test_bytes_that_are_no_more_stay_when_a_file_is_read_by_other_settings() -> None:
    """With `on_change: append` a name stands for several contents, of which the last alone can be read again."""
    source = "kind: files\npaths: ['data/*.csv']\non_change: append\nsettle_seconds: 0\n"
    with temporary_lake({"millpond.yaml": "version: 1\nname: s\n", "sources/orders.yaml": source}) as lake:
        for content in ("id,x\n1,1\n", "id,x\n2,2\n3,3\n"):
            lake.deliver("data/a.csv", content)
            assert lake.run().ok
        for null, kept in (("3", "2"), ("2", "3")):
            lake.write("sources/orders.yaml", f"{source}csv: {{null: ['{null}']}}\n")
            assert lake.run().ok
            found = [row["id"] for row in lake.rows("SELECT id FROM bronze.orders ORDER BY id")]
            assert found == ["1", kept, None]
        lake.deliver("data/a.csv", "id,x\n")
        assert lake.run().ok
        lake.write("sources/orders.yaml", source)
        assert lake.run().ok
        assert len(lake.rows("SELECT id FROM bronze.orders")) == 3
