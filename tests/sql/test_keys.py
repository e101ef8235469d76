"""Surrogate keys: the engine computes what a page of Python says, and different values have different keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.core.errors import ProjectError
from millpond.core.names import literal
from millpond.project.sql_file import SqlFile
from millpond.sql.expansion import NO_MACROS, Library, expand
from millpond.sql.groups import GroupKey, group_expressions
from millpond.sql.macros import read_macros
from millpond.sql.parse import parse
from millpond.sql.written import Written

MODEL = Path("models/silver/m.sql")
TEXTS = st.lists(st.none() | st.text(st.sampled_from("ab|\\N ,é0"), max_size=3), min_size=1, max_size=3)


def plain(sql: str, library: Library = NO_MACROS) -> str:
    """What a model's text becomes."""
    return expand(Written.of(SqlFile(MODEL, sql)), MODEL, library).sql


def told(values: Sequence[str | None]) -> str:
    """The text that is hashed: NULL is \\N, in values \\ and | have a \\ before them, and | stands between."""
    return "|".join("\\N" if v is None else v.replace("\\", "\\\\").replace("|", "\\|") for v in values)


def key_of(values: Sequence[str | None]) -> str:
    """The key of some texts, by Python."""
    return hashlib.md5(told(values).encode()).hexdigest()


def computed(*values: str) -> str:
    """The key of SQL values, by the engine."""
    (found,) = duckdb.sql(plain(f"SELECT surrogate_key({', '.join(values)}) AS k")).fetchall()
    return str(found[0])


def test_a_key_is_the_same_for_ever() -> None:
    """Keys lie in tables: what they are may never change. `printf 'a|bc' | md5sum` gives the first."""
    assert computed("'a'", "'bc'") == "8a7d22c8204c8d23ca1da728c29313ad"
    assert computed("7", "DATE '2026-03-01'") == key_of(["7", "2026-03-01"])
    assert computed("1.50::DECIMAL(9, 2)", "TRUE", "NULL") == key_of(["1.50", "true", None])
    assert computed("TIMESTAMP '2026-03-01 10:00:00'") == key_of(["2026-03-01 10:00:00"])


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_different_values_have_different_keys(some: list[str | None], others: list[str | None]) -> None:
    """Also where the same letters fall to other values, where one is empty, and where one is NULL."""
    keys = [computed(*("NULL" if v is None else literal(v) for v in values)) for values in (some, others)]
    assert keys == [key_of(some), key_of(others)]
    assert (keys[0] == keys[1]) == (some == others)


def test_a_macro_may_call_it_and_none_may_hide_it() -> None:
    """It is written out as macros are, wherever they are."""
    files = (SqlFile(Path("m.sql"), "CREATE MACRO of_shop(a) AS surrogate_key('shop', a);"),)
    sql = plain("SELECT of_shop(x || 'y') AS k FROM silver.t", read_macros(files, ()))
    assert "surrogate_key" not in sql
    assert duckdb.sql(sql.replace("silver.t", "(SELECT 'x' AS x)")).fetchall() == [(key_of(["shop", "xy"]),)]
    hiding = read_macros((SqlFile(Path("m.sql"), "CREATE MACRO surrogate_key(a) AS a;"),), ())
    assert [found.code for found in hiding.findings] == ["MP-1306"]


@pytest.mark.parametrize(
    ("call", "message"), [("surrogate_key()", "needs a value"), ("surrogate_key(b := 1)", "no arg")]
)
def test_a_call_that_does_not_fit_is_refused_at_its_place(call: str, message: str) -> None:
    """As a call of a macro is."""
    with pytest.raises(ProjectError) as caught:
        plain(f"SELECT {call} AS k")
    assert caught.value.code == "MP-1309"
    assert message in caught.value.finding.message
    where = caught.value.finding.where
    assert where is not None
    assert (where.line, where.path) == (1, MODEL)


def test_a_key_of_the_first_tables_columns_can_be_a_models_key() -> None:
    """The proof of its groups sees through it."""
    sql = plain("SELECT surrogate_key(o.shop, o.id) AS k, c.v FROM silver.o LEFT JOIN silver.c ON o.a = c.a")
    found = group_expressions(parse(sql, MODEL), ["k"])
    assert isinstance(found, GroupKey)
    assert [join.pairs for join in found.joins] == [(("a", "=", "a"),)]
