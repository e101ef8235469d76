"""SQL that reads files into bronze: one scan for each format, and the statements that land what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path

from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.sql.digits import exact_fields, unusual_numbers
from millpond.sql.lake import in_lake

ODD = "_odd_json"
"""Inside scans: the text of a JSON value that is no object and so has no fields."""
READABLE = "_readable"
"""Inside scans: whether the record is JSON at all."""
RESCUED = "_rescued"
"""In bronze: what fitted no column, as JSON."""
POSITION = "_position"
"""Inside scans: the record's number in its file, from 1."""

_GLOB = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})
_BLOCK = 1024
_TIMES = ("DATE", "TIMESTAMP")
_WHOLE = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
)


@frozen
class CsvScan:
    """How the engine reads one delimited file. `skip` counts records before the header; `width` fields are expected.

    `shifts` names the relation that `shift_table` made of the file's `refused` bad records: they count in `_position`.
    """

    path: Path
    compression: str
    width: int
    delimiter: str
    quote: str
    escape: str
    header: bool
    skip: int
    nulls: tuple[str, ...] = ()
    shifts: str | None = None
    refused: int = 0

    def field(self, index: int) -> str:
        """The expression of the field at an index, from 0."""
        return quote(f"f{index}")


@frozen
class JsonScan:
    """How the engine reads one JSON file. `layout`: lines (one value a line), array, or values (one after another)."""

    path: Path
    compression: str
    layout: str
    keys: tuple[str, ...] = ()
    longest: int = 1 << 24
    """Most bytes in one record."""

    def field(self, index: int) -> str:
        """The expression of the key at an index, from 0: scalars as text, nested values as JSON text."""
        return f"f[{index + 1}]"


@frozen
class ParquetScan:
    """How the engine reads one Parquet file."""

    path: Path
    names: tuple[str, ...] = ()

    def field(self, index: int) -> str:
        """The expression of the column at an index, from 0."""
        return quote(self.names[index])


Scan = CsvScan | JsonScan | ParquetScan


@frozen
class Filling:
    """How one column of the table is filled from a file: the file's expression and its type, or nothing.

    `whole` says that every value of the file's type fits the column.
    """

    name: str
    type: str
    expression: str | None = None
    expression_type: str = "VARCHAR"
    whole: bool = False

    @property
    def exact(self) -> bool:
        """Whether every value of the file fits the column as it is."""
        return self.whole or self.expression is None or self.type in (self.expression_type, "VARCHAR")


@frozen
class Landing:
    """One file on its way into a table: its scan, how columns are filled, and the fields that no column takes."""

    scan: Scan
    origin: str
    fillings: tuple[Filling, ...]
    extras: tuple[tuple[str, str], ...] = field(default=())
    """(name in the file, expression) of fields without a column."""


def file_path(path: Path) -> str:
    """A path as the engine's readers take it: a literal in which no character is a pattern."""
    return literal(str(path).translate(_GLOB))


def _csv_options(scan: CsvScan) -> str:
    nulls = ", ".join(literal(text) for text in ("", *scan.nulls))
    columns = ", ".join(f"{scan.field(index)}: 'VARCHAR'" for index in range(scan.width))
    options = {
        "columns": f"{{{columns}}}",
        "auto_detect": "false",
        "delim": literal(scan.delimiter),
        "quote": literal(scan.quote),
        "escape": literal(scan.escape),
        "header": "true" if scan.header else "false",
        "skip": str(scan.skip),
        "nullstr": f"[{nulls}]",
        "allow_quoted_nulls": "false",
        "compression": literal(scan.compression),
    }
    return ", ".join(f"{name} = {value}" for name, value in options.items())


def csv_records(scan: CsvScan, rejects: str | None = None) -> str:
    """The good records of a delimited file with their number; the others are kept in the relations of `rejects`."""
    kept = (
        f", store_rejects = true, rejects_table = {literal(rejects)}, rejects_scan = {literal(scans_of(rejects))}"
        if rejects
        else ""
    )
    read = (
        f"SELECT *, row_number() OVER () AS {POSITION} "
        f"FROM read_csv({file_path(scan.path)}, {_csv_options(scan)}{kept})"
    )
    if scan.shifts is None:
        return read
    before = f"shifts.before + coalesce(len(list_filter(shifts.starts, lambda n: n <= good.{POSITION})), 0)"
    return (
        f"SELECT good.* REPLACE (good.{POSITION} + coalesce({before}, {scan.refused}) AS {POSITION}) FROM ({read}) "
        f"AS good LEFT JOIN (SELECT unnest(blocks, max_depth := 2) FROM {quote(scan.shifts)}) AS shifts "
        f"ON good.{POSITION} // {_BLOCK} = shifts.block"
    )


