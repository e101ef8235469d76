"""Statements that find the bronze rows behind quarantined records, keep mended records, and land these in bronze."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from millpond.core.names import QUARANTINE, TableName, literal, quote
from millpond.core.schema import ORIGIN_COLUMNS, Column, Schema
from millpond.sql.lake import in_lake
from millpond.sql.quarantine import RECORDS, same_row
from millpond.sql.staging import CARRIED, ROW, as_json, raw_row
from millpond.sql.values import value

REVISIONS = TableName(QUARANTINE, "revisions")

REVISION_SCHEMA = Schema(
    (
        Column("id", "VARCHAR", doc="the record's id in quarantine.records"),
        Column("revision", "BIGINT", doc="the how manieth mending of the record, from 1"),
        Column("part", "BIGINT", doc="from 1: a record that stands for several bronze rows has a part for each"),
        Column("raw", "VARCHAR", doc="the mended record"),
        Column("replaced", "VARCHAR", doc="what it mends, as it stood in bronze; NULL for what never got there"),
        Column("content_path", "VARCHAR", doc="for files: where the mended bytes lie"),
        Column("lands_in", "VARCHAR", doc="the bronze table that it lands in"),
        Column("origin", "VARCHAR", doc="where what it mends came from"),
        Column("position", "BIGINT", doc="record number, offset or sequence there"),
        Column("load", "VARCHAR", doc="the step that brought that into bronze; NULL for what never got there"),
        Column("principal", "VARCHAR", doc="who mended it"),
        Column("step", "VARCHAR", doc="the step that put the revision here"),
        Column("at", "TIMESTAMP", doc="when, in UTC"),
    )
)

WANTED = "wanted"
"""The temporary relation (id, raw, origin, position) of records whose bronze rows are looked for."""

MENDED_PLACES = "mended_places"
"""The temporary relation (id, origin, position, raw, unreadable) of where mended records are in files read anew."""
_GIVEN_WAY = "given_way"
_REJECTED_THERE = (
    f"r.origin = p.origin AND r.number = p.{quote('position')} AND (p.raw IS NULL OR p.unreadable AND r.raw = p.raw)"
)

_NESTED = ("[", "STRUCT", "MAP", "UNION", "JSON")


def create_wanted() -> str:
    """Make WANTED of four lists."""
    columns = (("id", "VARCHAR"), ("raw", "VARCHAR"), ("origin", "VARCHAR"), ("position", "BIGINT"))
    lists = ", ".join(f"unnest(?::{kind}[]) AS {quote(name)}" for name, kind in columns)
    return f"CREATE OR REPLACE TEMP TABLE {WANTED} AS SELECT {lists}"


def wanted_rows(table: TableName, columns: Sequence[str], origins: Sequence[str]) -> str:
    """SELECT (id, origin, position, load, raw) of the bronze rows that are the wanted records themselves."""
    packed = ", ".join(f"{quote(name)} := {quote(name)}" for name in columns)
    own = f"SELECT *, {raw_row(f'struct_pack({packed})')} AS _mp_raw FROM {in_lake(table)}"
    listed = ", ".join(map(literal, origins))
    return (
        f"SELECT w.id, b._origin, b._position, b._load, b._mp_raw FROM ({own} WHERE _origin IN ({listed})) AS b "
        f"JOIN {WANTED} AS w ON b._origin = w.origin AND b._position = w.position "
        f"WHERE {same_row('b._mp_raw')} = {same_row('w.raw')} ORDER BY 1, 2, 3, 4"
    )


def wanted_inputs(query: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """SELECT (id, origin, position, load, raw) of the input rows of which a query makes the wanted rows.

    The query carries CARRIED and ROW; `columns` are its outputs as the table holds them.
    """
    typed = ", ".join(f"{quote(column.name)}::{column.type} AS {quote(column.name)}" for column in columns)
    held = [column.name for column in columns if column.name not in ORIGIN_COLUMNS]
    keyed = " AND ".join(
        f"o.{quote(name)}::VARCHAR IS NOT DISTINCT FROM json_extract_string(w.raw, {literal(_pointer(name))})"
        for name in key
        if _plain(columns, name)
    )
    outputs = f"SELECT {typed}, {', '.join(CARRIED)}, {ROW} FROM ({query}) AS q"
    made = f"SELECT *, {same_row(as_json(tuple(held)))} AS _mp_same FROM ({outputs}) AS t"
    return (
        f"SELECT w.id, o.{CARRIED[0]}, o.{CARRIED[1]}, o.{CARRIED[2]}, {raw_row(f'o.{ROW}')} "
        f"FROM ({made}) AS o JOIN {WANTED} AS w ON {keyed or 'TRUE'} AND o._mp_same = {same_row('w.raw')} "
        "ORDER BY 1, 2, 3, 4, 5"
    )


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _plain(columns: Sequence[Column], name: str) -> bool:
    """Whether a column's text is the same in JSON: floating numbers and nested values may be written otherwise."""
    kinds = {column.name: column.type for column in columns}
    return kinds.get(name, "").startswith(("VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DATE", "UUID"))


