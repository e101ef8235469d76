"""The gate's first step: what a person's SQL may be made of.

The statement is read by DuckDB's own parser on a connection without data, so that no other parser's opinion stands
between what is checked and what runs. Everything is an allow-list: statements, nodes, their fields, functions. Table
names resolve to common table expressions in scope, or to `layer.name`; what is not understood is refused.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from dataclasses import field
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from millpond.core.errors import AccessError, Location
from millpond.core.names import LAYERS, QUARANTINE, TableName, closest, is_plain, literal
from millpond.core.records import frozen
from millpond.governance.feeds import FUNCTION, Feed, no_layer, read_feed
from millpond.governance.grammar import CONTAINERS, NODES

MAX_BYTES = 256 * 1024
MAX_DEPTH = 200
QUERY = Path("<query>")
"""The place of errors in a statement that stands in no file."""

_NOWHERE = 2**64 - 1
_CHANGES = ("A CTE needs a SELECT", "SELECT INTO not supported")
_HIDDEN_COLUMNS = frozenset({"rowid", "file_row_number", "file_index", "_last_updated_sequence_number", "_row_id"})
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",
    "memory_limit": "256MB",
    "lock_configuration": "true",
}


@frozen
class Guarded:
    """A statement that passed: its exact text, the tables it reads, where it names each first, and its changes()."""

    sql: str
    tables: tuple[TableName, ...]
    places: Mapping[TableName, Location] = field(default_factory=dict, compare=False)
    feeds: tuple[Feed, ...] = field(default=(), compare=False)


def guard(
    sql: str, known: Collection[TableName] | None = None, views: Collection[TableName] = (), past: int | None = None
) -> Guarded:
    """Let one SELECT pass, or refuse it. With `known`, every table must be among them; `views` are names of views that
    did not give way to a query. `past` is the earlier commit that is read, None for the newest.

    Raises AccessError MP-8001 (no SQL), MP-8002 (not a SELECT), MP-8003 (not one statement), MP-8004 (not layer.name),
    MP-8005 (no such table), MP-8006 (function), MP-8007 (not understood), MP-8008 (too large or too deep), MP-8009
    (time travel), MP-8012 (DESCRIBE, SUMMARIZE, SHOW), MP-8013 (hidden column), MP-8019 (changes() of another form).
    """
    walk = _Walk(sql)
    walk.visit(_statement(sql), frozenset(), 0)
    if known is not None:
        for table, where in walk.tables.items():
            if table not in known:
                raise _unread_view(table, where) if table in views else unknown_table(table, known, where, past)
    return Guarded(sql, tuple(walk.tables), walk.tables, tuple(walk.feeds))


def unknown_table(
    table: TableName, known: Collection[TableName], where: Location | None = None, past: int | None = None
) -> AccessError:
    """The refusal of a table that is not there, or was not as of a past commit, with the one that was likely meant."""
    names = [str(name) for name in known]
    told, option = ("", "") if past is None else (f" as of commit {past}", f" --at {past}")
    return AccessError(
        "MP-8005",
        f"there is no table {table}{told}",
        next_step=f"list the tables with: millpond ls{option}",
        where=where,
        suggestion=closest(str(table), names),
    )


def _unread_view(view: TableName, where: Location) -> AccessError:
    return AccessError(
        "MP-8005",
        f"{view} is a view that Millpond does not read here: its SQL is another program's, or it stands where only a "
        "table can",
        next_step="read the tables behind it; a query of your own becomes a view as a model of `kind: view`",
        where=where,
    )


def allowed_functions() -> Mapping[str, frozenset[str]]:
    """The reviewed names by kind: `row` for expressions, `table` for FROM."""
    return {
        kind: frozenset(name for verdict, theirs, name in reviewed() if verdict == "allow" and theirs == kind)
        for kind in ("row", "table")
    }


@functools.cache
def reviewed() -> tuple[tuple[str, str, str], ...]:
    """Every line of functions.txt as (verdict, kind, name)."""
    text = resources.files(__package__ or "").joinpath("functions.txt").read_text("utf-8")
    rows = [line.split(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return tuple((verdict, kind, name) for verdict, kind, name in rows)


@functools.cache
def _allowed(kind: str) -> frozenset[str]:
    return allowed_functions()[kind]


@functools.cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config=_LOCKED)


def _statement(sql: str) -> Any:
    """The one SELECT as DuckDB's parser sees it."""
    _refuse_bytes(sql)
    with _parser().cursor() as cursor:
        # As a literal: for the sake of a parameter DuckDB would load pandas wherever that is installed.
        row = cursor.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchone()
    try:
        answer = json.loads(row[0] if row else "{}")
    except RecursionError:
        raise _too_deep() from None
    if answer.get("error") is not False:
        raise _unreadable(sql, answer)
    statements = answer["statements"]
    if len(statements) != 1:
        raise AccessError(
            "MP-8003",
            f"one statement is expected, here {'is none' if not statements else f'are {len(statements)}'}",
            next_step="send one SELECT at a time",
            where=Location(QUERY, 1),
        )
    return statements[0]


