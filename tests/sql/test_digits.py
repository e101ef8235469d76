"""JSON numbers keep the digits they were written with, beside a plain reading of the same text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.sql.digits import exact_fields, unusual_numbers


class Written(str):
    """A number as it was written."""

    __slots__ = ()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def plain(text: str, keys: tuple[str, ...]) -> list[str | None]:
    """The fields of an object, by Python's own reading: numbers untouched, nested values without blanks."""
    read = json.loads(text, parse_float=Written, parse_int=Written)
    return [None if read.get(key) is None else top(read[key]) for key in keys]


def top(value: Any) -> str:
    """A field's text: a string is itself."""
    return value if isinstance(value, str) else inside(value)


def inside(value: Any) -> str:
    """A value inside another, as JSON."""
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{inside(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(inside, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def read(con: duckdb.DuckDBPyConnection, text: str, keys: tuple[str, ...]) -> list[str | None]:
    """The fields as a load reads them."""
    pointers = ", ".join(f"'/{key}'" for key in keys)
    fields = (
        f"CASE WHEN {unusual_numbers('j')} THEN {exact_fields('j', pointers)} "
        f"ELSE json_extract_string(j, [{pointers}]) END"
    )
    found = con.execute(f"SELECT {fields} FROM (SELECT ?::JSON AS j)", [text]).fetchone()
    assert found is not None
    return list(found[0])


HARD = (
    *(
        "1.10",
        "1e400",
        "12345678901234567890123",
        "-0.0",
        "0.1e-7",
        "-0",
        "0",
        "100",
        "-5",
        "1E5",
        "1.0",
        "0.00",
        "1.5",
    ),
    *("0.30000000000000001", "123456789.123456789123456789", "18446744073709551615", "18446744073709551616"),
    *("1780000000.1234567", "12345678901234.56", "0.000001", "0.0000001", "-1.50e+10", "1.7976931348623157e309"),
)


@pytest.mark.parametrize("number", HARD)
@pytest.mark.parametrize(
    "text",
    [
        '{"a":%s}',
        '{ "a" : %s }',
        '{"a":[%s,%s, %s],"b":%s}',
        '{"b":{"a":{"x":[[%s],{"y":%s}]}},"a":"%s"}',
        '{"a":"say \\"a\\": %s, b","b":%s}',
        '{"a":"{\\"x\\":%s}","b":[%s,"[%s"]}',
        '{"a":"no number","b":"x\\\\","c":%s}',
    ],
)
def test_a_number_stays_as_it_was_written(con: duckdb.DuckDBPyConnection, number: str, text: str) -> None:
    """At the top, nested, between blanks, and beside texts that look like numbers."""
    filled = text.replace("%s", number)
    assert read(con, filled, ("a", "b", "c")) == plain(filled, ("a", "b", "c"))


numbers = st.one_of(
    st.sampled_from(HARD),
    st.integers(-(10**25), 10**25).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
).map(Written)
texts = st.text(alphabet='ab0123456789.eE+-,:[]{}" \\é', max_size=12)
values = st.recursive(
    st.one_of(numbers, texts, st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from("abc"), values, min_size=1)


@settings(max_examples=300)
@given(objects, st.booleans())
def test_any_object_is_read_as_plainly(con: duckdb.DuckDBPyConnection, given: dict[str, Any], blanks: bool) -> None:
    """Whatever texts stand beside them, numbers keep their digits and texts their characters."""
    text = inside(given)
    if blanks:
        text = text.replace('":', '" : ') if ":" not in json.dumps(list(_texts(given))) else text
    assert read(con, text, ("a", "b", "c")) == plain(text, ("a", "b", "c"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


@given(st.lists(numbers, min_size=50, max_size=50))
@settings(max_examples=20)
def test_what_is_not_looked_at_closely_is_written_as_it_was(
    con: duckdb.DuckDBPyConnection, written: list[Written]
) -> None:
    """Every number that the engine would change is found beforehand, also where blanks hide that it would."""
    rows = con.execute(
        "SELECT t FROM (SELECT unnest(?::VARCHAR[]) AS t) AS n, "
        "LATERAL (SELECT concat('{\"a\": ', t, '}')::JSON AS j) "
        f"WHERE json_extract_string(j, '/a') <> t AND NOT {unusual_numbers('j')}",
        [[str(number) for number in written]],
    ).fetchall()
    assert rows == []


def test_the_mark_in_a_text_is_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    """A record that has it, plain or escaped, is read in the ordinary way."""
    for text in ('{"a":["\ufdd01.10"],"b":1.10}', '{"a":["\\uFDD01.10"],"b":1.10}'):
        assert read(con, text, ("a",)) == ['["\ufdd01.10"]']
