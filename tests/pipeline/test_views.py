"""Models of kind view: no table, a query that other engines read by its name and that ours takes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import load_catalog

from millpond.catalog import views as documents
from millpond.catalog.commits import VIEW, Commit, Edge, Ledger
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.view_staging import read
from millpond.core.errors import AccessError, FindingsError, ModelError, RunError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake
from tests.cli.conftest import Type, type_

__all__ = ["type_"]

ORDERS, BIG, ANN = TableName("silver", "orders"), TableName("gold", "big"), TableName("gold", "ann")
SUMS = "SELECT person, count(*) AS n, sum(cents)::BIGINT AS cents FROM {} GROUP BY person"
BIG_SQL = "SELECT id, person, amount * 100 AS cents FROM silver.orders WHERE amount >= 4"
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": "/*---\nkind: append\nkey: id\n---*/\n"
    "SELECT id::INTEGER AS id, person, amount::INTEGER AS amount FROM bronze.orders",
    "models/gold/big.sql": "/*---\nkind: view\ndescription: what matters\ntags: [a, b]\n"
    f"columns:\n  cents: {{description: a hundredth, pii: wealth}}\n---*/\n-- the big ones\n{BIG_SQL} -- no more\n",
    "models/gold/ann.sql": "/*---\nkind: view\n---*/\nSELECT gold.big.* FROM gold.big WHERE person = 'ann'",
    "models/gold/sums.sql": f"/*---\nkind: aggregate\nkey: person\n---*/\n{SUMS.format('gold.big')}",
}
FIRST = "id,person,amount\n1,ann,6\n2,bob,4\n3,ann,2\n"


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A lake of the project, which has run once."""
    with temporary_lake(PROJECT) as made:
        made.deliver("data/a.csv", FIRST)
        run(made)
        yield made


def run(lake: TemporaryLake, *select: str, rebuild: tuple[str, ...] = (), drop: tuple[str, ...] = ()) -> None:
    """A run in which every step ends well."""
    report = lake.run(*select, rebuild=rebuild, drop=drop)
    assert report.ok, report.failures


def plan(lake: TemporaryLake) -> list[tuple[str, str, str]]:
    """The table, the work and the reason of each step."""
    return [(str(step.table), step.work, step.because) for step in lake.lakehouse.runner.plan().steps]


def sums(lake: TemporaryLake) -> list[tuple[str, int, int]]:
    """What the aggregate holds."""
    return [(row["person"], row["n"], row["cents"]) for row in lake.rows("FROM gold.sums ORDER BY person")]


def version(lake: TemporaryLake, name: TableName = BIG) -> dict[str, Any]:
    """What a published view says now."""
    entry = lake.lakehouse.catalog.find(name, None, VIEW)
    assert entry is not None
    return dict(read(entry.metadata_location).version)


def outside(lake: TemporaryLake, name: TableName, sql: str) -> None:
    """Another program makes a view, or changes what one says."""
    catalog = lake.lakehouse.catalog
    stage = catalog.begin(f"outside/{catalog.head()}")
    columns = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "int"}]}
    said = {"representations": [{"type": "sql", "sql": sql, "dialect": "duckdb"}], "default-namespace": ["gold"]}
    said |= {"version-id": 1, "schema-id": -1}
    if stage.views.find(name) is None:
        folder = catalog.warehouse.fresh(name, "0" * 32)
        stage.views.create(name, documents.create(columns, said, location=folder, uuid="0" * 32, now_ms=1))
    else:
        changes = [
            {"action": "add-schema", "schema": columns},
            {"action": "add-view-version", "view-version": said},
            {"action": "set-current-view-version", "view-version-id": -1},
        ]
        stage.views.commit(name, (), changes, stage.locations)
    stage.publish(Commit(stage.step_key, "client", "else"))


def test_a_view_is_read_like_a_table_and_holds_nothing(lake: TemporaryLake) -> None:
    """By people, by another view, by its full name; a person's own name stands before it."""
    assert lake.rows("SELECT id, cents FROM gold.big ORDER BY id") == [{"id": 1, "cents": 600}, {"id": 2, "cents": 400}]
    assert lake.rows("SELECT gold.ann.cents FROM gold.ann JOIN silver.orders AS o USING (id)") == [{"cents": 600}]
    assert lake.rows("WITH big AS (SELECT 1 AS x) SELECT x FROM big") == [{"x": 1}]
    assert BIG not in [entry.name for entry in lake.lakehouse.catalog.tables()]
    assert plan(lake) == []


