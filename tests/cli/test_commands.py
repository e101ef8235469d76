"""Each command, as its user sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Type


@pytest.mark.parametrize(
    ("words", "code", "suggestion"),
    [
        (("run", "--select", "silver.ordes"), "MP-7001", "silver.orders"),
        (("plan", "--select", "layer:silvr"), "MP-7001", "layer:silver"),
        (("run", "--rebuild", "nothing.at_all"), "MP-7001", None),
        (("run", "--rebuild", "bronze.orders"), "MP-7002", None),
        (("run", "--drop", "gold.x"), "MP-7003", None),
        (("run", "--failed", "--select", "silver.orders"), "MP-7004", None),
        (("run", "--wat"), "MP-1096", None),
        (("ruin",), "MP-1096", None),
        (("show",), "MP-1096", None),
    ],
)
def test_what_was_asked_wrongly_ends_with_two(
    shop: Path, type_: Type, words: tuple[str, ...], code: str, suggestion: str | None
) -> None:
    """With --json as a JSON line like every other error, the nearest name with it."""
    said = type_(*words, "--json")
    (finding,) = said.objects()
    assert (said.code, finding["code"], finding["suggestion"]) == (2, code, suggestion)
    assert finding["message"]
    assert finding["next_step"]
    assert "millpond ruin" not in finding["next_step"]
    assert type_(*words).code == 2


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_a_port_is_one_that_there_is(port: str, shop: Path, type_: Type) -> None:
    """Else it is told as a matter of usage, by `serve` and by `connect`."""
    for words in (("serve",), ("connect", "duckdb")):
        refused = type_(*words, "--port", port)
        assert (refused.code, "--port" in refused.err) == (2, True)


def test_an_interrupted_run_is_called_so(shop: Path, type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """It did not fail; `--failed` goes on from where it was."""

    def interrupt(*_given: object) -> None:
        raise KeyboardInterrupt

    (shop / "models" / "gold" / "more.sql").write_text("SELECT count(*) AS n FROM silver.orders\n")
    with monkeypatch.context() as patched:
        patched.setattr("millpond.pipeline.execution.build", interrupt)
        assert type_("run").code == 130
    assert type_("runs", "--json").objects()[0]["status"] == "interrupted"
    finished = [e["table"] for e in type_("run", "--failed", "--json").objects() if e["event"] == "step_finished"]
    assert finished == ["gold.more"]


def test_nothing_typed_says_what_to_type(type_: Type) -> None:
    """`millpond` alone prints the five lines to begin with."""
    said = type_()
    assert said.code == 0
    assert len(said.out.splitlines()) == 5
    assert "millpond init" in said.out


@pytest.mark.parametrize("template", ["starter", "mobility", "valleybike", "empty"])
def test_init_makes_a_project_that_check_finds_nothing_wrong_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type, template: str
) -> None:
    """Every template is whole, and `init` prints its tree and what to type next."""
    monkeypatch.chdir(tmp_path)
    said = type_("init", "fresh", "--template", template)
    assert said.code == 0
    assert "millpond.yaml" in said.out
    assert "millpond run" in said.out
    monkeypatch.chdir(tmp_path / "fresh")
    checked = type_("check")
    assert (checked.code, checked.err) == (0, "")


def test_init_never_writes_into_a_folder_with_something_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type
) -> None:
    """What is there stays as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert type_("init", "mine").code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_second_run_has_nothing_to_do(shop: Path, type_: Type) -> None:
    """Nothing changed, so nothing is done, and it is said."""
    said = type_("run")
    assert (said.code, said.out) == (0, "nothing to do: everything is up to date\n")


