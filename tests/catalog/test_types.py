"""Types, both ways between Iceberg and DuckDB."""

from __future__ import annotations

import itertools

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.schema import Schema as PySchema

from millpond.catalog.fields import ids
from millpond.catalog.types import (
    iceberg_type,
    portable_problem,
    read_type,
    schema_json,
    schema_of,
    storable,
    to_duckdb,
)
from millpond.core.errors import CatalogError
from millpond.core.schema import Column, Schema

PLAIN = {
    "BOOLEAN": "boolean",
    "INTEGER": "int",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "DECIMAL(18,3)": "decimal(18, 3)",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "string",
    "UUID": "uuid",
    "BLOB": "binary",
}
HELD = sorted(set(PLAIN) - {"TIME"})
names = st.text(min_size=1, max_size=8).filter(lambda text: "\x00" not in text)
types = st.recursive(
    st.sampled_from(HELD),
    lambda inner: st.one_of(
        inner.map(lambda kind: f"{kind}[]"),
        st.tuples(inner, inner).map(lambda pair: f"MAP({pair[0]}, {pair[1]})"),
        st.dictionaries(names, inner, min_size=1, max_size=3).map(
            lambda members: (
                "STRUCT(" + ", ".join(f'"{k.replace(chr(34), chr(34) * 2)}" {v}' for k, v in members.items()) + ")"
            )
        ),
    ),
    max_leaves=6,
)


def counter(first: int = 1) -> itertools.count[int]:
    return itertools.count(first)


@pytest.mark.parametrize(("duck", "ice"), PLAIN.items())
def test_plain_types_go_both_ways(duck: str, ice: str) -> None:
    """Each plain type has one counterpart."""
    assert iceberg_type(duck, counter().__next__) == ice
    assert to_duckdb(ice) == duck


@given(types)
def test_any_held_type_comes_back_the_same(kind: str) -> None:
    """DuckDB name to Iceberg and back loses nothing, however deep it is nested."""
    assert to_duckdb(iceberg_type(kind, counter().__next__)) == read_type(kind).text()


@pytest.mark.parametrize(
    "kind",
    [
        *PLAIN,
        *("TINYINT", "UBIGINT", "HUGEINT", "TIMESTAMP_S", "TIMESTAMP_NS", "TIME WITH TIME ZONE", "INTERVAL", "BIT"),
        *("ENUM('a', 'it''s')", "UNION(num INTEGER, str VARCHAR)", "INTEGER[3]", "BIGINT[][]", "JSON"),
        'STRUCT("a b" INTEGER, "c""d" VARCHAR[])',
        "MAP(VARCHAR, STRUCT(x DECIMAL(9,2)[]))",
    ],
)
def test_every_name_that_duckdb_writes_can_be_read(kind: str) -> None:
    """What DESCRIBE says is understood, and written again it is the same type to DuckDB."""
    with duckdb.connect() as engine:
        written = engine.sql(f"SELECT NULL::{kind} AS c").types[0]
        text = read_type(str(written)).text()
        if "ENUM" not in kind:
            assert engine.sql(f"SELECT NULL::{text} AS c").types[0] == written


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("int", "INTEGER"),
        ("text", "VARCHAR"),
        ("double precision", "DOUBLE"),
        ("numeric(5)", "DECIMAL(5,0)"),
        ("decimal", "DECIMAL(18,3)"),
        ("varchar(20)", "VARCHAR"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp without time zone", "TIMESTAMP"),
        ("row(a int)", 'STRUCT("a" INTEGER)'),
    ],
)
def test_other_words_for_types_are_known(short: str, full: str) -> None:
    """An author may write the SQL words."""
    assert read_type(short).text() == full


@pytest.mark.parametrize("text", ["", "STRUCT(", "BIGINT]", "MAP(BIGINT)", "DECIMAL(a,b) x", "1", "BIGINT; DROP"])
def test_what_is_no_type_is_refused(text: str) -> None:
    """A name that cannot be read is an error with the text in it."""
    with pytest.raises(CatalogError) as refused:
        read_type(text)
    assert refused.value.code == "MP-3042"


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("SMALLINT", "INTEGER"),
        ("UINTEGER", "BIGINT"),
        ("UBIGINT", "DECIMAL(20,0)"),
        ("TIMESTAMP_NS", "TIMESTAMP"),
        ("JSON", "VARCHAR"),
        ("ENUM('a')", "VARCHAR"),
        ("INTEGER[3]", "INTEGER[]"),
        ("STRUCT(a UTINYINT[])", 'STRUCT("a" INTEGER[])'),
        ("MAP(SMALLINT, JSON)", "MAP(INTEGER, VARCHAR)"),
        ("HUGEINT", "HUGEINT"),
        ("BIGINT", "BIGINT"),
    ],
)
def test_types_are_widened_where_nothing_is_lost(kind: str, held: str) -> None:
    """A type without an equal gets the smallest that holds it; one without any comes back as it is."""
    assert storable(kind) == held


@pytest.mark.parametrize(
    "kind",
    [
        "HUGEINT",
        "INTERVAL",
        "TIME",
        "TIME WITH TIME ZONE",
        "BIT",
        "UNION(a INTEGER)",
        "STRUCT(a HUGEINT)",
        "INTERVAL[]",
        "MAP(VARCHAR, BIT)",
        "SMALLINT",
    ],
)
def test_a_type_that_is_not_portable_says_why(kind: str) -> None:
    """Also when it is nested."""
    assert portable_problem(kind)


@given(types)
def test_held_types_have_no_problem(kind: str) -> None:
    """What goes to Iceberg as it is needs no word, and no widening."""
    assert portable_problem(kind) is None
    assert storable(kind) == read_type(kind).text()


@pytest.mark.parametrize("kind", ["HUGEINT", "SMALLINT", "STRUCT(a INTERVAL)"])
def test_a_schema_of_other_types_is_refused(kind: str) -> None:
    """The caller widens first; nothing is changed silently."""
    with pytest.raises(CatalogError) as refused:
        schema_json(Schema((Column("a", kind),)))
    assert refused.value.code == "MP-3037"


def test_unknown_iceberg_types_are_refused() -> None:
    """A type of a later format is not guessed."""
    with pytest.raises(CatalogError):
        to_duckdb("interval")
    with pytest.raises(CatalogError):
        to_duckdb({"type": "set", "element": "int"})


@given(st.lists(types, min_size=1, max_size=5))
def test_schemas_are_what_other_readers_expect(kinds: list[str]) -> None:
    """PyIceberg reads the schema, ids are unique and dense, and the columns come back."""
    schema = Schema(tuple(Column(f"c{place}", read_type(kind).text()) for place, kind in enumerate(kinds)))
    document = schema_json(schema)
    read = PySchema.model_validate(document)
    assert [field.name for field in read.fields] == list(schema.names)
    numbers = sorted(ids(document))
    assert numbers == list(range(1, len(numbers) + 1))
    assert schema_of(document) == schema


def test_required_and_doc_are_kept() -> None:
    """What is said of a column stays said."""
    schema = Schema((Column("a", "BIGINT", required=True, doc="the key"), Column("b", "VARCHAR")))
    assert schema_of(schema_json(schema)) == schema