def _refuse_bytes(sql: str) -> None:
    try:
        size = len(sql.encode("utf-8"))
    except UnicodeEncodeError:
        size = -1
    if size < 0 or any(ord(character) < 32 and character not in "\t\n\r" for character in sql):
        raise AccessError(
            "MP-8001",
            "the statement holds control characters or broken text",
            next_step="send it as plain UTF-8 text",
            where=Location(QUERY),
        )
    if size > MAX_BYTES:
        raise AccessError(
            "MP-8008",
            f"the statement has {size} bytes, more than {MAX_BYTES}",
            next_step="put long lists of values into a table and join it",
            where=Location(QUERY),
        )


def _too_deep() -> AccessError:
    return AccessError(
        "MP-8008",
        f"the statement is nested deeper than {MAX_DEPTH} levels",
        next_step="split it with WITH, or use IN (...) for long chains",
        where=Location(QUERY),
    )


def _unreadable(sql: str, answer: Mapping[str, Any]) -> AccessError:
    told = str(answer.get("error_message", "the statement cannot be read")).split("\n", 1)[0]
    if answer.get("error_type") == "not implemented" and sql.lstrip(" (\n\t").lower().startswith("pivot"):
        return AccessError(
            "MP-8007",
            "a PIVOT whose values are not written out is not understood here",
            next_step="write the values: PIVOT layer.name ON column IN ('a', 'b') USING ...",
            where=Location(QUERY, 1),
        )
    if answer.get("error_type") == "not implemented" or told.startswith(_CHANGES):
        return AccessError(
            "MP-8002",
            "only SELECT can be asked here",
            next_step="change data through models and `millpond run`; read it with SELECT",
            where=Location(QUERY, 1),
        )
    if "expression depth" in told or "memory exhausted" in told:
        return _too_deep()
    position = str(answer.get("position", ""))
    where = _at(sql, int(position)) if position.isdigit() else Location(QUERY)
    return AccessError("MP-8001", told, next_step="correct the SQL at the place shown", where=where)


def _place(sql: str, position: Any, length: int = 1) -> Location:
    """Where a node stands: the tree counts bytes (the parser's own errors count characters)."""
    if not isinstance(position, int) or position == _NOWHERE:
        return Location(QUERY)
    return _at(sql, _offset(sql, position), length)


def _offset(sql: str, position: int) -> int:
    return len(sql.encode("utf-8")[:position].decode("utf-8", "ignore"))


def _at(sql: str, offset: int, length: int = 1) -> Location:
    begin = sql.rfind("\n", 0, offset) + 1
    return Location(QUERY, sql.count("\n", 0, offset) + 1, offset - begin + 1, length)


def _fold(name: str) -> str:
    """Lower case as the engine folds it: the letters A to Z alone."""
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in name)


Scope = frozenset[str]