def test_run_tells_each_step_with_its_ledger_as_json(shop: Path, type_: Type) -> None:
    """Every event is one object; each ledger adds up."""
    said = type_("run", "--rebuild", "silver.orders", "--json")
    finished = [event for event in said.objects() if event["event"] == "step_finished"]
    assert [event["table"] for event in finished] == ["silver.orders", "gold.revenue_by_country", "gold.revenue_by_day"]
    for event in finished:
        ledger = event["ledger"]
        parts = ("inserted", "updated", "unchanged", "stale", "deleted", "deduplicated", "quarantined")
        assert ledger["staged"] == sum(ledger[part] for part in parts)


def test_plan_shows_what_run_would_do_and_does_nothing(shop: Path, type_: Type) -> None:
    """A new file gives a landing and increments; after the plan they are still to do."""
    (shop / "data" / "orders-2026-03-03.csv").write_text((shop / "data" / "orders-2026-03-02.csv").read_text() + "\n")
    for _ in range(2):
        steps = type_("plan", "--json").objects()
        assert ("bronze.orders", "land") in {(step["table"], step["work"]) for step in steps}
        assert ("silver.orders", "increment") in {(step["table"], step["work"]) for step in steps}


def test_query_prints_rows_in_every_format(shop: Path, type_: Type, tmp_path: Path) -> None:
    """A table for people, JSON with numbers as numbers, CSV, and a Parquet file."""
    sql = "SELECT order_id, amount FROM silver.orders ORDER BY order_id LIMIT 2"
    assert type_("query", sql).out.splitlines()[0].split() == ["order_id", "amount"]
    rows = type_("query", sql, "--json").objects()
    assert all(isinstance(row["amount"], float) for row in rows)
    assert type_("query", sql, "--csv").out.splitlines()[0] == "order_id,amount"
    target = tmp_path / "out.parquet"
    assert type_("query", sql, "--parquet", str(target)).code == 0
    assert pq.read_table(target).num_rows == 2


def test_a_query_that_fails_leaves_the_file_as_it_was(shop: Path, type_: Type, tmp_path: Path) -> None:
    """The result is moved there when all of it is written."""
    target = tmp_path / "out.parquet"
    target.write_text("earlier")
    failing = "SELECT CAST(CAST(order_id AS VARCHAR) || 'x' AS INTEGER) AS n FROM silver.orders"
    assert type_("query", failing, "--parquet", str(target)).code == 1
    assert target.read_text() == "earlier"
    assert list(tmp_path.glob(".out*")) == []


def test_query_reads_the_lake_as_of_a_commit(shop: Path, type_: Type) -> None:
    """--at N sees what commit N saw, over every table."""
    before = type_("show", "silver.orders", "--json").objects()[0]
    type_("run", "--rebuild", "silver.orders", "-q")
    count = "SELECT count(*) AS n FROM silver.orders"
    then = type_("query", count, "--json", "--at", str(before["commit"])).objects()
    assert then == type_("query", count, "--json").objects()
    missing = type_("query", "FROM gold.revenue_by_day", "--at", "1", "--json")
    assert missing.code == 1
    assert missing.objects()[0]["code"] == "MP-8005"


@pytest.mark.parametrize(
    "sql", ["DELETE FROM silver.orders", "SELECT 1; SELECT 2", "FROM read_csv('/etc/passwd')", "ATTACH 'x.db'"]
)
def test_query_refuses_what_is_no_reading(shop: Path, type_: Type, sql: str) -> None:
    """Only one SELECT over tables passes the gate."""
    said = type_("query", sql, "--json")
    assert said.code == 1
    assert said.objects()[0]["code"].startswith("MP-80")


def test_an_error_names_its_code_place_and_next_step(shop: Path, type_: Type) -> None:
    """A misspelt table is answered with the nearest one."""
    said = type_("query", "SELECT *\nFROM silver.order")
    assert said.code == 1
    assert "MP-8005" in said.err
    assert "<query>:2:6" in said.err
    assert "silver.orders" in said.err
    assert "Traceback" not in said.err


