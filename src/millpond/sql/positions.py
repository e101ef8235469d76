"""Statements about where rows stand in files: told beside them, and written down to take them out.

A delete file has two columns, the path of a data file and the place of a row in it, sorted by both. Iceberg spec v2,
"Position Delete Files".
"""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import literal
from millpond.sql.keys import names

FILE = "_mp_file"
ROW = "_mp_place"
PLACE = (FILE, ROW)
"""The columns of a place: a file, and the number of a row in it, from 0."""

ENGINES_OWN = ("filename", "file_row_number")
"""The columns by which the engine tells of rows of Parquet files and lake tables, unless these have such columns."""

PLACES = "places"
"""The relation of the rows that are to be taken out."""

_TYPE = "data_file"
_PATH_ID, _POSITION_ID = 2147483546, 2147483545


def create_files(paths: Sequence[str]) -> str:
    """The type of FILE: one of the paths. A place then takes a few bytes in place of a path's text."""
    return f"CREATE TEMP TYPE {_TYPE} AS ENUM ({', '.join(map(literal, paths or ['']))})"


def placed(columns: Sequence[str], rows: str, place: tuple[str, str] = ENGINES_OWN) -> str:
    """SELECT of some columns of rows and of their places; `place` are the columns that tell these."""
    return f"SELECT {names(columns)}, {place[0]}::{_TYPE} AS {FILE}, {place[1]} AS {ROW} FROM {rows}"


def find_places(gone: str, there: str, width: int) -> str:
    """Make the relation PLACES: of each row of `gone`, the place of a row of `there` that is the same.

    Both give the same columns, `width` of them; `there` gives a file and the row's number in it after them. Of rows
    that are all the same, as many are found as there are in `gone`. Zeros of both signs, and what is no number, may
    stand for each other where no row is left that has the very same.
    """
    values = [f"c{place}" for place in range(width)]
    listed = ", ".join(values)
    # The hash finds the few that may be the same; the text tells values apart that count as equal, as 0.0 and -0.0 do.
    # DuckDB writes one of these for both where it keeps a column's values in a dictionary.
    same = f"hash({listed}) AS mark, row({listed})::VARCHAR AS said"
    turn = "row_number() OVER (PARTITION BY mark, said) AS turn"
    near = f"SELECT * FROM ({there}) AS t({listed}, {FILE}, {ROW}) SEMI JOIN gone ON hash({listed}) = mark"
    unsigned = "mark, replace(replace(said, '-0.0', '0.0'), '-nan', 'nan') AS said"
    left = "ANTI JOIN very USING (mark, said, turn)"
    return f"""CREATE OR REPLACE TEMP TABLE {PLACES} AS
WITH gone AS MATERIALIZED (SELECT *, {turn} FROM (SELECT {same} FROM ({gone}) AS g({listed})) AS g),
near AS MATERIALIZED (SELECT *, {turn} FROM (SELECT {same}, {FILE}, {ROW} FROM ({near}) AS near) AS near),
very AS MATERIALIZED (SELECT * FROM near JOIN gone USING (mark, said, turn)),
others AS (SELECT *, {turn} FROM (SELECT {unsigned}, {FILE}, {ROW} FROM near {left}) AS near),
wanted AS (SELECT *, {turn} FROM (SELECT {unsigned} FROM gone {left}) AS gone)
SELECT {FILE}, {ROW} FROM very UNION ALL SELECT {FILE}, {ROW} FROM others JOIN wanted USING (mark, said, turn)"""


def count_places() -> str:
    """SELECT of each file in PLACES and of how many rows of it there are."""
    return f"SELECT {FILE}, count(*) FROM {PLACES} GROUP BY ALL ORDER BY ALL"


def write_places(told: str, file: str, to: str) -> str:
    """COPY of the places in one file, and what the engine calls it, into a delete file."""
    return _write(f"SELECT {ROW} FROM {PLACES} WHERE {FILE} = {literal(told)}", file, to)


def write_named(paths: Sequence[str], file: str, to: str) -> str:
    """COPY of the places in one file that any of some delete files names into one. These name no other file."""
    listed = ", ".join(map(literal, paths))
    return _write(f"SELECT DISTINCT pos AS {ROW} FROM read_parquet([{listed}], hive_partitioning = false)", file, to)


def _write(places: str, file: str, to: str) -> str:
    # As one of a few known texts: beside each place, the path itself would be most of what is written.
    named = f"{literal(file)}::ENUM({literal(file)})"
    rows = f"SELECT {named} AS file_path, {ROW} AS pos FROM ({places}) AS places ORDER BY {ROW}"
    ids = f"FIELD_IDS {{file_path: {_PATH_ID}, pos: {_POSITION_ID}}}"
    return f"COPY ({rows}) TO {literal(to)} (FORMAT parquet, COMPRESSION zstd, {ids})"
