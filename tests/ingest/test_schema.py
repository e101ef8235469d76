"""Columns are matched by name; what is new, missing or retyped follows the source's policy."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.plain import Lake
from millpond.core.errors import IngestError


def test_reordered_columns_are_matched_by_name(lake: Lake) -> None:
    """The header of each file says which field is which, in any case."""
    lake.write("a.csv", "id,name\n1,one\n")
    lake.write("b.csv", "Name,ID\ntwo,2\n")

    lake.load()

    assert lake.rows("id", "name") == [("1", "one"), ("2", "two")]


def test_new_columns_are_added_and_missing_ones_are_null(lake: Lake) -> None:
    """Evolving is the default."""
    lake.write("a.csv", "id,name\n1,one\n")
    lake.load()
    lake.write("b.csv", "id,size\n2,9\n")

    landed = lake.load()

    assert [column.name for column in landed.columns] == ["size"]
    assert lake.rows("id", "name", "size") == [("1", "one", None), ("2", None, "9")]


def test_rescue_keeps_new_fields_as_json(lake: Lake) -> None:
    """With `rescue` the table stays as it is."""
    lake.settings = {"on_schema_change": "rescue"}
    lake.write("a.csv", "id,name\n1,one\n")
    lake.load()
    lake.write("b.csv", 'id,size,note\n2,9,"a ""b"""\n3,,\n')

    landed = lake.load()

    assert landed.columns == ()
    assert lake.rows("id", "name", "_rescued") == [
        ("1", "one", None),
        ("2", None, '{"size":"9","note":"a \\"b\\""}'),
        ("3", None, None),
    ]


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [("id,name,nam\n1,2,3\n", "MP-5005", "'nam'"), ("id\n1\n", "MP-5006", "'name'")],
)
def test_freeze_refuses_other_columns(lake: Lake, text: str, code: str, named: str) -> None:
    """The error names file and column, and nothing lands."""
    lake.settings = {"on_schema_change": "freeze"}
    lake.write("a.csv", "id,name\n1,one\n")
    lake.load()
    lake.write("b.csv", text)

    with pytest.raises(IngestError) as refused:
        lake.load()

    assert refused.value.code == code
    assert named in str(refused.value)
    assert "data/b.csv" in str(refused.value)
    assert lake.rows("id") == [("1",)]


def test_declared_columns_have_their_types(lake: Lake) -> None:
    """A declared type is cast to; what does not fit is rescued."""
    lake.settings = {"columns": {"id": "BIGINT", "day": "DATE", "later": "VARCHAR"}}
    lake.write("a.csv", "day,id,more\n2024-01-31,1,x\n2024-13-01,2.5,y\n")

    lake.load()

    assert lake.ask("SELECT id, day::VARCHAR, later, more, _rescued FROM {things} ORDER BY _position") == [
        (1, "2024-01-31", None, "x", None),
        (None, None, None, "y", '{"id":"2.5","day":"2024-13-01"}'),
    ]


def test_a_file_without_any_known_column_is_something_else(lake: Lake) -> None:
    """An error message under a good name is no such file."""
    lake.write("a.csv", "id,name\n1,one\n")
    lake.write("b.csv", "Service unavailable\n")
    lake.write("c.csv", "id,size\n1,2\n")

    landed = lake.load()

    assert lake.rows("id", "name", "size") == [("1", "one", None), ("1", None, "2")]
    assert [file.outcome for file in landed.files] == ["loaded", "rejected", "loaded"]
    assert lake.ask("SELECT rule, origin FROM {records}") == [("no_known_column", "data/b.csv")]


def test_known_columns_tell_a_header_from_values(lake: Lake) -> None:
    """A header of numbers is a header where the table has such columns."""
    lake.write("a.csv", "country,2010,2011\nCH,1,2\n")
    lake.settings = {"csv": {"header": True}}
    lake.load()
    lake.settings = {}
    lake.seen.clear()
    lake.write("b.csv", "country,2010,2011\nDE,3,4\n")

    lake.load()

    assert ("DE", "3", "4") in lake.rows("country", "2010", "2011")


def test_field_names_used_as_data_are_rescued(lake: Lake) -> None:
    """Beyond a thousand columns, fields are kept in _rescued."""
    fields = ", ".join(f'"k{number}": {number}' for number in range(1200))
    lake.write("a.ndjson", f"{{{fields}}}\n")

    landed = lake.load()

    assert len(landed.columns) == 1000
    assert lake.ask("SELECT json_array_length(json_keys(_rescued)::JSON) FROM {things}") == [(200,)]


_NAMES = st.lists(st.sampled_from(["id", "a", "b", "c", "D", "e f"]), min_size=1, max_size=6, unique=True)


@given(headers=st.lists(_NAMES, min_size=1, max_size=5), seed=st.randoms(use_true_random=False))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_columns_gives_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, headers: list[list[str]], seed: object
) -> None:
    """Each value lands under its name, whatever columns its file has, in which order."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    wanted = []
    for number, names in enumerate(headers):
        header = ["key", *names]
        values = [f"{number}", *(f"{name}{number}" for name in names)]
        order = list(range(len(header)))
        seed.shuffle(order)  # type: ignore[attr-defined]
        rows = [[header[i] for i in order], [values[i] for i in order]]
        lake.write(f"{number}.csv", "".join(",".join(row) + "\n" for row in rows))
        wanted.append(dict(zip(header, values, strict=True)))

    lake.load()

    columns = ["key", *sorted({name for names in headers for name in names})]
    got = [dict(zip(columns, row, strict=True)) for row in lake.rows(*columns)]
    assert [{name: value for name, value in row.items() if value is not None} for row in got] == wanted
