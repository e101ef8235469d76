"""JSON and NDJSON files: every field a column of text, bad lines one by one into quarantine."""

from __future__ import annotations

import gzip
import json

import pytest

from ingest.plain import Lake


def test_fields_of_objects_become_text_columns(lake: Lake) -> None:
    """Scalars are text, nested values JSON text, null and missing NULL."""
    lake.write("a.ndjson", '{"id": 1, "ok": true, "tags": ["a", {"b": null}]}\n{"id": "x", "late": null}\n')

    lake.load()

    assert lake.rows("id", "ok", "tags", "late", "_position") == [
        ("1", "true", '["a",{"b":null}]', None, 1),
        ("x", None, None, None, 2),
    ]


@pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
def test_numbers_keep_the_digits_they_came_with(lake: Lake, name: str) -> None:
    """Trailing zeros, exponents and digits beyond what a double holds are the author's, at the top and nested."""
    record = (
        '{"price": 1.10, "huge": 1e400, "id": 12345678901234567890123, "zero": -0.0, "tiny": 0.1e-7,'
        ' "deep": {"list": [1.10, -0, {"x": 2.50}], "text": "1.10, [2.50"}}'
    )
    lake.write(name, f"{record}\n{record}\n" if name == "a.ndjson" else f"[{record},\n{record}, 1.10, {{}}]")

    lake.load()

    hard = ("1.10", "1e400", "12345678901234567890123", "-0.0", "0.1e-7")
    deep = '{"list":[1.10,-0,{"x":2.50}],"text":"1.10, [2.50"}'
    assert lake.rows("price", "huge", "id", "zero", "tiny", "deep")[:2] == [(*hard, deep)] * 2
    assert name == "a.ndjson" or lake.rows("_rescued")[2:] == [('{"value":1.10}',), (None,)]


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1, "name": "one"},\n {"id": 2, "name": "two"}]',
        '{"id": 1, "name": "one"}\n{"id": 2, "name": "two"}\n',
        '{"id": 1,\n "name": "one"}\n{"id": 2,\n "name": "two"}\n',
        '\ufeff{"id": 1, "name": "one"}\n{"id": 2, "name": "two"}',
    ],
)
def test_arrays_lines_and_objects_in_a_row_are_read(lake: Lake, text: str) -> None:
    """However a JSON file is laid out, its records are the same."""
    lake.write("a.json", text)

    lake.load()

    assert lake.rows("id", "name", "_position") == [("1", "one", 1), ("2", "two", 2)]


def test_one_object_is_one_record(lake: Lake) -> None:
    """A file may hold a single object, over many lines."""
    lake.write("a.json", json.dumps({"id": 1, "deep": {"x": [1, 2]}}, indent=2))

    lake.load()

    assert lake.rows("id", "deep") == [("1", '{"x":[1,2]}')]


def test_values_that_are_no_objects_are_rescued(lake: Lake) -> None:
    """A value without fields is kept whole."""
    lake.write("a.json", '[{"id": 1}, 42, "text", null, [1]]')

    landed = lake.load()

    assert lake.rows("id", "_rescued") == [
        ("1", None),
        (None, '{"value":42}'),
        (None, '{"value":"text"}'),
        (None, '{"value":null}'),
        (None, '{"value":[1]}'),
    ]
    assert landed.ledger.inserted == 5


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bad_lines_are_quarantined_and_counted_in_the_numbers(lake: Lake, pack: object) -> None:
    """A line that is no JSON goes to quarantine raw; the others keep their number."""
    text = '{"id": 1}\n\n{"id": 2\nnot json at all\n{"id": 4}\n'
    lake.write("a.ndjson", pack(text.encode()))  # type: ignore[operator]

    landed = lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("4", 4)]
    assert lake.ask("SELECT position, rule, raw FROM {records} ORDER BY position") == [
        (2, "not_json", '{"id": 2'),
        (3, "not_json", "not json at all"),
    ]
    assert (landed.ledger.staged, landed.ledger.inserted, landed.ledger.quarantined) == (4, 2, 2)


def test_odd_field_names_are_read(lake: Lake) -> None:
    """Names may hold slashes, tildes, quotes and nothing at all."""
    lake.write("a.ndjson", json.dumps({"a/b": 1, "c~d": 2, 'e"f': 3, "": 4, "_origin": 5, "A": 6, "a": 7}) + "\n")

    lake.load()

    assert lake.rows("a/b", "c~d", 'e"f', "column_4", "_origin_2", "A", "a_2") == [tuple("1234567")]


def test_utf16_json_is_read(lake: Lake) -> None:
    """JSON in another encoding is recoded first."""
    lake.write("a.json", '[{"city": "Zürich"}]'.encode("utf-16"))

    lake.load()

    assert lake.rows("city") == [("Zürich",)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('[{"id": 1}, {"id": ', "cut_json"),
        ('{"id": 1} trailing', "not_json"),
        ("[1, 2", "cut_json"),
        ('[{"id": 1}, {"id": ]', "not_json"),
        ('{"a": b}', "not_json"),
    ],
)
def test_broken_documents_are_refused_as_files(lake: Lake, text: str, rule: str) -> None:
    """A document that is not JSON to its end is quarantined whole; the others land."""
    lake.write("a.json", text)
    lake.write("b.json", '[{"id": 2}]')

    landed = lake.load()

    assert lake.rows("id") == [("2",)]
    assert [(file.path, file.outcome) for file in landed.files] == [
        ("data/a.json", "rejected"),
        ("data/b.json", "loaded"),
    ]
    assert lake.ask("SELECT kind, rule, origin FROM {records}") == [("file", rule, "data/a.json")]


def test_new_fields_become_columns_in_the_order_of_their_coming(lake: Lake) -> None:
    """A field that comes late, in a record or a file, is a column at the end."""
    lake.write("a.ndjson", '{"b": 1}\n{"a": 2, "b": 3}\n')
    lake.load()
    lake.write("b.ndjson", '{"c": 4, "b": 5}\n')

    landed = lake.load()

    assert [column.name for column in landed.columns] == ["c"]
    assert lake.rows() == [("1", None, None), ("3", "2", None), ("5", None, "4")]


def test_a_large_document_is_one_record(lake: Lake) -> None:
    """One object may be larger than the engine's usual limit."""
    lake.write("a.json", json.dumps({"id": 1, "parts": ["x" * 1000] * 20_000}))

    lake.load()

    assert lake.ask("SELECT id, length(parts) > 20000000 FROM {things}") == [("1", True)]
