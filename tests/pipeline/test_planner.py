"""Plans: which steps, in which mode, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from millpond.catalog.commits import ModelState, TableEntry
from millpond.core.errors import RunError
from millpond.core.names import TableName
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.evolution import change
from millpond.pipeline.graph import Graph, ordered
from millpond.pipeline.plan import BuildStep, DropStep, InputRange, LandStep
from millpond.pipeline.planner import LakeState, Wishes, plan
from millpond.project.model import Partition

Make = Callable[..., CompiledModel]
RAW = TableName("bronze", "raw")
ORDERS = TableName("silver", "orders")
REVENUE = TableName("gold", "revenue")


@pytest.fixture
def graph(model: Make) -> Graph:
    """raw -> orders (append) -> revenue (aggregate)."""
    orders = model("silver.orders", "SELECT id, day, amount FROM bronze.raw", "append", ("id",))
    revenue = model(
        "gold.revenue", "SELECT day, sum(amount) AS s FROM silver.orders GROUP BY day", "aggregate", ("day",)
    )
    return Graph((), ordered((orders, revenue)))


def entry(name: TableName, commit: int) -> TableEntry:
    return TableEntry(name, "uuid", f"/lake/{name}", f"/lake/{name}/metadata.json", commit, 1)


def built(graph: Graph, **commits: int) -> LakeState:
    """A lake in which everything was built; `commits` are the tables' newest commits by name."""
    tables = {
        name: entry(name, commits.get(name.name, number)) for number, name in enumerate((RAW, ORDERS, REVENUE), start=1)
    }
    cursors = {(ORDERS, RAW): 1, (REVENUE, ORDERS): 2}
    return LakeState(9, tables, {m.table: m.state for m in graph.models}, cursors)


def everything(graph: Graph, **more: frozenset[TableName]) -> Wishes:
    return Wishes(frozenset({RAW, *graph.tables}), **more)


def test_an_empty_lake_is_built_from_nothing(graph: Graph) -> None:
    """Every model whose inputs are there or will be is created."""
    state = LakeState(1, {RAW: entry(RAW, 1)})
    steps = plan(graph, state, {}, everything(graph)).steps
    assert [(s.table, s.work) for s in steps] == [(ORDERS, "create"), (REVENUE, "create")]


def test_a_lake_that_is_up_to_date_has_nothing_to_do(graph: Graph) -> None:
    """No news, no steps."""
    assert plan(graph, built(graph), {}, everything(graph)).empty


def test_news_flow_down_as_increments(graph: Graph) -> None:
    """A changed input gives an increment from the cursor, and what reads it recomputes its groups."""
    steps = plan(graph, built(graph, raw=5), {}, everything(graph)).steps
    assert steps[0] == BuildStep(ORDERS, "append", "increment", (InputRange(RAW, 1),), "bronze.raw changed")
    assert isinstance(steps[1], BuildStep)
    assert (steps[1].mode, steps[1].inputs) == ("groups", (InputRange(ORDERS, 2),))


def test_models_wait_for_inputs_that_have_no_table(graph: Graph) -> None:
    """A model without its input is not planned, and said to wait."""
    planned = plan(graph, LakeState(0), {}, everything(graph))
    assert planned.empty
    assert planned.waiting == ((ORDERS, RAW), (REVENUE, ORDERS))


def test_a_selection_leaves_the_rest_alone(graph: Graph) -> None:
    """Only selected tables get steps."""
    state = LakeState(1, {RAW: entry(RAW, 1)})
    steps = plan(graph, state, {}, Wishes(frozenset({ORDERS}))).steps
    assert [s.table for s in steps] == [ORDERS]


def test_a_rebuild_takes_its_descendants_along(graph: Graph) -> None:
    """What depends on a rebuilt model is rebuilt as well."""
    steps = plan(graph, built(graph), {}, everything(graph, rebuild=frozenset({ORDERS}))).steps
    assert [(s.table, s.work) for s in steps] == [(ORDERS, "rebuild"), (REVENUE, "rebuild")]


def test_a_changed_model_is_refused_with_the_choices(graph: Graph) -> None:
    """A model whose definition is not the one its table was built by stops the plan and says what differs."""
    state = built(graph)
    old = ModelState(ORDERS, "other", '{"sql": "SELECT 1"}')
    with pytest.raises(RunError) as refused:
        plan(graph, LakeState(9, state.tables, {**state.models, ORDERS: old}, state.cursors), {}, everything(graph))
    assert refused.value.code == "MP-7010"
    assert "--rebuild silver.orders" in refused.value.finding.next_step