def test_ls_lists_built_and_unbuilt_tables(shop: Path, type_: Type) -> None:
    """Tables come in the order of layers, with their rows."""
    (shop / "models" / "gold" / "new.sql").write_text("SELECT count(*) AS n FROM silver.orders\n")
    tables = {row["table"]: row for row in type_("ls", "--json").objects()}
    assert tables["gold.new"]["commit"] is None
    assert tables["silver.orders"]["rows"] > 0


def test_show_tells_columns_and_first_rows(shop: Path, type_: Type) -> None:
    """The name may go without its layer where it is one table's."""
    (shown,) = type_("show", "revenue_by_day", "--json").objects()
    assert shown["table"] == "gold.revenue_by_day"
    assert {column["name"] for column in shown["columns"]} >= {"day", "revenue"}
    assert shown["rows"]


def test_quarantine_keeps_the_raw_record_with_its_rule_and_origin(shop: Path, type_: Type) -> None:
    """The dirty row of the sample is listed, and shown whole."""
    rejected = type_("quarantine", "list", "--json").objects()
    row = next(row for row in rejected if row["model"] == "silver.orders")
    assert (row["kind"], row["rule"], row["value"]) == ("row", "cast:amount", "twelve")
    assert "twelve" in row["raw"]
    (shown,) = type_("quarantine", "show", row["id"][:10], "--json").objects()
    assert shown == row
    assert type_("quarantine", "show", "nope").code == 1


def test_a_discarded_record_is_listed_only_when_it_is_asked_for(shop: Path, type_: Type) -> None:
    """A decision must say which records it is about."""
    assert type_("quarantine", "discard", "--json").objects()[0]["code"] == "MP-1120"
    assert type_("quarantine", "list", "--status", "lost").code == 2
    assert type_("quarantine", "list", "--since", "yesterday").code == 2
    said = type_("quarantine", "discard", "--rule", "cast:amount", "--because", "a test")
    assert (said.code, said.out.split(" by commit")[0]) == (0, "discarded 1 record (cast:amount of silver.orders)")
    assert type_("quarantine", "list").out == "nothing in quarantine waits for anyone\n"
    (row,) = type_("quarantine", "list", "--all", "--json").objects()
    assert (row["status"], row["because"], row["review_by"]) == ("discarded", "a test", None)
    assert type_("quarantine", "discard", row["id"], "--json").objects()[0]["code"] == "MP-6124"
    assert type_("quarantine", "discard", "--source", "orders", "--json").objects()[0]["code"] == "MP-6010"


def test_overdue_records_call_for_attention(shop: Path, type_: Type) -> None:
    """`run`, `ls` and `quarantine list` tell of them, and end with exit code 3."""
    project = shop / "millpond.yaml"
    project.write_text(project.read_text() + "\nquarantine: {review_by: 0m}\n")
    listed = type_("quarantine", "list")
    assert (listed.code, "1 overdue for review" in listed.out) == (3, True)
    tables = type_("ls")
    assert (tables.code, "1 overdue in quarantine" in tables.out) == (3, True)
    ran = type_("run")
    assert (ran.code, "MP-6120" in ran.err) == (3, True)
    (finding,) = (told for told in type_("run", "--json").objects() if "code" in told)
    assert (finding["code"], finding["severity"]) == ("MP-6120", "warning")
    type_("quarantine", "discard", "--overdue", "-q")
    assert [type_(*words).code for words in (("run",), ("ls",), ("quarantine", "list"))] == [0, 0, 0]


def test_runs_shows_past_runs_and_the_log_of_one(shop: Path, type_: Type) -> None:
    """The run that built the lake is there with its steps."""
    (run,) = type_("runs", "--json").objects()
    assert run["status"] == "ok"
    events = type_("runs", run["id"], "--json").objects()
    assert [event["event"] for event in events][0 :: len(events) - 1] == ["run_started", "run_finished"]