def computed(columns: Sequence[Column], expressions: Sequence[str]) -> str:
    """SELECT of the record's number (from 0) and of each expression over the columns of records given as lists of text.

    It takes the list of numbers, then a list for each column.
    """
    lists = ", ".join(
        f"{typed(f'unnest(${index}::VARCHAR[])', column.type)} AS {quote(column.name)}"
        for index, column in enumerate(columns, start=2)
    )
    given = ", ".join(f"({expression}\n)::VARCHAR AS {quote(f'v{i}')}" for i, expression in enumerate(expressions))
    return f"SELECT _record, {given} FROM (SELECT unnest($1::BIGINT[]) AS _record, {lists}) AS record"


def unreadable_value(column: Column) -> str:
    """SELECT of one text of a list that is no value of the column's type; no row where all are."""
    return (
        f"SELECT t FROM (SELECT unnest(?::VARCHAR[]) AS t) WHERE t IS NOT NULL "
        f"AND try({typed('t', column.type)}) IS NULL LIMIT 1"
    )


def insert_revisions(principal: str, step: str, at: datetime) -> str:
    """INSERT of mended records, from a list for each column of REVISION_SCHEMA but the last three."""
    told = REVISION_SCHEMA.columns[:-3]
    lists = ", ".join(f"unnest(?::{column.type}[])" for column in told)
    names = ", ".join(quote(name) for name in REVISION_SCHEMA.names)
    return (
        f"INSERT INTO {in_lake(REVISIONS)} ({names}) SELECT {lists}, {literal(principal)}, {literal(step)}, {value(at)}"
    )


def select_revisions() -> str:
    """SELECT of the newest revisions: it takes a list of ids and one of their revisions."""
    told = ", ".join(f"r.{quote(column.name)}" for column in REVISION_SCHEMA.columns[:-3])
    return (
        f"SELECT {told} FROM {in_lake(REVISIONS)} AS r "
        "JOIN (SELECT unnest(?::VARCHAR[]) AS id, unnest(?::BIGINT[]) AS revision) AS w "
        "ON r.id = w.id AND r.revision = w.revision ORDER BY r.id, r.part"
    )


def revisions_of(table: TableName, origins: Sequence[str]) -> str:
    """SELECT (id, revision, origin, position, load, unreadable, raw) of what mends records of some origins for a table.

    `raw` is the text of a record that was unreadable, else the row as it stood in bronze.
    """
    listed = ", ".join(map(literal, origins))
    unreadable = "q.kind = 'record'"
    return (
        f"SELECT v.id, v.revision, v.origin, v.{quote('position')}, coalesce(v.load, q.load), {unreadable}, "
        f"CASE WHEN {unreadable} THEN q.raw ELSE v.replaced END "
        f"FROM {in_lake(REVISIONS)} AS v JOIN {in_lake(RECORDS)} AS q ON v.id = q.id "
        f"WHERE q.kind <> 'file' AND v.lands_in = {literal(str(table))} AND v.origin IN ({listed})"
    )


def origins_there(table: TableName, origins: Sequence[str]) -> str:
    """SELECT of those of some origins that a bronze table has rows of."""
    listed = ", ".join(map(literal, origins))
    return f"SELECT DISTINCT _origin FROM {in_lake(table)} WHERE _origin IN ({listed})"


def create_mended_places() -> str:
    """Make MENDED_PLACES of five lists."""
    kinds = ("VARCHAR", "VARCHAR", "BIGINT", "VARCHAR", "BOOLEAN")
    columns = zip(kinds, ("id", "origin", "position", "raw", "unreadable"), strict=True)
    lists = ", ".join(f"unnest(?::{kind}[]) AS {quote(name)}" for kind, name in columns)
    return f"CREATE OR REPLACE TEMP TABLE {MENDED_PLACES} AS SELECT {lists}"