def test_a_model_over_a_view_stays_incremental(lake: TemporaryLake) -> None:
    """Its input is the table behind the view, whose changes alone it takes in; the view itself has nothing to do."""
    (model,) = (m for m in lake.lakehouse.runner.graph().models if m.table.name == "sums")
    assert (model.incremental, model.inputs, [v.table for v in model.views]) == (True, (ORDERS,), [BIG])
    assert sums(lake) == [("ann", 1, 600), ("bob", 1, 400)]
    lake.deliver("data/b.csv", "id,person,amount\n4,ann,5\n")
    assert [step[:2] for step in plan(lake)] == [
        ("bronze.orders", "land"),
        ("silver.orders", "increment"),
        ("gold.sums", "groups"),
    ]
    run(lake)
    assert sums(lake) == [("ann", 2, 1100), ("bob", 1, 400)]


def test_a_view_is_one_commit_with_lineage_and_without_cursors(lake: TemporaryLake) -> None:
    """Its ledger is empty, and its state is what the next plan compares with."""
    catalog = lake.lakehouse.catalog
    (commit,) = catalog.history(BIG)
    assert (commit.kind, commit.tables, commit.ledger) == ("view", (BIG,), Ledger(0))
    assert catalog.lineage(BIG) == (
        Edge(BIG, "id", ORDERS, "id"),
        Edge(BIG, "person", ORDERS, "person"),
        Edge(BIG, "cents", ORDERS, "amount"),
    )
    assert [consumer for consumer, _ in catalog.cursors() if consumer == BIG] == []
    assert json.loads(catalog.model_states()[ANN].definition)["kind"] == "view"


def test_other_engines_find_its_sql_and_its_words(lake: TemporaryLake) -> None:
    """Stock PyIceberg loads it through the gateway: dialects, namespace, columns and their descriptions."""
    gateway = Gateway(lake.lakehouse.catalog, open_access=True)
    try:
        client: Any = load_catalog("lake", type="rest", uri=gateway.start(), warehouse="prod")
        assert client.list_views("gold") == [("gold", "ann"), ("gold", "big")]
        found = client.load_view("gold.big")
    finally:
        gateway.stop()
    now = found.current_version()
    texts = {text.root.dialect: text.root.sql for text in now.representations}
    assert texts["duckdb"] == "SELECT id, person, amount * 100 AS cents FROM silver.orders WHERE amount >= 4"
    assert "FROM `silver`.`orders`" in texts["spark"]
    assert 'FROM "lake"."silver"."orders"' in texts["trino"]
    assert tuple(now.default_namespace) == ("gold",)
    fields = {field.name: (str(field.field_type), field.doc) for field in found.schema().fields}
    assert fields == {"id": ("int", None), "person": ("string", None), "cents": ("int", "a hundredth")}
    assert found.properties["comment"] == "what matters"
    assert found.properties["millpond.model.tags"] == "a,b"


def test_a_changed_view_tells_on_its_readers(lake: TemporaryLake) -> None:
    """Their rows were computed by the query that it was; a comment or a description changes nothing of them."""
    lake.write("models/gold/big.sql", PROJECT["models/gold/big.sql"].replace("what matters", "the rest"))
    assert plan(lake) == [("gold.big", "view", "its description changed")]
    run(lake)
    assert plan(lake) == []
    lake.write("models/gold/big.sql", PROJECT["models/gold/big.sql"].replace(">= 4", ">= 5"))
    with pytest.raises(
        RunError, match=r"gold.sums changed since its table was built .sql.; what it reads through gold"
    ):
        lake.run()
    before = lake.lakehouse.catalog.head()
    run(lake, rebuild=("gold.sums",))
    assert sums(lake) == [("ann", 1, 600)]
    assert lake.rows("SELECT count(*) AS n FROM gold.big") == [{"n": 1}]
    assert lake.rows("SELECT count(*) AS n FROM gold.big", at=before) == [{"n": 2}]
    assert plan(lake) == []


def test_a_view_is_published_though_its_input_came_later() -> None:
    """It waits for the table that it reads, as models do."""
    with temporary_lake(PROJECT) as lake:
        assert (BIG, ORDERS) in lake.lakehouse.runner.plan().waiting
        run(lake)
        assert lake.lakehouse.catalog.tables(None, VIEW) == ()
        lake.deliver("data/a.csv", FIRST)
        run(lake)
        assert [entry.name for entry in lake.lakehouse.catalog.tables(None, VIEW)] == [ANN, BIG]