def shift_table(name: str) -> str:
    """Make the relation by which good records are numbered past bad ones; takes the list of the bad ones' numbers.

    The n-th good record stands behind as many bad ones as start at or before n. Those starts are kept by blocks of n,
    so that a join by hash finds them while the file streams; all in one row, because the planner takes a file for
    short, and would build its hash table of the file rather than of a relation that it knows to be longer.
    """
    numbers = "SELECT unnest(?::BIGINT[]) AS number"
    starts = f"SELECT number - row_number() OVER (ORDER BY number) + 1 AS n FROM ({numbers})"
    blocks = f"SELECT n // {_BLOCK} AS block, list(n) AS starts FROM starts GROUP BY ALL"
    series = "SELECT unnest(range(0, (SELECT max(block) + 1 FROM blocks))) AS block"
    before = "sum(len(starts)) OVER (ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    every = (
        f"SELECT block, starts, coalesce({before}, 0)::BIGINT AS before "
        f"FROM ({series}) AS series LEFT JOIN blocks USING (block)"
    )
    return (
        f"CREATE TEMP TABLE {quote(name)} AS WITH starts AS ({starts}), blocks AS ({blocks}), every AS ({every}) "
        "SELECT list({'block': block, 'starts': starts, 'before': before}) AS blocks FROM every"
    )


def _json_values(scan: JsonScan) -> str:
    path = file_path(scan.path)
    compression = literal("uncompressed" if scan.compression == "none" else scan.compression)
    if scan.layout == "lines":
        return f"read_ndjson_objects({path}, ignore_errors = true, compression = {compression})"
    layout = literal("array" if scan.layout == "array" else "unstructured")
    longest = f"maximum_object_size = {scan.longest}"
    return f"read_json_objects({path}, format = {layout}, compression = {compression}, {longest})"


def json_records(scan: JsonScan) -> str:
    """The values of a JSON file: the keys' values as the list `f`, ODD, READABLE and POSITION."""
    pointers = ", ".join(literal(_pointer(key)) for key in scan.keys)
    plain = f"WHEN object THEN json_extract_string(json, [{pointers}])" if pointers else "WHEN FALSE THEN ['']"
    exact = f"WHEN unusual THEN {exact_fields('json', pointers)}" if pointers else ""
    # Only what is needed behind is carried past the numbering, which copies it.
    return (
        f"SELECT CASE {exact} {plain} END AS f, CASE WHEN NOT object THEN json::VARCHAR END AS {ODD}, "
        f"json IS NOT NULL AS {READABLE}, row_number() OVER () AS {POSITION} "
        f"FROM (SELECT json, object, CASE WHEN object THEN {unusual_numbers('json')} END AS unusual "
        f"FROM (SELECT json, json_type(json) = 'OBJECT' AS object FROM {_json_values(scan)}))"
    )


def json_keys(scan: JsonScan) -> str:
    """Rows (key, first record, records, readable records) in the keys' order; that with key NULL counts all records.

    Records with the same keys in the same order are counted first, together.
    """
    alike = (
        "SELECT list_concat(coalesce(json_keys(json), []), [NULL]) AS keys, min(number) AS first, count(*) AS records, "
        f"count(json) AS readable FROM ({_numbered(scan)}) GROUP BY keys"
    )
    return (
        "SELECT key, min(first), sum(records)::BIGINT, sum(readable)::BIGINT FROM (SELECT unnest(keys) AS key, "
        f"generate_subscripts(keys, 1) AS place, first, records, readable FROM ({alike})) "
        "GROUP BY key ORDER BY min(first), min((first, place))"
    )


def _numbered(scan: JsonScan) -> str:
    return f"SELECT json, row_number() OVER () AS number FROM {_json_values(scan)}"


def json_unreadable(scan: JsonScan) -> str:
    """The numbers of the records that are no JSON."""
    return f"SELECT number FROM ({_numbered(scan)}) WHERE json IS NULL ORDER BY number"


def parquet_records(scan: ParquetScan) -> str:
    """The rows of a Parquet file with their number."""
    return (
        f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {POSITION} "
        f"FROM read_parquet({file_path(scan.path)}, file_row_number = true)"
    )


_DIGITS = 38
"""What decimals have at most, here and in Iceberg: the engine reads wider ones as other numbers."""


def parquet_columns(scan: ParquetScan) -> str:
    """A query whose description is that of the file's columns."""
    return f"SELECT * FROM read_parquet({file_path(scan.path)})"