def test_all_changed_models_are_named_at_once(graph: Graph) -> None:
    """What stands on another of them is built anew with it, and need not be asked for."""
    state = built(graph)
    old = {table: ModelState(table, "other", '{"sql": "SELECT 1"}') for table in (ORDERS, REVENUE)}
    with pytest.raises(RunError) as refused:
        plan(graph, LakeState(9, state.tables, {**state.models, **old}, state.cursors), {}, everything(graph))
    finding = refused.value.finding
    assert finding.code == "MP-7010"
    assert finding.message.startswith("the models silver.orders changed since its table was built (")
    assert "; gold.revenue changed since its table was built (" in finding.message
    assert finding.next_step.startswith("`millpond run --rebuild silver.orders` builds them and")


def test_all_removed_models_are_named_at_once(graph: Graph) -> None:
    """With one command that drops their tables."""
    state = built(graph)
    gone = [TableName("silver", name) for name in ("gone", "lost")]
    models = {**state.models, **{table: ModelState(table, "x", "{}") for table in gone}}
    with pytest.raises(RunError) as refused:
        plan(graph, LakeState(9, state.tables, models, state.cursors), {}, everything(graph))
    finding = refused.value.finding
    assert finding.message == (
        "the models silver.gone was removed, and its table is still there; "
        "silver.lost was removed, and its table is still there"
    )
    assert finding.next_step.startswith("`millpond run --drop silver.gone --drop silver.lost` removes them")


def test_a_removed_model_is_refused_until_its_table_is_dropped(graph: Graph) -> None:
    """The table of a removed model is never silently left or dropped."""
    gone = TableName("silver", "gone")
    state = built(graph)
    models = {**state.models, gone: ModelState(gone, "x", "{}")}
    with pytest.raises(RunError) as refused:
        plan(graph, LakeState(9, state.tables, models, state.cursors), {}, everything(graph))
    assert refused.value.code == "MP-7011"
    wishes = everything(graph, drop=frozenset({gone}))
    steps = plan(graph, LakeState(9, state.tables, models, state.cursors), {}, wishes).steps
    assert [type(step) for step in steps] == [DropStep]


def test_a_renamed_model_is_recognised(graph: Graph, model: Make) -> None:
    """A removed model that is another new one's equal is called renamed."""
    old = TableName("silver", "old_orders")
    twin = next(m for m in graph.models if m.table == ORDERS).state
    with pytest.raises(RunError, match=r"renamed to silver\.orders"):
        plan(
            graph,
            LakeState(1, {RAW: entry(RAW, 1)}, {old: ModelState(old, twin.fingerprint, "{}")}),
            {},
            everything(graph),
        )


def test_new_files_move_what_reads_them(graph: Graph) -> None:
    """A landing counts as news of its table before it has happened."""
    landing = LandStep(RAW, "raw", 1, 0, 0, 0, "files: 1 new")
    graph = Graph((_Source(),), graph.models)  # type: ignore[arg-type]
    steps = plan(graph, built(graph), {RAW: landing}, everything(graph)).steps
    assert [s.work for s in steps] == ["land", "increment", "groups"]


class _Source:
    table = RAW
    name = "raw"


def test_a_snapshot_is_never_built_anew(model: Make) -> None:
    """Its history cannot be computed again: --rebuild compares as ever; only a table of others gives way."""
    prices = model("silver.prices", "SELECT item, price FROM bronze.raw", "snapshot", ("item",))
    graph = Graph((), (prices,))
    tables = {RAW: entry(RAW, 1), prices.table: entry(prices.table, 2)}
    wishes = Wishes(frozenset({prices.table}), rebuild=frozenset({prices.table}))
    ours = LakeState(2, tables, {prices.table: prices.state}, {(prices.table, RAW): 1})
    (step,) = plan(graph, ours, {}, wishes).steps
    assert (step.work, step.note) == ("whole", "its history stays as it is")
    (step,) = plan(graph, LakeState(2, tables), {}, wishes).steps
    assert step.work == "rebuild"


def test_a_kind_says_what_it_does_where_rows_went(model: Make) -> None:
    """The plan tells before the run what an input's lost rows mean."""
    latest = model("silver.latest", "SELECT id, at FROM bronze.raw", "upsert", ("id",), order=("at",))
    state = LakeState(5, {RAW: entry(RAW, 5), latest.table: entry(latest.table, 2)}, {latest.table: latest.state})
    (step,) = plan(Graph((), (latest,)), state, {}, Wishes(frozenset({latest.table}))).steps
    assert step.work == "increment"
    assert "takes in all rows of their keys" in step.note


def test_an_entry_that_was_taken_out_is_a_change(model: Make) -> None:
    """What only some kinds have is part of the definition, also when it is gone."""
    sql = "SELECT id, at, gone FROM bronze.raw"
    with_mark = model("silver.latest", sql, "upsert", ("id",), order=("at",), delete_when="gone")
    without = model("silver.latest", sql, "upsert", ("id",), order=("at",), partition=(Partition("id", "identity"),))
    assert change(with_mark.state, without).rebuild == ("delete_when", "partition")