def test_new_columns_of_an_input_reach_a_star(lake: TemporaryLake) -> None:
    """The columns that other engines are told are those that the query gives."""
    lake.write("models/gold/every.sql", "/*---\nkind: view\n---*/\nSELECT * FROM silver.orders")
    run(lake)
    wider = PROJECT["models/silver/orders.sql"].replace("id::INTEGER AS id", "id::INTEGER AS id, 'x' AS word")
    lake.write("models/silver/orders.sql", wider)
    assert ("gold.every", "view", "columns of silver.orders changed") in plan(lake)
    run(lake)
    entry = lake.lakehouse.catalog.find(TableName("gold", "every"), None, VIEW)
    assert entry is not None
    assert read(entry.metadata_location).schema().names == ("id", "person", "amount", "word")
    assert plan(lake) == []


def test_a_view_whose_file_is_gone_is_dropped_when_asked(lake: TemporaryLake) -> None:
    """As a table is: nothing disappears by itself."""
    (lake.folder / "models/gold/ann.sql").unlink()
    lake.close()
    with pytest.raises(RunError, match=r"the model gold.ann was removed, and its view is still there") as refused:
        lake.run()
    assert refused.value.code == "MP-7011"
    run(lake, drop=("gold.ann",))
    assert [entry.name for entry in lake.lakehouse.catalog.tables(None, VIEW)] == [BIG]
    assert ANN not in lake.lakehouse.catalog.model_states()
    with pytest.raises(AccessError, match=r"there is no table gold.ann"):
        lake.rows("FROM gold.ann")
    assert lake.rows("SELECT id FROM gold.ann", at=lake.lakehouse.catalog.head() - 1) == [{"id": 1}]


def test_a_view_becomes_a_table_and_a_view_again(lake: TemporaryLake) -> None:
    """Told as any change of kind; with --rebuild the name goes over in one commit."""
    view, catalog = PROJECT["models/gold/ann.sql"], lake.lakehouse.catalog
    for text, kind, gone in ((view.replace("view", "replace"), "table", VIEW), (view, VIEW, "table")):
        lake.write("models/gold/ann.sql", text)
        with pytest.raises(RunError, match=r"the model gold.ann changed since its (view was|table was)") as refused:
            lake.run()
        assert refused.value.code == "MP-7010"
        catalog = lake.lakehouse.catalog
        before = catalog.head()
        run(lake, rebuild=("gold.ann",))
        assert catalog.head() == before + 1
        assert (catalog.find(ANN, None, kind) is not None, catalog.find(ANN, None, gone)) == (True, None)
        assert (catalog.find(ANN, before, gone) is not None, catalog.find(ANN, before, kind)) == (True, None)
        assert lake.rows("SELECT id FROM gold.ann") == [{"id": 1}]
        assert lake.rows("SELECT id FROM gold.ann", at=before) == [{"id": 1}]
        assert plan(lake) == []


def test_after_a_restore_a_view_follows_the_next_run(lake: TemporaryLake) -> None:
    """People read what it said then, until a run publishes what the model says."""
    before = lake.lakehouse.catalog.head()
    lake.write("models/gold/ann.sql", PROJECT["models/gold/ann.sql"].replace("'ann'", "'bob'"))
    run(lake)
    lake.lakehouse.restore(before)
    assert lake.rows("SELECT id FROM gold.ann") == [{"id": 1}]
    assert plan(lake) == [("gold.ann", "view", "its query changed")]
    run(lake)
    assert lake.rows("SELECT id FROM gold.ann") == [{"id": 2}]
    assert plan(lake) == []


def test_what_another_program_says_is_not_run(lake: TemporaryLake) -> None:
    """A view of others is neither read nor replaced unasked; a project's view that others changed is put right."""
    theirs = TableName("gold", "theirs")
    outside(lake, theirs, "SELECT 1 AS a")
    with pytest.raises(AccessError, match=r"gold.theirs is a view that Millpond does not read here") as refused:
        lake.rows("FROM gold.theirs")
    assert refused.value.code == "MP-8005"
    for kind in ("view", "replace"):
        lake.write("models/gold/theirs.sql", f"/*---\nkind: {kind}\n---*/\nSELECT id FROM silver.orders")
        with pytest.raises(RunError, match=r"there is a view gold.theirs that this project did not make"):
            lake.run()
    run(lake, rebuild=("gold.theirs",))
    assert len(lake.rows("FROM gold.theirs")) == 3
    outside(lake, BIG, "SELECT 1 AS a")
    assert plan(lake) == [("gold.big", "view", "another program changed it")]
    run(lake)
    assert version(lake)["representations"][0]["sql"].startswith("SELECT id, person")