def test_a_failed_step_stops_its_descendants_only(shop: Path, type_: Type) -> None:
    """The others are built, the exit code is 1, and --failed goes on with the rest."""
    model = shop / "models" / "silver" / "broken.sql"
    front = '/*---\nkind: replace\nchecks: [{sql: "n < 0", severity: stop}]\n---*/\n'
    model.write_text(f"{front}SELECT count(*) AS n FROM silver.orders\n")
    (shop / "models" / "gold" / "after.sql").write_text("SELECT n FROM silver.broken\n")
    (shop / "models" / "gold" / "beside.sql").write_text("SELECT 1 AS n FROM silver.orders LIMIT 1\n")
    said = type_("run", "--json")
    assert said.code == 1
    events = {(event["event"], event.get("table")) for event in said.objects()}
    assert ("step_failed", "silver.broken") in events
    assert ("step_skipped", "gold.after") in events
    assert ("step_finished", "gold.beside") in events
    model.write_text("SELECT count(*) AS n FROM silver.orders\n")
    again = type_("run", "--failed", "--json")
    finished = [event["table"] for event in again.objects() if event["event"] == "step_finished"]
    assert (again.code, finished) == (0, ["silver.broken", "gold.after"])


def test_a_failed_step_says_what_was_meant_and_where(shop: Path, type_: Type) -> None:
    """A model that no run has seen before."""
    (shop / "models" / "silver" / "typo.sql").write_text("SELECT staus FROM silver.orders\n")
    said = type_("run")
    assert said.code == 1
    assert '(did you mean "status"?)' in said.err
    assert "typo.sql:1:8" in said.err


def test_a_changed_model_is_refused_until_rebuilt(shop: Path, type_: Type) -> None:
    """`run` says what changed and what can be done."""
    model = shop / "models" / "silver" / "orders.sql"
    model.write_text(f"{model.read_text().rstrip()}\nWHERE order_id <> 'none'\n")
    refused = type_("run", "--json")
    assert refused.code == 1
    assert refused.objects()[0]["code"] == "MP-7010"
    assert type_("run", "--rebuild", "silver.orders", "-q").code == 0
    assert type_("run").out.startswith("nothing to do")


def test_a_removed_model_is_refused_until_its_table_is_dropped(shop: Path, type_: Type) -> None:
    """The table goes only when --drop names it."""
    (shop / "models" / "gold" / "revenue_by_country.sql").unlink()
    assert type_("run", "--json").objects()[0]["code"] == "MP-7011"
    assert type_("run", "--drop", "gold.revenue_by_country", "-q").code == 0
    assert "gold.revenue_by_country" not in type_("ls").out


def test_add_keeps_to_the_projects_rule_for_names(shop: Path, type_: Type, tmp_path: Path) -> None:
    """A name that the rule forbids is refused before anything is written."""
    settings = shop / "millpond.yaml"
    settings.write_text(settings.read_text("utf-8") + "naming: {bronze: '(orders|customers|[a-z]+_raw)'}\n", "utf-8")
    (tmp_path / "prices.csv").write_text("item,price\na,1\n")
    said = type_("add", str(tmp_path / "prices.csv"))
    assert said.code == 2
    assert "MP-1130" in said.err
    assert not (shop / "sources" / "prices.yaml").exists()
    assert type_("add", str(tmp_path / "prices.csv"), "--name", "prices_raw").code == 0


def test_add_makes_a_source_and_loads_it(shop: Path, type_: Type, tmp_path: Path) -> None:
    """Files of one kind become a source; a second of that name is refused."""
    (tmp_path / "prices.csv").write_text("sku,price\nA,1\nB,2\n")
    said = type_("add", str(tmp_path / "prices.csv"))
    assert said.code == 0, said.err
    assert type_("query", "SELECT count(*) AS n FROM bronze.prices", "--json").objects() == [{"n": 2}]
    assert type_("add", str(tmp_path / "prices.csv")).code == 2