def parquet_count(scan: ParquetScan) -> str:
    """The number of rows that a Parquet file's footer tells, and a column of more digits than any table holds."""
    wide = f"SELECT min(name) FROM parquet_schema({file_path(scan.path)}) WHERE precision > {_DIGITS}"
    return f"SELECT num_rows, ({wide}) FROM parquet_file_metadata({file_path(scan.path)})"


def records(scan: Scan, rejects: str | None = None) -> str:
    """The records of one file: its fields and `_position`."""
    if isinstance(scan, CsvScan):
        return csv_records(scan, rejects)
    return json_records(scan) if isinstance(scan, JsonScan) else parquet_records(scan)


def probe(scan: Scan, rejects: str | None = None) -> str:
    """Read all of a file, every value decoded: row (records, line ends inside fields)."""
    read = records(scan, rejects)
    if isinstance(scan, CsvScan):
        ends = " + ".join(_line_ends(scan.field(index)) for index in range(scan.width))
        return f"SELECT count(*), coalesce(sum({ends}), 0)::BIGINT FROM ({read})"
    if isinstance(scan, JsonScan):
        return f"SELECT count(*) FILTER (WHERE {READABLE}), 0 FROM ({read})"
    return f"SELECT count(*), 0 FROM ({read}) AS r WHERE hash(r) IS NOT NULL"


def probe_all(scans: Sequence[Scan], rejects: str) -> str:
    """Read files side by side: rows (index of the scan, records, line ends inside fields)."""
    return " UNION ALL ".join(f"SELECT {index}, * FROM ({probe(scan, rejects)})" for index, scan in enumerate(scans))


def _line_ends(expression: str) -> str:
    return f"coalesce(length({expression}) - length(replace({expression}, chr(10), '')), 0)"


def _fitted(filling: Filling) -> str:
    """The value as the column's type, NULL where that would lose something."""
    value, kind = filling.expression, filling.type
    if value is None:
        return f"NULL::{kind}"
    if filling.exact:
        return value if kind == filling.expression_type else f"CAST({value} AS {kind})"
    cast = f"TRY_CAST({value} AS {kind})"
    if kind.startswith(_TIMES):  # the engine reads 'infinity' as a time, and no table can hold it
        cast = f"CASE WHEN isfinite({cast}) THEN {cast} END"
    if filling.expression_type != "VARCHAR":
        return f"CASE WHEN TRY_CAST({cast} AS {filling.expression_type}) IS NOT DISTINCT FROM {value} THEN {cast} END"
    if kind in _WHOLE:  # text casts to whole numbers round
        return f"CASE WHEN regexp_full_match({value}, '\\s*[+-]?[0-9]+\\s*') THEN {cast} END"
    return cast


def _rescued(landing: Landing) -> str:
    """JSON of what fitted no column, NULL where everything did."""
    entries = [(name, f"CAST({value} AS VARCHAR)") for name, value in landing.extras]
    for filling in landing.fillings:
        if not filling.exact:
            value = f"CASE WHEN {_fitted(filling)} IS NULL THEN CAST({filling.expression} AS VARCHAR) END"
            entries.append((filling.name, value))
    rescued = "NULL"
    if entries:
        pairs = ", ".join(f"{{'k': {literal(name)}, 'v': {value}}}" for name, value in entries)
        kept = f"list_filter([{pairs}], lambda pair: pair.v IS NOT NULL)"
        rescued = f"nullif(to_json(map_from_entries({kept}))::VARCHAR, '{{}}')"
    if isinstance(landing.scan, JsonScan):
        rescued = f"CASE WHEN {ODD} IS NOT NULL THEN concat('{{\"value\":', {ODD}, '}}') ELSE {rescued} END"
    return f"CAST({rescued} AS VARCHAR)"


def landed(landing: Landing, load: str, at: datetime, rejects: str | None = None) -> str:
    """The rows that one file gives to bronze: the columns in order, then the origin columns. `at` is UTC, naive."""
    columns = [f"{_fitted(filling)} AS {quote(filling.name)}" for filling in landing.fillings]
    columns += [
        f"{literal(landing.origin)} AS _origin",
        f"{POSITION} AS _position",
        f"{literal(load)} AS _load",
        f"TIMESTAMP {literal(at.isoformat(sep=' '))} AS _loaded_at",
        f"{_rescued(landing)} AS _rescued",
    ]
    readable = f" WHERE {READABLE}" if isinstance(landing.scan, JsonScan) else ""
    return f"SELECT {', '.join(columns)} FROM ({records(landing.scan, rejects)}){readable}"


