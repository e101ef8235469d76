"""The lists of functions are those of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from millpond.engines.duckdb import extension_path
from millpond.sql.functions import AGGREGATES, ROW_MAKERS, VOLATILE

PARSED_ONLY = {"percentile_cont", "percentile_disc", "grouping", "grouping_id"}
SESSION = {"getvariable", "current_setting", "error"}


@contextmanager
def everything() -> Iterator[duckdb.DuckDBPyConnection]:
    """The engine with the extension that a project may ask for."""
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as con:
        con.execute(f"LOAD '{extension_path('spatial')}'")
        yield con


def names(condition: str) -> set[str]:
    with everything() as con:
        found = con.execute(
            f"SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE {condition}"
        ).fetchall()
    return {name for (name,) in found}


def macros_that_call(functions: frozenset[str]) -> set[str]:
    """The engine's macros whose definition calls one of the functions directly."""
    with everything() as con:
        rows = con.execute(
            "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'"
        ).fetchall()
    return {
        name for name, text in rows if any(f"{called}(" in f" {text}".replace("_" + called, "") for called in functions)
    }


def test_every_aggregate_of_the_engine_is_known() -> None:
    """A new aggregate would make a query look row-preserving that is not."""
    assert names("function_type = 'aggregate'") <= AGGREGATES
    assert names("true") | PARSED_ONLY >= AGGREGATES


def test_every_volatile_function_of_the_engine_is_known() -> None:
    """What answers differently each time is known by the engine's own word."""
    assert names("stability <> 'CONSISTENT'") <= VOLATILE


def test_macros_over_aggregates_are_aggregates() -> None:
    """A macro that calls an aggregate turns many rows into one as well."""
    hidden = {"geomean", "geometric_mean", "json_group_array", "json_group_object", "json_group_structure"}
    assert hidden | {"wavg", "weighted_avg"} <= AGGREGATES
    for name in sorted(names("function_type = 'macro'") & AGGREGATES):
        assert name in hidden | {"wavg", "weighted_avg"}


def test_macros_that_unnest_make_rows() -> None:
    """A macro that calls unnest makes rows as well."""
    assert macros_that_call(frozenset({"unnest"})) <= ROW_MAKERS
