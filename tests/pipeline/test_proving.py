"""Tests of projects: models tried on given rows as in a run, without a lake."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBEngine, Limits
from millpond.pipeline.graph import build_graph
from millpond.pipeline.proving import Proof, compare, problems, prove
from millpond.project.case_file import read_tests
from millpond.project.loader import load
from millpond.testing import temporary_lake

FILES = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/orders*.csv']\nformat: csv\n",
    "sources/people.yaml": "kind: files\npaths: ['data/people*.csv']\nformat: csv\n",
    "sources/parts.yaml": "kind: files\npaths: ['data/*.parquet']\n",
    "models/silver/orders.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 90]}\n---*/\n"
        "SELECT id::INTEGER AS id, person, amount::DECIMAL(9, 2) AS amount, ts::TIMESTAMP AS ts FROM bronze.orders\n"
    ),
    "models/silver/newest.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: ts\n---*/\n"
        "SELECT id::INTEGER AS id, amount::INTEGER AS amount, ts::TIMESTAMP AS ts FROM bronze.orders\n"
    ),
    "models/silver/versions.sql": (
        "/*---\nkind: scd2\nkey: [id]\nevent_time: ts\n---*/\n"
        "SELECT id::INTEGER AS id, amount::INTEGER AS amount, ts::TIMESTAMP AS ts FROM bronze.orders\n"
    ),
    "models/gold/by_person.sql": (
        "/*---\nkind: aggregate\nkey: [person]\nchecks: [{between: {amount: [0, 100]}}]\n---*/\n"
        "SELECT person, count(*) AS orders, sum(amount)::DECIMAL(9, 2) AS amount FROM silver.orders GROUP BY person\n"
    ),
    "models/gold/named.sql": (
        "SELECT o.id, p.name, current_date - o.ts::DATE AS age FROM silver.orders AS o\n"
        "LEFT JOIN bronze.people AS p ON p.person = o.person\n"
    ),
    "models/gold/stopping.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - {between: {amount: [0, 10]}, severity: stop}\n---*/\n"
        "SELECT id, amount FROM silver.orders\n"
    ),
    "models/gold/parts.sql": "SELECT sum(weight) AS weight, max(made) AS made FROM bronze.parts\n",
}


def proofs(folder: Path, text: str, **files: str) -> list[Proof]:
    """What comes of a file of tests, in a project."""
    for path, content in {**FILES, "tests/t.yaml": text, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    project = load(folder, environ={})
    tests, findings = read_tests(folder)
    assert findings == ()
    engine = DuckDBEngine(Limits(200_000_000, 1, folder / "scratch"))
    try:
        return list(prove(project, build_graph(project), engine, tests))
    finally:
        engine.close()


def outcome(folder: Path, text: str) -> Proof:
    """What comes of one test."""
    (proof,) = proofs(folder, text)
    return proof


ROWS = (
    "given:\n  bronze.orders:\n"
    "    - {id: 1, person: ann, amount: 5.50, ts: 2026-01-01 08:00:00}\n"
    "    - {id: 1, person: ann, amount: 5.50, ts: 2026-01-01 08:00:00}\n"
    "    - {id: 2, person: bob, amount: many, ts: 2026-01-02}\n"
    "    - {id: 3, person: ann, amount: 91}\n"
)


def test_rows_are_cast_judged_and_deduplicated_as_in_a_run(tmp_path: Path) -> None:
    """Every step of an append; what is rejected must be expected."""
    proof = outcome(
        tmp_path,
        f"model: silver.orders\n{ROWS}expect: [{{id: 1, amount: 5.5, ts: 2026-01-01 08:00:00}}]\n"
        "expect_quarantine: [{rule: 'cast:amount', value: many, person: bob}, {rule: 'between:amount', id: 3}]\n",
    )
    assert (proof.outcome, proof.finding) == ("passed", None)


def test_differences_are_told_row_by_row(tmp_path: Path) -> None:
    """What differs is paired by the key; what is missing and what is too much stand beside."""
    proof = outcome(
        tmp_path,
        f"model: silver.orders\n{ROWS}expect:\n  - {{id: 1, amount: 6}}\n  - {{id: 7, amount: 7}}\n"
        "expect_quarantine: [{rule: 'cast:amount', value: few}, {id: 3}]\n",
    )
    assert proof.outcome == "failed"
    ((meant, real),) = proof.rows.changed
    assert (str(meant["amount"]), str(real["amount"])) == ("6.00", "5.50")
    assert [row["id"] for row in proof.rows.missing] == [7]
    assert proof.rejected.missing == ({"rule": "cast:amount", "value": "few"},)
    assert [(row["rule"], row["value"]) for row in proof.rejected.unexpected] == [("cast:amount", "many")]


VERSIONS = """[
    {amount: 2, valid_from: 2026-01-01, valid_to: 2026-01-03, is_current: false},
    {amount: 3, valid_from: 2026-01-03, valid_to: null, is_current: true}]"""


@pytest.mark.parametrize(
    ("model", "expect"),
    [
        ("silver.newest", "[{id: 1, amount: 3, ts: 2026-01-03}]"),
        ("silver.versions", VERSIONS),
    ],
)
def test_every_kind_does_its_own_work(tmp_path: Path, model: str, expect: str) -> None:
    """The newest row, or every version."""
    days = (("3", "03"), ("2", "01"), ("2", "02"))
    rows = ", ".join(f"{{id: 1, amount: {amount}, ts: 2026-01-{day}}}" for amount, day in days)
    proof = outcome(tmp_path, f"model: {model}\ngiven: {{bronze.orders: [{rows}]}}\nexpect: {expect}\n")
    assert (proof.outcome, proof.finding) == ("passed", None)


def test_models_between_are_done_as_well(tmp_path: Path) -> None:
    """Rows may be given where they enter, or right before the model, with the types of its table."""
    found = proofs(
        tmp_path,
        "model: gold.by_person\ntests:\n"
        f"  from bronze:\n    {ROWS.replace(chr(10), chr(10) + '    ').rstrip()}\n"
        "    expect: [{person: ann, orders: 1, amount: 5.50}]\n"
        "  from silver:\n    given:\n"
        "      silver.orders: [{id: 1, person: ann, amount: 60}, {id: 2, person: ann, amount: 60}]\n"
        "    expect: []\n    expect_quarantine: [{rule: 'between:amount', value: 120.00, person: ann}]\n"
        "  from nothing:\n    expect: []\n",
    )
    assert [(proof.test.name, proof.outcome, proof.finding) for proof in found] == [
        ("t: from bronze", "passed", None),
        ("t: from silver", "passed", None),
        ("t: from nothing", "passed", None),
    ]


def test_the_clock_stands_still(tmp_path: Path) -> None:
    """And columns that are not given are NULL, also those of a joined table."""
    (first, second) = proofs(
        tmp_path,
        "model: gold.named\ngiven:\n  silver.orders: [{id: 1, person: ann, ts: 2025-12-31 23:00:00}]\ntests:\n"
        "  at first: {expect: [{id: 1, name: null, age: 1}]}\n"
        "  later: {now: 2026-03-01, given: {bronze.people: [{person: ann, name: A}]}, expect: [{name: A, age: 60}]}\n",
    )
    assert (first.outcome, second.outcome) == ("passed", "passed"), (first, second)


def test_a_check_may_be_meant_to_stop_the_step(tmp_path: Path) -> None:
    """Another, or none, is a failure."""
    rows = "given: {silver.orders: [{id: 1, amount: 11}]}\n"
    head = "model: gold.stopping\n"
    right = outcome(tmp_path, head + rows + "expect_stop: between:amount\n")
    assert (right.outcome, right.stopped) == ("passed", "between:amount")
    wrong = outcome(tmp_path, head + rows + "expect: [{id: 1}]\n")
    assert (wrong.outcome, wrong.finding and wrong.finding.code) == ("failed", "MP-6001")
    never = outcome(tmp_path, head + rows.replace("11", "9") + "expect_stop: between:amount\n")
    assert (never.outcome, never.stopped) == ("failed", None)


def test_types_of_a_typed_source_are_those_of_the_given_values(tmp_path: Path) -> None:
    """Numbers and dates of a Parquet source; text where they are of several kinds."""
    proof = outcome(
        tmp_path,
        "model: gold.parts\ngiven:\n  bronze.parts: [{weight: 1.5, made: 2026-01-01}, {weight: 2, made: 2025-01-01}]\n"
        "expect: [{weight: 3.5, made: 2026-01-01}]\n",
    )
    assert (proof.outcome, proof.finding) == ("passed", None)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("model: silver.order\nexpect: []\n", "MP-1121", (1, 8)),
        ("model: silver.orders\ngiven: {bronze.people: []}\nexpect: []\n", "MP-1124", (2, 9)),
        ("model: silver.orders\nexpect: [{id: 1, amuont: 2}]\n", "MP-1125", (2, 18)),
        ("model: silver.orders\nexpect: [{id: one}]\n", "MP-1126", (2, 15)),
        ("model: gold.by_person\ngiven: {silver.orders: [{idd: 1}]}\nexpect: []\n", "MP-1125", (2, 26)),
        ("model: gold.by_person\ngiven: {silver.orders: [{id: 1}, {id: x}]}\nexpect: []\n", "MP-1126", (2, 39)),
    ],
)
def test_what_cannot_be_tried_is_told_at_its_place(
    tmp_path: Path, text: str, code: str, place: tuple[int, int]
) -> None:
    """By the test, and by a check that does not do it."""
    proof = outcome(tmp_path, text)
    project = load(tmp_path, environ={})
    engine = DuckDBEngine(Limits(200_000_000, 1, tmp_path / "scratch"))
    (finding,) = problems(project, build_graph(project), engine, read_tests(tmp_path)[0])
    engine.close()
    assert proof.finding == finding
    assert finding.where is not None
    assert (finding.code, (finding.where.line, finding.where.column)) == (code, place)


ORDER = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3", ""]),
        "person": st.sampled_from(["ann", "bob"]),
        "amount": st.sampled_from(["1", "5.25", "many", "91", ""]),
        "ts": st.sampled_from(["2026-01-01", "2026-01-02 10:00:00", "never", ""]),
    }
)
TABLES = ("silver.orders", "silver.newest", "silver.versions", "gold.by_person")


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(st.lists(ORDER, min_size=1, max_size=6))
def test_a_test_gives_what_a_run_gives(orders: list[dict[str, str]]) -> None:
    """The same rows, through the lake and without it: tables and quarantine are the same for every kind."""
    lines = [
        "id,person,amount,ts",
        *(",".join(row[name] for name in ("id", "person", "amount", "ts")) for row in orders),
    ]
    files = {path: text for path, text in FILES.items() if "stopping" not in path and "parts" not in path}
    with temporary_lake(files) as lake:
        lake.deliver("data/orders.csv", "\n".join(lines) + "\n")
        lake.deliver("data/people.csv", "person,name\n")
        report = lake.run()
        assert report.ok, report.failures
        rows = ", ".join("{" + ", ".join(f"{k}: {_yaml(v)}" for k, v in row.items()) + "}" for row in orders)
        for name in TABLES:
            held = lake.rows(f"SELECT COLUMNS(*)::VARCHAR FROM {name}")
            bad = lake.rows(f"SELECT rule, value FROM quarantine.records WHERE model = '{name}'")
            text = (
                f"model: {name}\ngiven: {{bronze.orders: [{rows}]}}\n"
                f"expect: [{_flow(held)}]\nexpect_quarantine: [{_flow(bad)}]\n"
            )
            lake.write("tests/t.yaml", text)
            house = lake.lakehouse
            (proof,) = prove(house.project, house.runner.graph(), house.engine, read_tests(lake.folder)[0])
            assert proof.outcome == "passed", (text, proof)


def _flow(rows: list[dict[str, Any]]) -> str:
    return ", ".join("{" + ", ".join(f"{k}: {_yaml(v)}" for k, v in row.items()) + "}" for row in rows)


def _yaml(value: str | None) -> str:
    return "null" if value in (None, "") else f"'{value}'"


def test_rows_are_compared_in_any_order_each_as_often_as_it_is_there() -> None:
    """Floating numbers nearly; true is not 1; what is left is paired by key, or by likeness."""
    one, two = {"k": 1, "v": 0.1 + 0.2}, {"k": 2, "v": date(2026, 1, 1)}
    assert compare(("k", "v"), (), [one, two], [two, {"k": 1, "v": 0.3}]).empty
    assert compare(("k", "v"), (), [one, one], [one]).missing == (one,)
    assert not compare(("k",), (), [{"k": True}], [{"k": 1}]).empty
    assert compare(("k",), (), [{"k": float("nan")}], [{"k": float("nan")}]).empty
    paired = compare(("k", "v"), ("k",), [{"k": 1, "v": 2}], [{"k": 2, "v": 2}, {"k": 1, "v": 3}])
    assert (paired.changed, paired.unexpected) == ((({"k": 1, "v": 2}, {"k": 1, "v": 3}),), ({"k": 2, "v": 2},))
    alike = compare(("a", "b", "c"), (), [{"a": 1, "b": 2, "c": 3}], [{"a": 1, "b": 2, "c": 4}])
    assert len(alike.changed) == 1


def test_a_test_takes_milliseconds(tmp_path: Path) -> None:
    """None of them opens a lake: no state folder is made."""
    found = proofs(
        tmp_path, f"model: silver.orders\n{ROWS}expect: [{{id: 1}}]\nexpect_quarantine: [{{id: 2}}, {{id: 3}}]\n"
    )
    assert [proof.outcome for proof in found] == ["passed"]
    assert found[0].seconds < 5  # many times what it takes, on a busy machine
    assert not (tmp_path / ".millpond").exists()
    assert found[0].test.model == TableName("silver", "orders")


PARTNERS = {
    "models/silver/people.sql": "/*---\nkind: append\nkey: [person]\n---*/\nSELECT person FROM bronze.people\n",
    "models/silver/paid.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n"
        "  - relationship: {person: silver.people.person}\n"
        "  - relationship: {part: bronze.stock.part}\n"
        "  - {sql: SELECT id FROM silver.paid WHERE id = 13, name: unlucky}\n"
        "  - row_count: [1000, null]\n---*/\n"
        "SELECT id::INTEGER AS id, person, part FROM bronze.orders\n"
    ),
    "sources/stock.yaml": "kind: files\npaths: ['data/stock*.csv']\nformat: csv\n",
}
PAID = (
    "model: silver.paid\ngiven:\n  bronze.orders:\n    - {id: %s, person: ann}\n    - {id: 2, person: bob, part: x}\n"
)


def test_a_row_is_checked_against_the_rows_given_of_other_tables(tmp_path: Path) -> None:
    """What a check looks into is made first, of what is given; a table of which nothing is given is empty."""
    text = (
        f"{PAID % 1}  bronze.people:\n    - {{person: ann}}\n    - {{person: bob}}\n"
        "expect: [{id: 1}]\nexpect_quarantine: [{rule: 'relationship:part', value: x}]\n"
    )
    (proof,) = proofs(tmp_path, text, **PARTNERS)
    assert (proof.outcome, proof.finding) == ("passed", None)


def test_a_test_stops_at_rows_that_a_query_finds_and_not_at_what_the_whole_table_is(tmp_path: Path) -> None:
    """A few given rows are no reason to say that the table has too few."""
    text = f"{PAID % 13}  silver.people: [{{person: ann}}]\n  bronze.stock: [{{part: x}}]\nexpect_stop: sql:unlucky\n"
    (proof,) = proofs(tmp_path, text, **PARTNERS)
    assert (proof.outcome, proof.stopped) == ("passed", "sql:unlucky")


def test_a_contract_is_held_in_a_test_too(tmp_path: Path) -> None:
    """A row without a value that the contract asks for is rejected; a type that the query does not give is told."""
    matter = "/*---\nkind: append\nkey: [id]\ncolumns:\n  amount: {contract}\n---*/\n"
    model = f"{matter}SELECT id, amount::INT AS amount FROM bronze.orders\n"
    text = (
        "model: gold.held\ngiven:\n  bronze.orders: [{id: a, amount: 1}, {id: b}]\n"
        "expect: [{id: a, amount: 1}]\nexpect_quarantine: [{rule: 'nullable:amount', id: b}]\n"
    )
    files = {"models/gold/held.sql": model.replace("{contract}", "{type: INTEGER, nullable: false}")}
    (proof,) = proofs(tmp_path, text, **files)
    assert (proof.outcome, proof.finding) == ("passed", None)
    files = {"models/gold/held.sql": model.replace("{contract}", "{type: BIGINT}")}
    (proof,) = proofs(tmp_path, text, **files)
    assert proof.finding is not None
    assert (proof.outcome, proof.finding.code) == ("failed", "MP-2140")
