"""Records that cannot be read go to quarantine one by one; the others land and keep their numbers."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from ingest.plain import Lake

Row = tuple[Any, ...]


def quarantined(lake: Lake) -> list[Row]:
    return lake.ask("SELECT position, rule, raw FROM {records} WHERE kind = 'record' ORDER BY origin, position")


def test_short_and_long_records_are_quarantined(lake: Lake) -> None:
    """A record with too few or too many fields is not guessed at."""
    lake.write("a.csv", "id,name,size\n1,one,1\n2,two\n3,three,3,3\n4,four,4\n")

    landed = lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("4", 4)]
    assert quarantined(lake) == [(2, "missing_columns", "2,two"), (3, "too_many_columns", "3,three,3,3")]
    assert (landed.ledger.staged, landed.ledger.inserted, landed.ledger.quarantined) == (4, 2, 2)
    assert (landed.files[0].records, landed.files[0].quarantined) == (2, 2)


def test_a_quarantined_record_says_all_that_is_known(lake: Lake) -> None:
    """Table, origin, load and reason stand with the raw line."""
    lake.write("a.csv", "id,name\n1,one\n2\n3,three\n")

    lake.load()

    assert lake.ask("SELECT model, origin, load, step, reason, value FROM {records}") == [
        ("bronze.things", "data/a.csv", "load-1", "load-1", "Expected Number of Columns: 2 Found: 1", None)
    ]


def test_bad_records_at_the_end_do_not_move_the_others(lake: Lake) -> None:
    """Numbers count all records of the file."""
    lake.write("a.csv", "id,name\n1,one\n2,two\n3\n4\n")

    lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("2", 2)]
    assert [row[0] for row in quarantined(lake)] == [3, 4]


def test_empty_lines_are_no_records(lake: Lake) -> None:
    """Lines without anything are not counted, also beside bad records."""
    lake.write("a.csv", "id,name\n\n1,one\n\n2\n\n\n3,three\n\n")

    lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("3", 3)]
    assert quarantined(lake)[0][0] == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_quote_that_is_never_closed_costs_one_record(lake: Lake, pack: Any) -> None:
    """The records behind an open quote are not swallowed."""
    rows = [f"{number},some text {number}" for number in range(1, 5001)]
    rows[2000] = '2001,"open'
    lake.write("a.csv", pack(("id,name\n" + "\n".join(rows) + "\n").encode()))

    landed = lake.load()

    assert lake.ask("SELECT count(*), count(*) FILTER (id::BIGINT = _position) FROM {things}") == [(4999, 4999)]
    assert quarantined(lake) == [(2001, "unclosed_quote", '2001,"open')]
    assert landed.ledger.staged == 5000


def test_text_behind_a_closing_quote_is_quarantined_whole(lake: Lake) -> None:
    """Such a record goes with all its lines."""
    lake.write("a.csv", 'id,name\n1,"one\nmore"x\n2,"two"\n')

    lake.load()

    assert lake.rows("id", "_position") == [("2", 2)]
    assert quarantined(lake) == [(1, "unquoted_value", '1,"one\nmore"x')]


def test_a_single_wrong_byte_costs_one_record(lake: Lake) -> None:
    """In a file of UTF-8, a record with broken bytes is quarantined, its bytes readable."""
    good = "".join(f"{number},Zürich\n" for number in range(1, 50)).encode()
    lake.write("a.csv", b"id,city\n" + good + b"50,Z\xffrich\n51,Bern\n")

    lake.load()

    assert lake.ask("SELECT count(*), max(_position) FROM {things}") == [(50, 51)]
    assert quarantined(lake) == [(50, "unreadable", "50,Z\\xffrich")]


def test_long_refused_records_are_kept_whole(lake: Lake) -> None:
    """The raw record is not cut, however long."""
    long = "x" * 30_000
    lake.write("a.csv", f"id,name\n1,one\n2,{long},3\n3,three\n")

    lake.load()

    assert quarantined(lake) == [(2, "unreadable", f"2,{long},3")]
    assert lake.rows("_position") == [(1,), (3,)]


def test_many_bad_records_keep_the_numbers_right(lake: Lake) -> None:
    """Every seventh record is bad; every other keeps its number."""
    rows = [f"{number},x" if number % 7 else f"{number}" for number in range(1, 20_001)]
    lake.write("a.csv", "id,name\n" + "\n".join(rows) + "\n")

    landed = lake.load()

    assert lake.ask("SELECT count(*) FROM {things} WHERE id::BIGINT <> _position") == [(0,)]
    assert landed.ledger.quarantined == 20_000 // 7
    assert lake.ask("SELECT count(*) FROM {records} WHERE raw::BIGINT <> position") == [(0,)]


def test_bad_and_good_files_land_together(lake: Lake) -> None:
    """One dirty file does not disturb its neighbours."""
    lake.write("a.csv", "id,name\n1,one\n2,two\n")
    lake.write("b.csv", 'id,name\n3\n4,four\n5,"five\n')
    lake.write("c.csv", "id,name\n6,six\n")

    landed = lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("2", 2), ("4", 2), ("6", 1)]
    assert [(file.records, file.quarantined) for file in landed.files] == [(2, 0), (1, 2), (1, 0)]


def test_an_open_quote_before_a_quoted_record_costs_one_record(lake: Lake) -> None:
    """The quote of the next record does not close the one before."""
    lake.write("a.csv", 'id,name\n1,"open\n2,"two"\n3,"th""ree"\n4,"fo\nur"\n')

    lake.load()

    assert lake.rows("id", "name", "_position") == [("2", "two", 2), ("3", 'th"ree', 3), ("4", "fo\nur", 4)]
    assert quarantined(lake) == [(1, "unclosed_quote", '1,"open')]


def test_escaped_quotes_are_no_ends(lake: Lake) -> None:
    """A declared escape character is obeyed, also where the file must be taken apart."""
    lake.settings = {"csv": {"escape": "\\"}}
    lake.write("a.csv", 'id,name\n1,"a \\"quoted\\" word"\n2,"x"y\n3,"z"\n')

    lake.load()

    assert lake.rows("id", "name") == [("1", 'a "quoted" word'), ("3", "z")]
    assert quarantined(lake) == [(2, "unquoted_value", '2,"x"y')]


def test_bad_records_of_oddly_named_files_are_found(lake: Lake) -> None:
    """Names with signs of patterns do not confuse the account."""
    lake.write("a[1]* '?.csv", "id,name\n1,one\n2\n3,three\n")
    lake.write("a1.csv", "id,name\n4,four\n")

    lake.load()

    assert sorted(lake.rows("id", "_position")) == [("1", 1), ("3", 3), ("4", 1)]
    assert lake.ask("SELECT origin, position FROM {records}") == [("data/a[1]* '?.csv", 2)]


def test_quoted_line_ends_are_no_missing_records(lake: Lake) -> None:
    """Fields with line ends, empty lines and short records in several files are all accounted for."""
    lake.write("a.csv", 'id,name\n1,"one\n\nand"\n2,"two\nmore"\n')
    lake.write("b.csv", 'id,name\n\n3,"three\n"\n4\n5,five\n')

    landed = lake.load()

    assert lake.rows("id", "_position") == [("1", 1), ("2", 2), ("3", 1), ("5", 3)]
    assert [(file.records, file.quarantined) for file in landed.files] == [(2, 0), (2, 1)]