def test_the_command_loads_nothing_heavy_for_its_help() -> None:
    """--help answers before an engine is imported."""
    heavy = ("duckdb", "sqlglot", "pyarrow", "sqlalchemy", "starlette", "uvicorn", "pydantic", "yaml")
    code = f"import sys, millpond.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_project_that_was_copied_or_moved_is_told_so(
    tmp_path: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables name files of the other folder: nothing is written there, and nothing deleted."""
    monkeypatch.chdir(tmp_path)
    assert type_("init", "one", "-q").code == 0
    assert type_("run", "-q", "--project", "one").code == 0
    files = sorted((tmp_path / "one/.millpond/lake").rglob("*"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for words in (("run",), ("maintain",), ("query", "FROM gold.revenue_by_day"), ("ls",), ("doctor",)):
        said = type_(*words, "--project", "two")
        assert said.code in (1, 2), words
        assert "MP-3058" in said.err, said.err
    assert sorted((tmp_path / "one/.millpond/lake").rglob("*")) == files
    (tmp_path / "one").rename(tmp_path / "moved")
    assert "move the project back" in type_("ls", "--project", "moved").err
    (tmp_path / "moved").rename(tmp_path / "one")
    assert type_("ls", "--project", "one").code == 0
    shutil.rmtree(tmp_path / "two/.millpond")
    assert type_("run", "-q", "--project", "two").code == 0


def test_a_folder_that_is_not_there_is_no_project(shop: Path, type_: Type) -> None:
    """A misspelt --project is not the project around it."""
    said = type_("ls", "--project", str(shop / "typo"))
    assert said.code != 0
    assert "MP-1001" in said.err
    assert "there is no folder" in said.err


@pytest.mark.usefixtures("shop")
def test_csv_shows_values_as_the_table_does(type_: Type) -> None:
    """Nested values as JSON, and no word of Python."""
    sql = "SELECT true AS t, {'x': DATE '2020-01-01'} AS s, ['a', NULL] AS l, NULL AS n, 1.50 AS d"
    said = type_("query", sql, "--csv")
    assert said.out.splitlines()[1] == 'true,"{""x"": ""2020-01-01""}","[""a"", null]",,1.50'


def test_add_takes_globs(shop: Path, tmp_path: Path, type_: Type) -> None:
    """Those that come later are meant too."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("trips-1.csv", "trips-2.csv", "other.csv"):
        (folder / name).write_text(f"id\n{name}\n")
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    said = type_("add", str(folder / "trips-*.csv"))
    assert said.code == 0, said.err
    assert "trips-*.csv" in (shop / "sources/trips.yaml").read_text()
    assert type_("query", "SELECT count(*) AS n FROM bronze.trips", "--json").objects() == [{"n": 2}]
    missing = type_("add", str(folder / "none-*.csv"))
    assert "MP-1050" in missing.err


@pytest.mark.usefixtures("shop")
def test_names_are_read_in_upper_and_lower_case(type_: Type) -> None:
    """As the engine's SQL has them."""
    assert type_("query", "SELECT count(*) > 0 AS some FROM Silver.ORDERS", "--json").objects() == [{"some": True}]


@pytest.mark.parametrize("content", ["", "<html><body>error</body></html>"])
@pytest.mark.usefixtures("shop")
def test_add_says_where_a_file_went_that_is_none(content: str, tmp_path: Path, type_: Type) -> None:
    """An empty file, or an error page under a data file's name: the source is written, and no row came."""
    (tmp_path / "page.csv").write_text(content)
    os.utime(tmp_path / "page.csv", (1_700_000_000, 1_700_000_000))
    said = type_("add", str(tmp_path / "page.csv"))
    assert said.code == 0, said.err
    assert "no rows came" in said.err


@pytest.mark.usefixtures("shop")
def test_a_type_that_parquet_does_not_have_is_told(tmp_path: Path, type_: Type) -> None:
    """And no half of a file is left."""
    said = type_("query", "SELECT INTERVAL 1 DAY AS i", "--parquet", str(tmp_path / "o.parquet"))
    assert said.code != 0
    assert "MP-4006" in said.err
    assert list(tmp_path.glob("*.parquet*")) == []
