"""Rows of chosen files as SQL text: under the table's present columns, without the rows that deletes took away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from millpond.catalog.files import local
from millpond.core.errors import CatalogError
from millpond.core.names import closest, literal, quote
from millpond.tables.changes import Changes
from millpond.tables.slices import FileSlice, Layout, Reading

NOTHING = str(Path(__file__).with_name("nothing.parquet"))
"""A file without rows. DuckDB 1.5.5 reads one file with a given schema by one thread, several by all of them."""

ORIGIN = "_origin"
POSITION = "_position"


def inserted_sql(found: Changes, columns: Sequence[str], with_origin: bool = False) -> str:
    """A SELECT of the inserted rows. Raises as `rows_sql` does."""
    return rows_sql(Reading(found.inserted, found.layout), columns, with_origin)


def deleted_sql(found: Changes, columns: Sequence[str], with_origin: bool = False) -> str:
    """A SELECT of the deleted rows, as they were. Raises as `rows_sql` does."""
    return rows_sql(Reading(found.deleted, found.layout), columns, with_origin)


def rows_sql(reading: Reading, columns: Sequence[str], with_origin: bool = False) -> str:
    """A SELECT, in DuckDB's words, of the given columns of the slices' rows, in no promised order.

    Each data file is read once; one thread reads them in their order. `with_origin` adds `_origin` (the file) and
    `_position` (the row in it, from 0) for tables that have no origin columns of their own. Raises CatalogError MP-3041
    for a column that is not there, and MP-3038 for one whose old files cannot be read.
    """
    layout = reading.layout
    chosen = [_column(layout, name) for name in columns]
    selects = [_select(group, layout, chosen, with_origin) for group in _groups(reading.slices)]
    return "\nUNION ALL\n".join(selects) if selects else _nothing(layout, chosen, with_origin)


def _groups(slices: Iterable[FileSlice]) -> list[list[FileSlice]]:
    """Slices that one read can give: all rows, all but some, or some, and each file once."""
    groups: dict[tuple[bool, bool, int], list[FileSlice]] = {}
    times: Counter[str] = Counter()
    for part in slices:
        groups.setdefault((part.only is not None, bool(part.deletes), times[part.path]), []).append(part)
        times[part.path] += 1
    return [groups[key] for key in sorted(groups)]


def _column(layout: Layout, name: str) -> str:
    column = layout.schema.get(name)
    if column is None:
        raise CatalogError(
            "MP-3041",
            f"the table has no column {name!r}",
            next_step="name one of its columns",
            suggestion=closest(name, layout.schema.names),
        )
    if column.name in layout.renamed:
        raise CatalogError(
            "MP-3038",
            f"a field inside the column {column.name!r} was renamed, so that older files cannot be read by changes",
            next_step="rebuild the model: a rebuild reads the whole table through the catalog",
        )
    return column.name


def _nothing(layout: Layout, chosen: Sequence[str], with_origin: bool) -> str:
    parts = [f"NULL::{_type(layout, name)} AS {quote(name)}" for name in chosen]
    if with_origin:
        parts += [f"NULL::VARCHAR AS {quote(ORIGIN)}", f"NULL::BIGINT AS {quote(POSITION)}"]
    return f"SELECT {', '.join(parts) or '1 AS one'} WHERE false"


def _type(layout: Layout, name: str) -> str:
    column = layout.schema.get(name)
    return column.type if column else "VARCHAR"


def _select(slices: Sequence[FileSlice], layout: Layout, chosen: Sequence[str], with_origin: bool) -> str:
    """One read of many files. Columns are called by their ids inside, so that no name meets another."""
    parts = [f'r."f{layout.fields[name]}" AS {quote(name)}' for name in chosen]
    if with_origin:
        parts += [f"r.filename AS {quote(ORIGIN)}", f"r.file_row_number AS {quote(POSITION)}"]
    paths = list(dict.fromkeys(local(part.path) for part in slices))
    members = [
        f"{layout.fields[name]}: {{name: 'f{layout.fields[name]}', "
        f"type: {literal(_type(layout, name))}, default_value: {_default_sql(layout, name)}}}"
        for name in dict.fromkeys(chosen)
    ]
    if not members:
        # read_parquet takes no empty schema, and a column of no file costs nothing to read.
        members = ["2147483000: {name: 'f0', type: 'BOOLEAN', default_value: NULL}"]
    # `filename` and `file_row_number` are DuckDB's virtual columns: its options of the same names refuse files that
    # have such a column themselves.
    files = [*paths, NOTHING] if len(paths) == 1 else paths
    source = f"read_parquet({_list(files)}, schema = MAP {{{', '.join(members)}}}, hive_partitioning = false) AS r"
    return f"SELECT {', '.join(parts) or '1 AS one'} FROM {source}{_joins(slices)}"


def _default_sql(layout: Layout, name: str) -> str:
    return literal(layout.defaults[name]) if name in layout.defaults else "NULL"


def _joins(slices: Sequence[FileSlice]) -> str:
    wanted = [(part.path, path) for part in slices for path in part.only or ()]
    unwanted = [(part.path, path) for part in slices for path in part.deletes]
    joins = ""
    for kind, pairs, alias in (("SEMI", wanted, "o"), ("ANTI", unwanted, "d")):
        if pairs:
            joins += (
                f"\n{kind} JOIN {_positions(pairs)} AS {alias} "
                f"ON r.filename = {alias}.file AND r.file_row_number = {alias}.pos"
            )
    return joins


def _positions(pairs: Iterable[tuple[str, str]]) -> str:
    """The positions that delete files name in data files, for pairs of a data file and a delete file.

    A delete file may also name rows of files that it is not asked about. By name, for writers differ in the field
    ids: DuckDB's are not the reserved.
    """
    known = sorted({(local(data), local(delete)) for data, delete in pairs})
    source = f"read_parquet({_list(sorted({delete for _, delete in known}))}, hive_partitioning = false)"
    named = f"SELECT regexp_replace(file_path, '^file:/*', '/') AS file, pos, filename AS source FROM {source}"
    asked = ", ".join(f"({literal(data)}, {literal(delete)})" for data, delete in known)
    return f"(SELECT file, pos FROM ({named}) AS named WHERE (file, source) IN (VALUES {asked}))"


_PATTERN = re.compile(r"[*?\[]")
"""What read_parquet takes for a pattern; between brackets each stands for itself."""


def _list(paths: Iterable[str]) -> str:
    plain = (_PATTERN.sub(lambda found: f"[{found[0]}]", path) for path in paths)
    return f"[{', '.join(literal(path) for path in plain)}]"
