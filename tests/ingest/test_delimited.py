"""CSV and TSV files land as they were written, whatever their dialect."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ingest.plain import Lake


def test_values_land_as_text_with_their_origin(lake: Lake) -> None:
    """Every field is text as received; each record says where it came from."""
    lake.write("a.csv", "id,amount\n1,01.50\n2, 3\n")

    landed = lake.load()

    assert lake.rows() == [("1", "01.50"), ("2", " 3")]
    assert lake.rows("_origin", "_position", "_load", "_rescued") == [
        ("data/a.csv", 1, "load-1", None),
        ("data/a.csv", 2, "load-1", None),
    ]
    assert (landed.ledger.staged, landed.ledger.inserted, landed.ledger.quarantined) == (2, 2, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told_by_the_records(lake: Lake, delimiter: str) -> None:
    """Comma, semicolon, tab and bar need no declaration."""
    lake.write("a.csv", f"id{delimiter}name\n1{delimiter}one, and more\n2{delimiter}two\n".replace(", and", " and"))

    lake.load()

    assert lake.rows("id", "name") == [("1", "one and more"), ("2", "two")]


def test_junk_before_the_header_is_skipped(lake: Lake) -> None:
    """Lines of another width, or all but empty, before the header are no records."""
    lake.write("a.csv", "Routes & locations,,,\n,,,\nid,day,lat\n1,2018-06-28,42.3\n2,2018-06-29,42.4\n")

    lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("2", 2)]


def test_junk_with_quotes_and_empty_lines_is_skipped(lake: Lake) -> None:
    """Junk lines are cut off by line, even where they hold an open quote."""
    lake.write("a.csv", 'the 5" report\n\nid,day\n1,2018-06-28\n2,2018-06-29\n')

    lake.load()

    assert lake.rows("id", "day", "_position") == [("1", "2018-06-28", 1), ("2", "2018-06-29", 2)]


def test_declared_lines_are_skipped_whatever_they_hold(lake: Lake) -> None:
    """`skip` counts lines."""
    lake.settings = {"csv": {"skip": 2}}
    lake.write("a.csv", 'a,"b\nc,d\nid,day\n1,2018-06-28\n')

    lake.load()

    assert lake.rows("id", "day") == [("1", "2018-06-28")]


def test_a_file_without_header_gets_numbered_columns(lake: Lake) -> None:
    """Where the first line holds values, columns are column_1, column_2."""
    lake.write("a.csv", "Bronx,12,2014-04-01 00:00\nQueens,3,2014-04-01 01:00\n")

    lake.load()

    assert lake.rows("column_1", "column_2") == [("Bronx", "12"), ("Queens", "3")]


def test_declared_columns_name_the_fields_of_a_file_without_header(lake: Lake) -> None:
    """Where the widths agree, declared names are given in their order."""
    lake.settings = {"columns": {"borough": "VARCHAR", "pickups": "BIGINT", "hour": "TIMESTAMP"}}
    lake.write("a.csv", "Bronx,12,2014-04-01 00:00\nQueens,3,2014-04-01 01:00\n")

    lake.load()

    assert lake.ask("SELECT borough, pickups, hour::VARCHAR FROM {things} ORDER BY _position") == [
        ("Bronx", 12, "2014-04-01 00:00:00"),
        ("Queens", 3, "2014-04-01 01:00:00"),
    ]


def test_tabs_win_in_a_file_of_tabs(lake: Lake) -> None:
    """In a .tsv file, commas inside fields divide nothing."""
    lake.write("a.tsv", "name\tplace\nDoe, J\tBonn, D\nRoe, R\tBern, CH\n")

    lake.load()

    assert lake.rows("name", "place") == [("Doe, J", "Bonn, D"), ("Roe, R", "Bern, CH")]


def test_old_mac_files_with_odd_junk_are_read(lake: Lake) -> None:
    """Junk is cut off by line whatever ends the lines."""
    lake.write("a.csv", 'the 5" report\rid,day\r1,2018-06-28\r2,2018-06-29\r')

    lake.load()

    assert lake.rows("id", "day") == [("1", "2018-06-28"), ("2", "2018-06-29")]


def test_empty_and_repeated_names_are_made_usable(lake: Lake) -> None:
    """Each column has a name of its own, also beside the origin columns."""
    lake.write("a.csv", "id,,name,Name,_load\n1,2,3,4,5\n")

    lake.load()

    assert lake.rows("id", "column_2", "name", "Name_2", "_load_2") == [("1", "2", "3", "4", "5")]


def test_decimal_commas_divide_no_lines(lake: Lake) -> None:
    """They divide every line of numbers alike, and not the header."""
    lake.write("a.csv", "station;temp\ns1;1,5\ns2;2,5\n")

    lake.load()

    assert lake.rows("station", "temp") == [("s1", "1,5"), ("s2", "2,5")]


def test_quoted_text_keeps_delimiters_newlines_and_quotes(lake: Lake) -> None:
    """Quoted fields may hold anything."""
    lake.write("a.csv", 'id,text\r\n1,"a, b"\r\n2,"two\r\nlines"\r\n3,"say ""hi"""\r\n')

    landed = lake.load()

    assert lake.rows("text") == [("a, b",), ("two\r\nlines",), ('say "hi"',)]
    assert landed.files[0].records == 3


def test_empty_fields_are_null_and_quoted_empty_ones_are_text(lake: Lake) -> None:
    """Nothing between two delimiters is NULL; two quotes are an empty text."""
    lake.write("a.csv", 'id,text\n1,\n2,""\n')

    lake.load()

    assert lake.rows("text") == [(None,), ("",)]


