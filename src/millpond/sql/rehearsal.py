"""Statements of a rehearsal: a lake of plain tables, a clock that stands still, rows given as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from millpond.core.clock import naive_utc
from millpond.core.names import TableName, literal, quote
from millpond.core.schema import Column
from millpond.sql.lake import LAKE, in_lake
from millpond.sql.mending import typed
from millpond.sql.quarantine import RECORDS
from millpond.sql.values import value

Texts = Sequence[str | None]

_MOMENT = ("now", "get_current_timestamp", "transaction_timestamp")


def plain_lake(layers: Sequence[str]) -> tuple[str, ...]:
    """An empty lake of plain tables in memory, under the name by which steps know theirs."""
    schemas = tuple(f"CREATE SCHEMA IF NOT EXISTS {quote(LAKE)}.{quote(layer)}" for layer in layers)
    return ("ATTACH ':memory:' AS lake", *schemas, "USE lake.bronze")


def stopped_clock(now: datetime) -> tuple[str, ...]:
    """Macros in the place of the functions that tell the time."""
    local = naive_utc(now)
    moment = f"TIMESTAMPTZ {literal(local.isoformat(sep=' ') + '+00')}"
    told = dict.fromkeys(_MOMENT, moment)
    told |= dict.fromkeys(("current_localtimestamp",), f"{moment}::TIMESTAMP")
    told |= dict.fromkeys(("current_date", "today"), f"{moment}::DATE")
    told |= dict.fromkeys(("current_time", "get_current_time", "current_localtime"), f"{moment}::TIMESTAMP::TIME")
    return tuple(f"CREATE TEMP MACRO {quote(name)}() AS {said}" for name, said in told.items())


def temporary() -> str:
    """SELECT (name, whether it is a view) of the temporary relations of the session."""
    tables = "SELECT table_name AS name, FALSE AS is_view FROM duckdb_tables() WHERE temporary"
    return f"{tables} UNION ALL SELECT view_name, TRUE FROM duckdb_views() WHERE temporary AND NOT internal"


def drop_temporary(name: str, *, view: bool) -> str:
    """Forget a temporary relation."""
    return f"DROP {'VIEW' if view else 'TABLE'} temp.{quote(name)}"


def insert_given(table: TableName, columns: Sequence[Column], texts: Sequence[Texts]) -> str:
    """INSERT of rows: a list of texts for each column."""
    names = ", ".join(quote(column.name) for column in columns)
    return f"INSERT INTO {in_lake(table)} ({names}) {meant(columns, texts)}"


def fitting(column: Column, texts: Texts) -> str:
    """SELECT, for each text in order, whether it is a value of the column's type."""
    fits = f"t IS NULL OR try({typed('t', column.type)}) IS NOT NULL"
    listed = _listed(texts)
    return f"SELECT {fits} FROM (SELECT unnest({listed}) AS t, generate_subscripts({listed}, 1) AS i) ORDER BY i"


def meant(columns: Sequence[Column], texts: Sequence[Texts]) -> str:
    """SELECT of rows, a list of texts for each column, as the columns mean them, in order."""
    lists = ", ".join(
        f"{typed(f'unnest({_listed(given)})', column.type)} AS {quote(column.name)}"
        for column, given in zip(columns, texts, strict=True)
    )
    return f"SELECT {lists}"


def _listed(texts: Texts) -> str:
    """A list of texts, as a literal: what a test gives is small, and to bind values takes longer than to read them."""
    return f"[{', '.join(map(value, texts))}]::VARCHAR[]"


def held(table: TableName, columns: Sequence[str]) -> str:
    """SELECT of some columns of every row."""
    return f"SELECT {', '.join(map(quote, columns))} FROM {in_lake(table)} ORDER BY ALL"


def held_texts(table: TableName, columns: Sequence[Column]) -> str:
    """SELECT of every row as text; nested values as JSON."""
    return f"SELECT {_texts(columns)} FROM {in_lake(table)} ORDER BY ALL"


def rejected_of(model: TableName) -> str:
    """SELECT (rule, value, reason, raw) of what a model rejected."""
    return f"SELECT rule, value, reason, raw FROM {in_lake(RECORDS)} WHERE model = {literal(str(model))} ORDER BY ALL"


def some_rows(table: TableName, columns: Sequence[Column], order: Sequence[str], limit: int) -> str:
    """SELECT, for the gate, of a few rows as text; nested values as JSON."""
    return f"SELECT {_texts(columns)} FROM {table.quoted} ORDER BY {_ordered(order)} LIMIT {int(limit)}"


def rows_at(table: TableName, columns: Sequence[Column], places: Sequence[tuple[str, int]]) -> str:
    """SELECT, for the gate, of the rows of some records as text."""
    listed = " OR ".join(
        f"(_origin = {literal(origin)} AND _position = {int(position)})" for origin, position in places
    )
    return f"SELECT {_texts(columns)} FROM {table.quoted} WHERE {listed} ORDER BY _origin, _position"


def rejected_places(model: TableName, lands_in: TableName, limit: int) -> str:
    """SELECT, for the gate, of where a few records that a model rejected lie in bronze, one for each rule."""
    return (
        f"SELECT origin, min({quote('position')}) FROM {RECORDS.quoted} WHERE model = {literal(str(model))} "
        f"AND raw_of = {literal(str(lands_in))} AND {quote('position')} IS NOT NULL "
        f"GROUP BY rule, origin ORDER BY rule, origin LIMIT {int(limit)}"
    )


def _texts(columns: Sequence[Column]) -> str:
    return ", ".join(f"{_text(column)} AS {quote(column.name)}" for column in columns)


def _text(column: Column) -> str:
    nested = column.type.endswith("[]") or column.type.startswith(("STRUCT", "MAP", "UNION"))
    return f"to_json({quote(column.name)})::VARCHAR" if nested else f"{quote(column.name)}::VARCHAR"


def _ordered(order: Sequence[str]) -> str:
    return ", ".join(map(quote, order)) or "ALL"
