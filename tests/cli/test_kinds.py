"""Kinds of models that keep what they saw, as their user meets them on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Type

FILES = {
    "millpond.yaml": "version: 1\nname: crm\n",
    "sources/changes.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/customers.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: [day]\ndelete_when: op = 'D'\nexclude: [op]\n---*/\n"
        "SELECT id::INTEGER AS id, city, day::DATE AS day, op FROM bronze.changes\n"
    ),
    "models/silver/moves.sql": (
        "/*---\nkind: scd2\nkey: [id]\nevent_time: day\n---*/\n"
        "SELECT id::INTEGER AS id, city, day::DATE AS day FROM bronze.changes WHERE op <> 'D'\n"
    ),
}


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type) -> Path:
    """A project of changes that has run twice; the working folder is in it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    first = "id,city,day,op\n1,Oslo,2026-01-01,I\n2,Rome,2026-01-01,I\n"
    for name, text in (("a", first), ("b", "id,city,day,op\n1,Bonn,2026-01-05,U\n2,,2026-01-03,D\n")):
        (tmp_path / "data" / f"{name}.csv").write_text(text)
        said = type_("run", "-q")
        assert said.code == 0, said.err
    return tmp_path


def test_show_tells_by_what_a_row_is_newer(crm: Path, type_: Type) -> None:
    """Key and order of an upsert, key and event time of a history."""
    assert "(upsert, key id, order day)" in type_("show", "silver.customers").out
    assert "(scd2, key id, event time day)" in type_("show", "silver.moves").out


def test_side_tables_are_out_of_sight(crm: Path, type_: Type) -> None:
    """Neither `ls` nor `history` nor a query speaks of them unless they are asked for by their layer."""
    assert "state." not in type_("ls").out
    assert [row["table"] for row in type_("ls", "state", "--json").objects()] == [
        "state.silver__customers",
        "state.silver__moves",
    ]
    assert "state." not in type_("history").out
    assert type_("query", "FROM state.silver__moves").code == 1


def test_diff_pairs_versions_by_their_beginning(crm: Path, type_: Type) -> None:
    """A version that ended is one changed row, not two."""
    commits = [row["number"] for row in type_("history", "silver.moves", "--json").objects()]
    found = type_("diff", "silver.moves", "--at", str(min(commits)), "--json").objects()
    assert [(row["change"], (row["after"] or {}).get("city")) for row in found] == [
        ("inserted", "Bonn"),
        ("changed", "Oslo"),
    ]


def test_a_run_counts_stale_rows(crm: Path, type_: Type) -> None:
    """What came too late to matter is said."""
    (crm / "data" / "c.csv").write_text("id,city,day,op\n2,Lima,2026-01-02,U\n")
    said = type_("run")
    assert "silver.customers" in said.out
    assert "1 in, 0 out, 1 stale" in said.out


def test_plan_tells_what_lost_rows_mean(crm: Path, type_: Type) -> None:
    """Before the run, for each kind."""
    (crm / "data" / "c.csv").write_text("id,city,day,op\n2,Lima,2026-01-02,U\n")
    notes = {row["table"]: row.get("note", "") for row in type_("plan", "--json").objects()}
    assert "unless newer ones are there" in notes["silver.customers"]
    assert notes["silver.moves"] == "where input rows went, takes in all rows of their keys"