class _Walk:
    """Goes through the tree once, with the common table expressions in sight."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self.tables: dict[TableName, Location] = {}
        self.feeds: list[Feed] = []

    def visit(self, value: Any, scope: Scope, depth: int) -> None:
        """Check a value of the tree and everything under it."""
        if isinstance(value, list):
            for item in value:
                self.visit(item, scope, depth)
        elif isinstance(value, dict):
            if depth > MAX_DEPTH:
                raise _too_deep()
            if isinstance(value.get("type"), str):
                self._node(value, scope, depth + 1)
            else:
                self._container(value, scope, depth)

    def _container(self, value: dict[str, Any], scope: Scope, depth: int) -> None:
        if frozenset(value) not in CONTAINERS:
            raise self._not_understood(value)
        if "is_null" not in value:
            for part in value.values():
                self.visit(part, scope, depth)

    def _node(self, node: dict[str, Any], scope: Scope, depth: int) -> None:
        kind = f"{node['class']}:{node['type']}" if "class" in node else str(node["type"])
        if kind == "SHOW_REF":
            raise self._refused_show(node)
        fields = NODES.get(kind)
        if fields is None or not node.keys() <= fields:
            raise self._not_understood(node)
        if kind == "BASE_TABLE":
            self._table(node, scope)
        elif kind == "TABLE_FUNCTION":
            self._table_function(node["function"], bool(node["alias"]))
        elif kind == "FUNCTION:FUNCTION" or kind.startswith("WINDOW:"):
            self._function(node, "row")
        elif kind == "COLUMN_REF:COLUMN_REF":
            self._column(node)
        elif kind == "UNBOUND_TYPE_INFO" and (node.get("catalog") or node.get("schema")):
            raise self._not_understood(node)
        scope = self._expressions_in_scope(node, scope, depth)
        if kind == "RECURSIVE_CTE_NODE":
            # Only the recursive part sees the expression that it is part of.
            self.visit(node["left"], scope, depth)
            self.visit(node["right"], scope | {_fold(node["cte_name"])}, depth)
            node = {key: value for key, value in node.items() if key not in ("left", "right")}
        for name, value in node.items():
            if kind == "TABLE_FUNCTION" and name == "function":
                self.visit(value["children"], scope, depth)
            elif name != "cte_map":
                self.visit(value, scope, depth)

    def _expressions_in_scope(self, node: dict[str, Any], scope: Scope, depth: int) -> Scope:
        """Common table expressions see those written before them, and what is around the statement."""
        mapped = node.get("cte_map")
        if mapped is None:
            return scope
        self._container({**mapped, "map": []}, scope, depth)
        for entry in mapped["map"]:
            self.visit(entry, scope, depth)
            scope = scope | {_fold(entry["key"])}
        return scope

    def _table(self, node: dict[str, Any], scope: Scope) -> None:
        if node.get("at_clause") is not None:
            raise AccessError(
                "MP-8009",
                "a statement cannot choose a table's version by itself",
                next_step="read the whole lake at one moment with --at TIME or --at NUMBER",
                where=_place(self._sql, node.get("query_location")),
            )
        catalog, schema, name = (str(node[part]) for part in ("catalog_name", "schema_name", "table_name"))
        if not catalog and not schema and _fold(name) in scope:
            return
        where = _place(self._sql, node.get("query_location"), len(".".join(filter(None, (catalog, schema, name)))))
        table = TableName(_fold(schema), _fold(name))
        if catalog or table.layer not in (*LAYERS, QUARANTINE) or not is_plain(table.name):
            near = closest(schema, (*LAYERS, QUARANTINE)) if schema else None
            suggestion = f"{near}.{table.name}" if near and is_plain(table.name) else None
            raise no_layer(".".join(filter(None, (catalog, schema, name))), where, suggestion)
        self.tables.setdefault(table, where)

    def _table_function(self, function: dict[str, Any], named: bool) -> None:
        kind = f"{function.get('class')}:{function.get('type')}"
        if kind != "FUNCTION:FUNCTION" or not function.keys() <= NODES[kind]:
            raise self._not_understood(function)
        position = function.get("query_location")
        if _fold(str(function["function_name"])) == FUNCTION and isinstance(position, int) and position != _NOWHERE:
            where = _place(self._sql, position, len(FUNCTION))
            feed = read_feed(self._sql, where, _offset(self._sql, position), named)
            self.tables.setdefault(feed.table, feed.where)
            self.feeds.append(feed)
            return
        self._function(function, "table")

    def _function(self, node: dict[str, Any], kind: str) -> None:
        name = _fold(str(node["function_name"]))
        # `column.lower()` is written like `schema.lower()`: the name alone decides, and nobody can define functions.
        if name in _allowed(kind) and not node.get("export_state"):
            return
        in_from = " in FROM" if kind == "table" else ""
        raise AccessError(
            "MP-8006",
            f"the function {name}() cannot be used here{in_from}",
            next_step="read tables as layer.name; the functions that can be used are listed in docs/errors/MP-8006.md",
            where=_place(self._sql, node.get("query_location"), len(name)),
            suggestion=closest(name, _allowed(kind)),
        )

    def _column(self, node: dict[str, Any]) -> None:
        name = _fold(str(node["column_names"][-1]))
        if name in _HIDDEN_COLUMNS:
            raise AccessError(
                "MP-8013",
                f"the column {name!r} belongs to the storage, not to the table",
                next_step="use the table's own columns; _origin and _position say where a bronze row came from",
                where=_place(self._sql, node.get("query_location"), len(name)),
            )

    def _refused_show(self, node: dict[str, Any]) -> AccessError:
        return AccessError(
            "MP-8012",
            "DESCRIBE, SUMMARIZE and SHOW are not SELECT",
            next_step="use: millpond ls, or: millpond show TABLE",
            where=_place(self._sql, node.get("query_location")),
        )

    def _not_understood(self, node: dict[str, Any]) -> AccessError:
        what = str(node.get("type") if isinstance(node.get("type"), str) else "this part").replace("_", " ").lower()
        return AccessError(
            "MP-8007",
            f"{what} is not understood here, and what is not understood is refused",
            next_step="write the query with plain SELECT, JOIN, WITH and set operations",
            where=_place(self._sql, node.get("query_location")),
        )
