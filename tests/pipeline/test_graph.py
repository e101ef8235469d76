"""The order of models and the meaning of selections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import Location, ModelError, RunError
from millpond.core.names import TableName
from millpond.pipeline.compiled import CompiledModel, compile_model
from millpond.pipeline.graph import Graph, ordered, select
from millpond.project.check import Check, Target
from millpond.project.model import Model

Make = Callable[..., CompiledModel]


@pytest.fixture
def shop(model: Make) -> Graph:
    """raw -> orders -> revenue, and customers by itself."""
    models = (
        model("gold.revenue", "SELECT day, sum(amount) AS amount FROM silver.orders GROUP BY day", tags=("money",)),
        model("silver.orders", "SELECT * FROM bronze.raw"),
        model("silver.customers", "SELECT * FROM bronze.people"),
    )
    return Graph((), ordered(models))


def names(tables: frozenset[TableName]) -> set[str]:
    return {str(table) for table in tables}


def test_models_come_after_what_they_read(shop: Graph) -> None:
    """A model's inputs stand before it, whatever the order of the files."""
    order = [str(table) for table in shop.tables]
    assert order.index("silver.orders") < order.index("gold.revenue")


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("orders", {"silver.orders"}),
        ("silver.orders", {"silver.orders"}),
        ("orders+", {"silver.orders", "gold.revenue"}),
        ("+revenue", {"bronze.raw", "silver.orders", "gold.revenue"}),
        ("layer:silver", {"silver.orders", "silver.customers"}),
        ("tag:money", {"gold.revenue"}),
        ("c*", {"silver.customers"}),
        ("orders customers", {"silver.orders", "silver.customers"}),
    ],
)
def test_a_selector_names_tables(shop: Graph, selector: str, chosen: set[str]) -> None:
    """Each form of selector means what dbt's users expect."""
    assert names(select(shop, (selector,))) == chosen


def test_no_selector_means_everything(shop: Graph) -> None:
    """An empty selection is the whole project."""
    assert select(shop, ()) == frozenset(shop.tables)


def test_a_selector_that_names_nothing_is_refused_with_a_suggestion(shop: Graph) -> None:
    """A typing error is not silently an empty run."""
    with pytest.raises(RunError) as refused:
        select(shop, ("revenu",))
    assert refused.value.code == "MP-7001"
    assert refused.value.finding.suggestion == "revenue"


def test_a_circle_is_told_with_its_path_and_place(model: Make) -> None:
    """The models of a circle are named, and the place is one of the references."""
    models = (model("silver.a", "SELECT * FROM silver.b"), model("silver.b", "SELECT *\nFROM silver.a"))
    with pytest.raises(ModelError) as refused:
        ordered(models)
    assert refused.value.code == "MP-2020"
    assert "silver.a" in refused.value.finding.message
    assert refused.value.finding.where is not None


@given(st.permutations(range(6)), st.data())
def test_order_does_not_depend_on_the_order_of_files(order: list[int], data: st.DataObject) -> None:
    """Any graph without circles gets the same order from any listing of its models."""
    reads = {i: sorted(data.draw(st.sets(st.integers(0, i - 1), max_size=2))) if i else [] for i in range(6)}

    def make(i: int) -> CompiledModel:
        inputs = ", ".join(f"silver.m{j}" for j in reads[i]) or "bronze.raw"
        sql = f"SELECT 1 AS x FROM {inputs}"
        return compile_model(Model(TableName("silver", f"m{i}"), "replace", Path(f"/m{i}.sql"), sql))

    models = [make(i) for i in range(6)]
    listed = tuple(models[i] for i in order)
    assert [m.table for m in ordered(listed)] == [m.table for m in ordered(tuple(models))]


def test_what_a_check_looks_into_comes_first_and_is_no_input(
    model: Callable[..., CompiledModel], tmp_path: Path
) -> None:
    """It is upstream, what fails there holds the model back, but its changes build nothing again."""
    where = Location(tmp_path)
    target = Check("relationship", ("b",), (Target.parse("silver.z.id"),), "warn", "relationship:b", where)
    query = Check("sql", (), ("SELECT * FROM silver.a, silver.y",), "stop", "sql:q", where)
    made = ordered(
        (
            model("silver.a", "SELECT 1 AS b FROM bronze.x", checks=(target, query)),
            model("silver.z", "SELECT 1 AS id FROM bronze.x"),
            model("silver.y", "SELECT 1 AS id FROM bronze.x"),
        )
    )
    assert [str(one.table) for one in made] == ["silver.y", "silver.z", "silver.a"]
    graph = Graph((), made)
    facts, dimension = TableName("silver", "a"), TableName("silver", "z")
    assert made[2].inputs == (TableName("bronze", "x"),)
    assert dimension in graph.upstream(facts)
    assert facts in graph.after(dimension)
    assert facts not in graph.downstream(dimension)


def test_a_circle_through_a_check_is_told_at_the_check(model: Callable[..., CompiledModel], tmp_path: Path) -> None:
    """A dimension made of the facts cannot judge them."""
    check = Check("relationship", ("b",), (Target.parse("silver.z.id"),), "warn", "r", Location(tmp_path, 4, 2))
    facts = model("silver.a", "SELECT 1 AS b FROM bronze.x", checks=(check,))
    with pytest.raises(ModelError) as caught:
        ordered((facts, model("silver.z", "SELECT b AS id FROM silver.a")))
    assert caught.value.code == "MP-2020"