def test_changes_of_a_view_are_not_told(lake: TemporaryLake) -> None:
    """They are those of its tables."""
    with pytest.raises(AccessError, match=r"gold.big is a view that Millpond does not read here"):
        lake.rows("FROM changes('gold.big', since => 1)")


def test_the_guard_sees_what_a_view_says(lake: TemporaryLake) -> None:
    """What a statement may not do, a view may not do for it; the place is where the view is named."""
    lake.write("models/gold/odd.sql", "/*---\nkind: view\n---*/\nSELECT current_setting('home_directory') AS a")
    run(lake)
    with pytest.raises(AccessError) as refused:
        lake.rows("SELECT a\nFROM gold.odd")
    where = refused.value.finding.where
    assert where is not None
    assert (refused.value.code, where.path.name, where.line, where.column) == ("MP-8006", "<query>", 2, 6)


def test_checks_may_look_into_a_view(lake: TemporaryLake) -> None:
    """A query among the checks reads it as a model does."""
    model = (
        "/*---\nchecks:\n  - sql: SELECT * FROM gold.big WHERE cents > 500\n    severity: warn\n---*/\nSELECT 1 AS a"
    )
    lake.write("models/gold/checked.sql", model)
    report = lake.run()
    (verdict,) = report.outcomes[TableName("gold", "checked")].verdicts
    assert (verdict.outcome, verdict.failed) == ("warn", 1)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("gold/v.sql", "kind: view\nkey: id", [("MP-1101", 3, 1)]),
        ("gold/v.sql", "kind: view\npartition: id\nchecks:\n  - not_null: id", [("MP-1101", 3, 1), ("MP-1101", 4, 1)]),
        ("gold/v.sql", "kind: view\nlookback: 3d\norder: id", [("MP-1101", 3, 1), ("MP-1101", 4, 1)]),
        ("gold/v.sql", "kind: view\ncolumns:\n  id: {nullable: false}", [("MP-1101", 4, 8)]),
        ("gold/v.sql", "kind: replace\nchecks:\n  - relationship: {id: gold.big.id}", [("MP-2111", 4, 20)]),
    ],
)
def test_what_means_nothing_to_a_view_is_refused(type_: Type, path: str, text: str, expected: list[Any]) -> None:
    """Each entry at its place."""
    with temporary_lake(PROJECT) as lake:
        lake.write(f"models/{path}", f"/*---\n{text}\n---*/\nSELECT id FROM silver.orders")
        said = type_("check", "--project", str(lake.folder), "--json")
    assert [(found["code"], found["line"], found["column"]) for found in said.objects()] == expected


def test_what_is_wrong_in_a_view_is_told_once(type_: Type) -> None:
    """In its own file: a table and a column that there are not, a circle; no reader is blamed."""
    files = {
        "models/gold/a.sql": "/*---\nkind: view\n---*/\nSELECT id FROM silver.nowhere",
        "models/gold/b.sql": "/*---\nkind: view\n---*/\nSELECT ids FROM silver.orders",
        "models/gold/c.sql": "SELECT * FROM gold.a",
        "models/gold/d.sql": "SELECT * FROM gold.b",
        "models/gold/e.sql": "/*---\nkind: view\n---*/\nSELECT * FROM gold.f",
        "models/gold/f.sql": "/*---\nkind: view\n---*/\nSELECT * FROM gold.e",
    }
    with temporary_lake(PROJECT | files) as lake:
        lake.deliver("data/a.csv", FIRST)
        said = type_("check", "--project", str(lake.folder), "--json")
        told = [(found["code"], found["file"][-5:], found["line"], found["column"]) for found in said.objects()]
        assert told == [("MP-2010", "a.sql", 4, 16), ("MP-2011", "b.sql", 4, 8), ("MP-2020", "f.sql", 4, 15)]


def test_a_table_between_two_views_can_close_a_circle() -> None:
    """The circle names the view."""
    files = {"models/gold/big.sql": "/*---\nkind: view\n---*/\nSELECT person, n AS cents FROM gold.sums"}
    with temporary_lake(PROJECT | files) as lake, pytest.raises(ModelError, match=r"gold.\w+ <- gold.\w+ <- gold.\w+"):
        lake.lakehouse.runner.graph()