def create_given_way() -> str:
    """The relation of the ids of mended records that were rejected again, where there is none yet."""
    return f"CREATE TEMP TABLE IF NOT EXISTS {_GIVEN_WAY} (id VARCHAR)"


def note_given_way(rejected: str) -> str:
    """Add those that are among the records (origin, number, raw) of a query."""
    return f"INSERT INTO {_GIVEN_WAY} SELECT p.id FROM ({rejected}) AS r JOIN {MENDED_PLACES} AS p ON {_REJECTED_THERE}"


def given_way_ids() -> str:
    """SELECT of their ids."""
    return f"SELECT id FROM {_GIVEN_WAY}"


def not_mended(rejected: str) -> str:
    """The records (origin, number, raw) of a query that are in no place of MENDED_PLACES."""
    return f"SELECT r.* FROM ({rejected}) AS r ANTI JOIN {MENDED_PLACES} AS p ON {_REJECTED_THERE}"


def mended_places(table: TableName, columns: Sequence[str], load: str) -> str:
    """SELECT (id, origin, position, load) of the rows that a load put into the places of MENDED_PLACES."""
    packed = ", ".join(f"{quote(name)} := b.{quote(name)}" for name in columns)
    same = f"{same_row(raw_row(f'struct_pack({packed})'))} = {same_row('p.raw')}"
    return (
        f"SELECT p.id, b._origin, b._position, b._load FROM {in_lake(table)} AS b JOIN {MENDED_PLACES} AS p "
        f"ON b._origin = p.origin AND b._position = p.{quote('position')} "
        f"WHERE b._load = {literal(load)} AND (p.raw IS NULL OR CASE WHEN p.unreadable THEN FALSE ELSE {same} END)"
    )


def create_replaced() -> str:
    """Temporary relation of the places of bronze rows that mended records take, from three lists."""
    return (
        "CREATE OR REPLACE TEMP TABLE replaced AS SELECT DISTINCT unnest(?::VARCHAR[]) AS origin, "
        "unnest(?::BIGINT[]) AS position, unnest(?::VARCHAR[]) AS load"
    )


def absent_places(table: TableName) -> str:
    """SELECT of the places at which the bronze table has no row any more."""
    return (
        f"SELECT origin, position FROM replaced AS r ANTI JOIN {in_lake(table)} AS b "
        "ON b._origin = r.origin AND b._position = r.position AND b._load = r.load"
    )


def delete_replaced(table: TableName) -> str:
    """Take the bronze rows at the places away; the count is theirs."""
    return (
        f"MERGE INTO {in_lake(table)} AS t USING replaced AS r "
        "ON t._origin = r.origin AND t._position = r.position AND t._load = r.load WHEN MATCHED THEN DELETE"
    )


def insert_mended(table: TableName, columns: Sequence[Column], load: str, at: datetime) -> str:
    """INSERT of mended records into bronze: it takes lists of origins and parts, one for each column, and of JSON
    of what fits no column."""
    names = [*(column.name for column in columns), *ORIGIN_COLUMNS]
    lists = [typed(f"unnest(${index}::VARCHAR[])", column.type) for index, column in enumerate(columns, start=4)]
    selected = [*lists, "unnest($1::VARCHAR[])", "unnest($2::BIGINT[])", literal(load), value(at)]
    return (
        f"INSERT INTO {in_lake(table)} ({', '.join(map(quote, names))}) "
        f"SELECT {', '.join(selected)}, unnest($3::VARCHAR[])"
    )


def mended_from(origins: Sequence[str], *, revised: bool) -> str:
    """SELECT of the (id, revision, origin) of what mends records of some origins; 0 is a file that landed as it was.

    `revised` says that there are revisions at all.
    """
    listed = ", ".join(map(literal, origins))
    files = f"SELECT id, 0, origin FROM \"lake\".{RECORDS.quoted} WHERE kind = 'file' AND origin IN ({listed})"
    if not revised:
        return files
    return f"{files} UNION SELECT id, revision, origin FROM {in_lake(REVISIONS)} WHERE origin IN ({listed})"


def typed(text: str, kind: str) -> str:
    """The text as a value of the type; nested values come as JSON."""
    if kind == "VARCHAR":
        return text
    nested = any(sign in kind for sign in _NESTED)
    return f"CAST(({text})::JSON AS {kind})" if nested else f"CAST({text} AS {kind})"