def insert_files(table: TableName, landings: Sequence[Landing], load: str, at: datetime, rejects: str) -> str:
    """One INSERT of many files that fill the same columns; its count is the number of records landed."""
    names = [filling.name for filling in landings[0].fillings]
    names += ["_origin", "_position", "_load", "_loaded_at", "_rescued"]
    selects = " UNION ALL ".join(landed(landing, load, at, rejects) for landing in landings)
    return f"INSERT INTO {in_lake(table)} ({', '.join(map(quote, names))}) {selects}"


def rescued_counts(rows: str, columns: Sequence[str]) -> str:
    """SELECT of the number of rows, and for each column of how many did not fit it: they have its name in RESCUED."""
    counts = [
        f"count(*) FILTER (WHERE {quote(name)} IS NULL AND json_exists({RESCUED}, {literal(_pointer(name))}))"
        for name in columns
    ]
    return f"SELECT count(*), {', '.join(counts)} FROM ({rows}) AS r"


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def delete_origins(table: TableName, origins: Sequence[str]) -> str:
    """Take away the rows of some files."""
    return f"DELETE FROM {in_lake(table)} WHERE _origin IN ({', '.join(map(literal, origins))})"


def loads_of(table: TableName, origins: Sequence[str]) -> str:
    """SELECT of some files, each with the loads that its rows came by."""
    return (
        f"SELECT DISTINCT _origin, _load FROM {in_lake(table)} "
        f"WHERE _origin IN ({', '.join(map(literal, origins))}) AND _load IS NOT NULL ORDER BY ALL"
    )


def delete_loads(table: TableName, loads: Mapping[str, str]) -> str:
    """Take away the rows of some files that came by one load each."""
    listed = ", ".join(f"({literal(origin)}, {literal(load)})" for origin, load in loads.items())
    return f"DELETE FROM {in_lake(table)} WHERE (_origin, _load) IN ({listed})"


def refused_lines(rejects: str) -> str:
    """Rows (path, line, error, message, raw): each refused record once, with its first error."""
    return (
        "SELECT scans.file_path AS path, errors.line::BIGINT AS line, "
        "arg_min(errors.error_type::VARCHAR, errors.byte_position) AS error, "
        "arg_min(errors.error_message, errors.byte_position) AS message, "
        f"any_value(errors.csv_line) AS raw FROM {quote(rejects)} AS errors "
        f"JOIN {quote(scans_of(rejects))} AS scans USING (scan_id, file_id) GROUP BY ALL"
    )


def refused_lengths(rejects: str) -> str:
    """Rows (path, line, error, length of the kept text): each refused record once."""
    return f"SELECT path, line, error, length(raw) FROM ({refused_lines(rejects)}) ORDER BY path, line"


def drop_temporary(name: str) -> str:
    """Forget a temporary relation."""
    return f"DROP TABLE IF EXISTS temp.{quote(name)}"


def scans_of(rejects: str) -> str:
    """The relation that names the files of the refused lines in `rejects`."""
    return f"{rejects}_scans"


def numbered_lines(name: str) -> str:
    """Make a relation (path, line, number, origin) from four lists: which record each refused line is."""
    return (
        f"CREATE TEMP TABLE {quote(name)} AS SELECT unnest(?::VARCHAR[]) AS path, unnest(?::BIGINT[]) AS line, "
        "unnest(?::BIGINT[]) AS number, unnest(?::VARCHAR[]) AS origin"
    )


def refused_records(rejects: str, numbered: str) -> str:
    """Rows (origin, number, rule, reason, raw) of refused lines."""
    return (
        "SELECT numbered.origin, numbered.number, lower(replace(refused.error, ' ', '_')) AS rule, "
        "refused.message AS reason, ltrim(refused.raw, chr(10) || chr(13)) AS raw "
        f"FROM ({refused_lines(rejects)}) AS refused JOIN {quote(numbered)} AS numbered USING (path, line)"
    )


def kept_records(kept: Path, origin: str) -> str:
    """Rows (origin, number, rule, reason, raw) of records that were taken out of a file into `kept`."""
    columns = "{number: 'BIGINT', raw: 'VARCHAR', rule: 'VARCHAR', reason: 'VARCHAR'}"
    return (
        f"SELECT {literal(origin)} AS origin, number, rule, reason, raw FROM read_json({file_path(kept)}, "
        f"format = 'newline_delimited', columns = {columns}, maximum_object_size = 67108864)"
    )


def refused_files(name: str) -> str:
    """Make a relation (origin, rule, reason, content_path, content) from five lists."""
    columns = ("origin", "rule", "reason", "content_path", "content")
    lists = ", ".join(f"unnest(?::VARCHAR[]) AS {column}" for column in columns)
    return f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS SELECT {lists}"