def test_a_function_is_no_view_and_reads_none() -> None:
    """Its rows come from tables."""
    python = (
        "import millpond\n\n\n@millpond.model(kind={!r}, inputs={{'rows': {!r}}}, columns={{'id': 'BIGINT'}})\n"
        "def made(rows):\n    yield from rows\n"
    )
    with temporary_lake(PROJECT) as lake:
        lake.write("models/gold/f.py", python.format("replace", "gold.big"))
        with pytest.raises(ModelError, match=r"gold.big is a view, and a function reads tables") as refused:
            lake.run()
        assert refused.value.code == "MP-2111"
        lake.write("models/gold/f.py", python.format("view", "silver.orders"))
        with pytest.raises(FindingsError) as wrong:
            lake.run()
        assert [finding.code for finding in wrong.value.findings] == ["MP-1313"]


def test_the_command_line_speaks_of_views(lake: TemporaryLake, type_: Type) -> None:
    """`ls`, `show`, `history`, `plan` and `query` as with tables."""
    lake.close()
    at = ("--project", str(lake.folder))
    listed = {row["table"]: row for row in type_("ls", *at, "--json").objects()}
    of_view = listed["gold.big"]
    assert (of_view["kind"], of_view["commit"], "rows" in of_view) == ("view", 3, False)
    shown = type_("show", "big", *at).out
    assert "a view" in shown
    assert "made by models/gold/big.sql (view)" in shown
    assert "a hundredth" in shown
    (told,) = type_("show", "gold.big", *at, "--json").objects()
    assert [row["id"] for row in told["rows"]] == [1, 2]
    assert [row["kind"] for row in type_("history", "gold.big", *at, "--json").objects()] == ["view"]
    (refused,) = type_("diff", "gold.big", *at, "--at", "1", "--to", "3", "--json").objects()
    assert (refused["code"], refused["next_step"]) == ("MP-2111", "name a table that the view reads")
    assert {row["freshness"] for row in type_("quality", *at, "--json").objects()} == {"current"}
    lake.write("models/gold/ann.sql", PROJECT["models/gold/ann.sql"].replace("'ann'", "'bob'"))
    lake.close()
    assert type_("plan", *at).out.split("\n")[2].split()[:2] == ["gold.ann", "view"]
    assert "its query changed" in type_("plan", *at).out
    assert type_("run", *at).code == 0
    assert type_("query", "SELECT id FROM gold.ann", *at, "--json").objects() == [{"id": 2}]
    assert type_("query", "SELECT id FROM gold.ann", *at, "--at", "5", "--json").objects() == [{"id": 1}]


def test_views_are_tried_on_given_rows(type_: Type) -> None:
    """A test gives rows of the tables behind a view, for the view itself and for what reads it."""
    rows = "given:\n  silver.orders:\n    - {id: 1, person: ann, amount: 6}\n    - {id: 2, person: bob, amount: 1}\n"
    files = {
        "tests/big.yaml": f"model: gold.big\n{rows}expect:\n  - {{id: 1, cents: 600}}\n",
        "tests/sums.yaml": f"model: gold.sums\n{rows}expect:\n  - {{person: ann, n: 1, cents: 600}}\n",
    }
    with temporary_lake(PROJECT | files) as lake:
        said = type_("test", "--project", str(lake.folder))
    assert (said.code, "2 tests passed" in said.out) == (0, True), said.out


Batch = list[tuple[int, str, int]]
batches = st.lists(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["ann", "bob"]), st.integers(1, 8)), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)
TWICE = PROJECT | {
    "models/gold/inline.sql": f"/*---\nkind: aggregate\nkey: person\n---*/\n{SUMS.format(f'({BIG_SQL})')}",
    "models/silver/through.sql": "/*---\nkind: append\nkey: id\n---*/\nSELECT id, cents FROM gold.ann",
    "models/silver/written.sql": "/*---\nkind: append\nkey: id\n---*/\n"
    f"SELECT id, cents FROM (SELECT * FROM ({BIG_SQL}) WHERE person = 'ann')",
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(batches)
def test_a_model_over_a_view_is_the_model_with_the_query_written_out(given_batches: list[Batch]) -> None:
    """The same rows and the same ledger, batch by batch, for rows that are added and for groups."""
    pairs = (("gold.sums", "gold.inline"), ("silver.through", "silver.written"))
    with temporary_lake(TWICE) as lake:
        for number, batch in enumerate(given_batches):
            lines = "".join(f"{identity},{person},{amount}\n" for identity, person, amount in batch)
            lake.deliver(f"data/{number}.csv", f"id,person,amount\n{lines}")
            report = lake.run()
            assert report.ok, report.failures
            done = {str(table): outcome.ledger for table, outcome in report.outcomes.items()}
            for through, written in pairs:
                assert done.get(through) == done.get(written)
                rows = [lake.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in (through, written)]
                assert rows[0] == rows[1]
