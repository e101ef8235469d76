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


def write_places(told: str, file: str, to: str) -> str:
    """COPY of the places in one file, and what the engine calls it, into a delete file."""
    places = f"SELECT {ROW} FROM {PLACES} WHERE {FILE} = {literal(told)} ORDER BY {ROW}"
    # As one of a few known texts: beside each place, the path itself would be most of what is written.
    rows = f"SELECT {literal(file)}::{_TYPE} AS file_path, {ROW} AS pos FROM ({places}) AS places"
    ids = f"FIELD_IDS {{file_path: {_PATH_ID}, pos: {_POSITION_ID}}}"
    return f"COPY ({rows}) TO {literal(to)} (FORMAT parquet, COMPRESSION zstd, {ids})"