def test_declared_texts_are_null(lake: Lake) -> None:
    """What the source calls NULL is NULL."""
    lake.settings = {"csv": {"null": ["NA", "-"]}}
    lake.write("a.csv", "id,text\n1,NA\n2,-\n3,n/a\n")

    lake.load()

    assert lake.rows("text") == [(None,), (None,), ("n/a",)]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Zürich €"),
        ("utf-8-sig", "Zürich €"),
        ("utf-16", "Zürich €"),
        ("utf-16-le", "Zürich €"),
        ("utf-16-be", "Zürich €"),
        ("cp1252", "Zürich € and some more"),
        ("latin-1", "Zürich and more"),
    ],
)
def test_encodings_are_told_by_the_bytes(lake: Lake, encoding: str, text: str) -> None:
    """UTF-8, UTF-16 and single-byte files give the same text."""
    lake.write("a.csv", f"id,city\n1,{text}\n2,Bern\n".encode(encoding))

    landed = lake.load()

    assert lake.rows("id", "city") == [("1", text), ("2", "Bern")]
    assert landed.files[0].records == 2


def test_a_declared_encoding_is_obeyed(lake: Lake) -> None:
    """Encodings that cannot be told are declared."""
    lake.settings = {"csv": {"encoding": "cp1251"}}
    lake.write("a.csv", "id,город\n1,Москва\n".encode("cp1251"))

    lake.load()

    assert lake.rows("id", "город") == [("1", "Москва")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(lake: Lake, end: str) -> None:
    """Unix, Windows and old Mac files are the same; the last line needs no end."""
    lake.write("a.csv", f"id,name{end}1,one{end}2,two")

    landed = lake.load()

    assert lake.rows("id", "name") == [("1", "one"), ("2", "two")]
    assert landed.files[0].records == 2


def test_a_file_that_mixes_line_ends_is_read_whole(lake: Lake) -> None:
    """Lines may end in different ways in one file."""
    lake.write("a.csv", 'id,name\r\n1,one\n2,two\r\n3,"t\nhree"\n')

    landed = lake.load()

    assert lake.rows("id", "name", "_position") == [("1", "one", 1), ("2", "two", 2), ("3", "t\nhree", 3)]
    assert landed.files[0].records == 3


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])]
)
def test_packed_files_are_read(lake: Lake, pack: object) -> None:
    """gzip and zstd, also in several members; the name does not matter."""
    lake.write("a.csv", pack(b"id,name\n1,one\n2,two\n"))  # type: ignore[operator]

    lake.load()

    assert lake.rows("id", "name") == [("1", "one"), ("2", "two")]


def test_zeros_behind_a_gzip_file_are_padding(lake: Lake) -> None:
    """A gzip file padded to a block is whole."""
    lake.write("a.csv.gz", gzip.compress(b"id,name\n1,one\n") + bytes(500))

    lake.load()

    assert lake.rows("id", "name") == [("1", "one")]


def test_odd_file_names_are_no_patterns(lake: Lake) -> None:
    """Brackets, stars and quotes in a name stand for themselves."""
    lake.write("a[1]*?'\".csv", "id,name\n1,one\n")
    lake.write("a1.csv", "id,name\n2,two\n")

    lake.load()

    assert sorted(lake.rows("id")) == [("1",), ("2",)]


@pytest.mark.parametrize(
    "name",
    [
        "comma_in_quotes",
        "empty",
        "empty_crlf",
        "escaped_quotes",
        "json",
        "newlines",
        "newlines_crlf",
        "quotes_and_newlines",
        "simple",
        "simple_crlf",
        "utf8",
    ],
)
def test_csv_spectrum_gives_its_known_answers(lake: Lake, shared_data: Path, name: str) -> None:
    """Every case of csv-spectrum reads as its authors say."""
    folder = shared_data / "dirty" / "csv-spectrum"
    path = folder / "csvs" / f"{name}.csv"
    lake.settings = {"paths": (str(path),)}
    answer = (folder / "json" / f"{name}.json").read_text("utf-8")
    if b"\r" not in path.read_bytes():  # where the file was stored with Unix line ends, so are its texts
        answer = answer.replace("\\r\\n", "\\n")
    wanted = json.loads(answer)

    lake.load()

    assert [dict(zip(wanted[0], row, strict=True)) for row in lake.rows(*wanted[0])] == wanted


def test_broken_text_in_a_whole_file_is_kept(lake: Lake, shared_data: Path) -> None:
    """csv-spectrum's coordinates hold replacement signs where their authors' encoding was lost, and lone quotes."""
    path = shared_data / "dirty" / "csv-spectrum" / "csvs" / "location_coordinates.csv"
    lake.settings = {"paths": (str(path),)}

    lake.load()

    assert lake.rows("Location Coordinates", "Cities") == [("37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Modesto")]


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8)


@given(
    rows=st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_quoted_table_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str, end: str
) -> None:
    """Whatever the cells hold, quoted cells come back as they are, as long as the file is a text."""
    assume(sum(letter < " " and letter not in "\t\n\v\f\r" for row in rows for cell in row for letter in cell) <= 8)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(("first", "second", "third"))
    writer.writerows(rows)
    lake.settings = {"csv": {"delimiter": delimiter, "header": True, "skip": 0, "encoding": "utf-8"}}
    lake.write("a.csv", text.getvalue())

    lake.load()

    assert lake.rows("first", "second", "third") == rows
