"""The reviewed list holds every function of the engine."""

from __future__ import annotations

import duckdb
import pytest

from millpond.engines.duckdb import extension_path
from millpond.governance.guard import allowed_functions, reviewed

PARSER_ONLY = {("row", "unnest")}
KINDS = {"table": "table", "table_macro": "table", "pragma": "pragma"}
NEVER = (
    "read_",
    "duckdb_",
    "pragma_",
    "parquet_",
    "__internal",
    "has_",
    "pg_get",
    "query",
    "current_setting",
    "getenv",
    "st_read",
    "shapefile",
)


def engine_functions() -> set[tuple[str, str]]:
    """Every function of the engine, and of the extension that a project may ask for, as (kind, name)."""
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as con:
        con.execute(f"LOAD '{extension_path('spatial')}'")
        rows = con.execute("SELECT DISTINCT function_type, lower(function_name) FROM duckdb_functions()").fetchall()
    return {(KINDS.get(kind, "row"), name) for kind, name in rows} | PARSER_ONLY


def test_every_function_of_the_engine_has_been_reviewed() -> None:
    """A new engine version shows here which functions came and went."""
    known = {(kind, name) for _, kind, name in reviewed()}
    assert known - engine_functions() == set(), "gone from the engine"
    assert engine_functions() - known == set(), "new in the engine: review, then list as allow or deny"


def test_each_function_is_listed_once() -> None:
    """With one verdict."""
    listed = [(kind, name) for _, kind, name in reviewed()]
    assert len(listed) == len(set(listed))
    assert [name for _, name in listed] == [name.lower() for _, name in listed], "names are compared in lower case"
    assert {verdict for verdict, _, _ in reviewed()} == {"allow", "deny"}


def test_only_functions_of_their_arguments_stand_in_from() -> None:
    """No file, no catalog, no string that is SQL."""
    assert allowed_functions()["table"] == {"range", "generate_series", "unnest", "json_each", "json_tree"}


@pytest.mark.parametrize("beginning", NEVER)
def test_families_that_look_outside_are_refused_whole(beginning: str) -> None:
    """Files, the engine's catalog, settings, and what its optimizer uses inside."""
    allowed = allowed_functions()["row"] | allowed_functions()["table"]
    assert [name for name in sorted(allowed) if name.startswith(beginning)] == []
