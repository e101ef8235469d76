"""Statements that keep an aggregate's groups as states: made of all rows, or brought up to date by changed ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.sql.difference import GROUPS
from millpond.sql.lake import in_lake
from millpond.sql.sketch import estimates, place
from millpond.sql.states import GROUP, MEASURED, Measure, States

STATES = "states"
"""Temp table of the states as they are to be: all of them, or those of the groups of changed rows."""
_CHANGED = "changed_rows"
_VALUES = "changed_values"
_DELTA = "delta"
WORN = "worn"
_PART = "_mp_part"
_VALUE = "_mp_value"
_ROWS = "_mp_n"
_COUNT = "_mp_c"
_ESTIMATE = "_mp_e"
_SUM = "_mp_s"
_MOST = "_mp_m"
_COUNTS = {"distinct": "count(DISTINCT {})", "approx": "approx_count_distinct({})"}
_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")
_TEXT = ("VARCHAR", "BOOLEAN", "UUID", *_TIMES)
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_DECIMAL = re.compile(r"DECIMAL\(\d+,\s*(\d+)\)")


@frozen
class Merging:
    """States with the types that the engine gives their groups and arguments, and the side table that keeps them.

    `stored` are the types of the same as tables hold them. `engine` is the version of the engine: the hashes of another
    may differ, and estimates are made of hashes.
    """

    states: States
    side: TableName
    groups: tuple[str, ...]
    arguments: tuple[str, ...]
    stored: tuple[str, ...]
    engine: str = ""

    @property
    def exact(self) -> bool:
        """Whether these types can be kept, added to and taken from without any loss.

        A sum of floating point cannot, nor what tables hold in fewer digits (nanoseconds) or in another order (ENUM).
        """
        pairs = zip(self.states.measures, self.arguments, strict=True)
        return all(_plain(kind) for kind in self.groups) and all(_exact(*pair) for pair in pairs)

    @property
    def schema(self) -> Schema:
        """The columns of the side table."""
        names = [f"{GROUP}{n}" for n in range(len(self.groups))]
        columns = [Column(name, kind) for name, kind in zip(names, self.stored, strict=False)]
        if self.singly:
            columns = [Column(_PART, "INTEGER"), *columns, Column(_VALUE, "VARCHAR")]
        return Schema((*columns, Column(_ROWS, "BIGINT"), *self._kept()))

    @property
    def singly(self) -> tuple[int, ...]:
        """The measures whose values, or their places in a sketch, are kept one by one."""
        return tuple(n for n, measure in enumerate(self.states.measures) if measure.kind in ("distinct", "approx"))

    def counted(self, n: int) -> str:
        """The column of what a measure counts."""
        return f"{_COUNT}{n}" if self.states.measures[n].kind != "approx" else f"{_ESTIMATE}{n}_{self.engine}"

    def single(self, n: int) -> str:
        """What is kept of a value, as text in an expression."""
        kept = f"{MEASURED}{n}"
        return f"({place(kept)})::VARCHAR" if self.states.measures[n].kind == "approx" else f"{kept}::VARCHAR"

    def _kept(self) -> Iterator[Column]:
        for n, measure in enumerate(self.states.measures):
            if measure.kind in ("min", "max"):
                yield Column(f"{_MOST}{n}", self.stored[len(self.groups) + n])
            else:
                yield Column(self.counted(n), "BIGINT")
            if measure.kind in ("sum", "avg"):
                yield Column(f"{_SUM}{n}", f"DECIMAL(38,{_scale(self.arguments[n])})")


def rows_of(states: States, source: str) -> str:
    """The groups and arguments of the rows of a relation, those that count."""
    named = [f"{text} AS {GROUP}{n}" for n, text in enumerate(states.groups)]
    named += [f"{measure.argument} AS {MEASURED}{n}" for n, measure in enumerate(states.measures)]
    where = " AND ".join(f"({condition})" for condition in states.conditions)
    return f"SELECT {', '.join(named)} FROM {source}{f' WHERE {where}' if where else ''}"


def input_rows(states: States, within: str = "") -> str:
    """The groups and arguments of all rows of the input, or of those within a condition."""
    table = in_lake(states.input)
    return rows_of(states, f"(SELECT * FROM {table} WHERE {within}) AS within" if within else table)


def create_all(merging: Merging) -> str:
    """Temp table of the states of all groups, made of all rows of the input."""
    return f"CREATE TEMP TABLE {STATES} AS {_measured(merging, input_rows(merging.states))}"


def create_changed(merging: Merging, came: Sequence[str], went: Sequence[str]) -> str:
    """Temp table of the changed rows, given by queries, with whether they came."""
    parts = [(rows, sign) for sign, queries in (("TRUE", came), ("FALSE", went)) for rows in queries]
    union = " UNION ALL ".join(
        f"SELECT {sign} AS _mp_came, * FROM ({rows_of(merging.states, f'({rows}) AS changed')}) AS signed"
        for rows, sign in parts
    )
    return f"CREATE TEMP TABLE {_CHANGED} AS {union}"


def create_values(merging: Merging) -> str:
    """Temp table of the values, of those that are kept one by one, with how often each was there and is there now."""
    union = " UNION ALL ".join(
        f"SELECT {n + 1} AS {_PART}, {_groups(merging)}, {merging.single(n)} AS {_VALUE}, "
        f"(count(*) FILTER (WHERE _mp_came) - count(*) FILTER (WHERE NOT _mp_came))::BIGINT AS _mp_more "
        f"FROM {_CHANGED} WHERE {MEASURED}{n} IS NOT NULL GROUP BY ALL"
        for n in merging.singly
    )
    on = f"o.{_PART} = d.{_PART} AND o.{_VALUE} = d.{_VALUE} AND {_same(merging, 'o', 'd')}"
    return (
        f"CREATE TEMP TABLE {_VALUES} AS SELECT d.*, coalesce(o.{_ROWS}, 0) AS _mp_before, "
        f"coalesce(o.{_ROWS}, 0) + d._mp_more AS {_ROWS} "
        f"FROM ({union}) AS d LEFT JOIN {_side(merging)} AS o ON {on} WHERE d._mp_more <> 0"
    )


def create_merged(merging: Merging) -> tuple[str, ...]:
    """Make STATES of what the side table says of the groups of changed rows, and what these rows say.

    `_mp_known` says that the group has a state, `_mp_worn` that one of its rows went which had the least or greatest
    value, so that only all of its rows can tell the next.
    """
    delta = (
        f"SELECT {_groups(merging)}, {_signed('count(*)')}{_deltas(merging)} FROM {_CHANGED} "
        f"GROUP BY {_groups(merging)}"
    )
    merged = (
        f"SELECT {_groups(merging, 'd')}, coalesce(o.{_ROWS}, 0) + d.{_ROWS} AS {_ROWS}{_sums(merging)}, "
        f"o.{_ROWS} IS NOT NULL AS _mp_known, ({_worn(merging)}) AS _mp_worn "
        f"FROM {_DELTA} AS d LEFT JOIN {_group_side(merging)} AS o ON {_same(merging, 'o', 'd')}"
    )
    return (
        f"CREATE TEMP TABLE {_DELTA} AS {delta}",
        f"CREATE TEMP TABLE {STATES} AS {merged}{_distinct_joins(merging)}",
    )


def count_odd() -> str:
    """SELECT of how many groups would have fewer rows than none, and of how many are worn."""
    return f"SELECT count(*) FILTER (WHERE {_ROWS} < 0), count(*) FILTER (WHERE _mp_worn AND {_ROWS} > 0) FROM {STATES}"


def create_worn(merging: Merging) -> str:
    """Temp table WORN of the groups that are worn, and whether they have a state."""
    return f"CREATE TEMP TABLE {WORN} AS SELECT {_groups(merging)}, _mp_known FROM {STATES} WHERE _mp_worn"


def renew_worn(merging: Merging, within: str = "") -> tuple[str, ...]:
    """Compute the states of worn groups from all of their rows; `within` is a condition that all of these meet."""
    rows = f"SELECT r.* FROM ({input_rows(merging.states, within)}) AS r SEMI JOIN {WORN} AS w "
    rows += f"ON {_same(merging, 'r', 'w')}"
    renewed = (
        f"SELECT m.*, w._mp_known, FALSE AS _mp_worn FROM ({_measured(merging, rows)}) AS m "
        f"JOIN {WORN} AS w ON {_same(merging, 'm', 'w')}"
    )
    return (
        f"DELETE FROM {STATES} WHERE _mp_worn AND {_ROWS} > 0",
        f"INSERT INTO {STATES} BY NAME {renewed}",
    )


def create_state_groups(merging: Merging) -> str:
    """Temp table GROUPS of the keys whose states changed."""
    return f"CREATE TEMP TABLE {GROUPS} AS SELECT {_groups(merging)} FROM {STATES}"


def finished(merging: Merging, types: Schema) -> str:
    """The query's rows, made of the states; `types` are its columns as tables hold them."""
    states = merging.states
    groups = [f"{GROUP}{n}::{kind} AS {GROUP}{n}" for n, kind in enumerate(merging.groups)]
    measures = [f"{_finish(merging, n)} AS {MEASURED}{n}" for n in range(len(states.measures))]
    rows = f"SELECT {', '.join([*groups, *measures])} FROM {STATES} WHERE {_ROWS} > 0"
    outputs = ", ".join(
        f"CAST({text} AS {column.type}) AS {quote(column.name)}"
        for (_, text), column in zip(states.outputs, types, strict=True)
    )
    return f"SELECT {outputs} FROM ({rows}) AS measured{f' WHERE {states.having}' if states.having else ''}"


def keep_all(merging: Merging) -> tuple[str, ...]:
    """Put the states of all groups into the empty side table."""
    return (
        f"INSERT INTO {_side(merging)} ({_columns(merging)}) {_as_states(merging, 'TRUE')}",
        *(_keep_values(merging, n) for n in merging.singly),
    )


def _keep_values(merging: Merging, n: int) -> str:
    return (
        f"INSERT INTO {_side(merging)} ({_PART}, {_groups(merging)}, {_VALUE}, {_ROWS}) "
        f"SELECT {n + 1}, {_groups(merging)}, {merging.single(n)} AS {_VALUE}, count(*) "
        f"FROM ({input_rows(merging.states)}) AS r WHERE {MEASURED}{n} IS NOT NULL GROUP BY ALL"
    )


def keep_merged(merging: Merging) -> tuple[str, ...]:
    """Put the changed states into the side table, in the place of what was there."""
    group = f"t.{_PART} = 0 AND " if merging.singly else ""
    known = f"SELECT {_groups(merging)} FROM {STATES} WHERE _mp_known"
    states = (
        _delete(merging, known, f"{group}{_same(merging, 't', 'd')}"),
        f"INSERT INTO {_side(merging)} ({_columns(merging)}) {_as_states(merging, f'{_ROWS} > 0')}",
    )
    if not merging.singly:
        return states
    names = f"{_PART}, {_groups(merging)}, {_VALUE}, {_ROWS}"
    on = f"t.{_PART} = d.{_PART} AND t.{_VALUE} = d.{_VALUE} AND {_same(merging, 't', 'd')}"
    return (
        *states,
        _delete(merging, f"SELECT * FROM {_VALUES} WHERE _mp_before > 0", on),
        f"INSERT INTO {_side(merging)} ({names}) SELECT {names} FROM {_VALUES} WHERE {_ROWS} > 0",
    )


def _delete(merging: Merging, rows: str, on: str) -> str:
    return f"MERGE INTO {_side(merging)} AS t USING ({rows}) AS d ON {on} WHEN MATCHED THEN DELETE"


def _as_states(merging: Merging, where: str) -> str:
    columns = _columns(merging)
    rows = f"SELECT *, 0 AS {_PART} FROM {STATES}" if merging.singly else f"FROM {STATES}"
    return f"SELECT {columns} FROM ({rows}) AS s WHERE {where}"


def _columns(merging: Merging) -> str:
    return ", ".join(name for name in merging.schema.names if name != _VALUE)


def _measured(merging: Merging, rows: str) -> str:
    parts = [_groups(merging), f"count(*) AS {_ROWS}"]
    for n, measure in enumerate(merging.states.measures):
        argument = f"{MEASURED}{n}"
        if measure.kind in ("min", "max"):
            parts.append(f"{measure.kind}({argument}) AS {_MOST}{n}")
        else:
            parts.append(f"{_COUNTS.get(measure.kind, 'count({})').format(argument)} AS {merging.counted(n)}")
        if measure.kind in ("sum", "avg"):
            parts.append(f"coalesce(sum({argument}), 0)::{_sum_type(merging, n)} AS {_SUM}{n}")
    return f"SELECT {', '.join(parts)} FROM ({rows}) AS r GROUP BY {_groups(merging)}"


def _signed(measure: str, name: str = _ROWS) -> str:
    return f"{measure} FILTER (WHERE _mp_came) - {measure} FILTER (WHERE NOT _mp_came) AS {name}"


def _deltas(merging: Merging) -> str:
    parts = []
    for n, measure in enumerate(merging.states.measures):
        argument = f"{MEASURED}{n}"
        if measure.kind in ("min", "max"):
            extreme = f"{measure.kind}({argument})"
            parts.append(f"{extreme} FILTER (WHERE _mp_came) AS _mp_came{n}")
            parts.append(f"{extreme} FILTER (WHERE NOT _mp_came) AS _mp_went{n}")
        if measure.kind in ("count", "sum", "avg"):
            parts.append(_signed(f"count({argument})", f"{_COUNT}{n}"))
        if measure.kind in ("sum", "avg"):
            came, went = (
                f"coalesce(sum({argument}) FILTER (WHERE {side}), 0)" for side in ("_mp_came", "NOT _mp_came")
            )
            parts.append(f"({came} - {went})::{_sum_type(merging, n)} AS {_SUM}{n}")
    return "".join(f", {part}" for part in parts)


def _sums(merging: Merging) -> str:
    parts = []
    for n, measure in enumerate(merging.states.measures):
        if measure.kind in ("min", "max"):
            chosen = "least" if measure.kind == "min" else "greatest"
            parts.append(f"{chosen}(o.{_MOST}{n}, d._mp_came{n}) AS {_MOST}{n}")
        elif measure.kind == "approx":
            parts.append(f"coalesce(v{n}._mp_now, 0) AS {merging.counted(n)}")
        elif measure.kind == "distinct":
            parts.append(f"coalesce(o.{_COUNT}{n}, 0) + coalesce(v{n}._mp_more, 0)::BIGINT AS {_COUNT}{n}")
        else:
            parts.append(f"coalesce(o.{_COUNT}{n}, 0) + d.{_COUNT}{n} AS {_COUNT}{n}")
        if measure.kind in ("sum", "avg"):
            parts.append(f"(coalesce(o.{_SUM}{n}, 0) + d.{_SUM}{n})::{_sum_type(merging, n)} AS {_SUM}{n}")
    return "".join(f", {part}" for part in parts)


def _worn(merging: Merging) -> str:
    conditions = []
    for n, measure in enumerate(merging.states.measures):
        if measure.kind in ("min", "max"):
            beyond, within = ("<=", ">=") if measure.kind == "min" else (">=", "<=")
            conditions.append(
                f"d._mp_went{n} IS NOT NULL AND (o.{_MOST}{n} IS NULL OR d._mp_went{n} {beyond} o.{_MOST}{n}) "
                f"AND (d._mp_came{n} IS NULL OR d._mp_came{n} {within} d._mp_went{n})"
            )
    return " OR ".join(f"({condition})" for condition in conditions) or "FALSE"


def _distinct_joins(merging: Merging) -> str:
    joins = ""
    for n in merging.singly:
        if merging.states.measures[n].kind == "approx":
            counted = estimates(_groups(merging), _VALUE, _present_values(merging, n), "_mp_now")
        else:
            counted = (
                f"SELECT {_groups(merging)}, sum(({_ROWS} > 0)::INTEGER - (_mp_before > 0)::INTEGER) AS _mp_more "
                f"FROM {_VALUES} WHERE {_PART} = {n + 1} GROUP BY {_groups(merging)}"
            )
        joins += f" LEFT JOIN ({counted}) AS v{n} ON {_same(merging, f'v{n}', 'd')}"
    return joins


def _present_values(merging: Merging, n: int) -> str:
    """The values that the groups of changed rows have now."""
    changed = f"SELECT * FROM {_VALUES} WHERE {_PART} = {n + 1}"
    groups, same = _groups(merging), _same(merging, "o", "c")
    return (
        f"SELECT {groups}, {_VALUE} FROM (SELECT * FROM {_side(merging)} WHERE {_PART} = {n + 1}) AS o "
        f"SEMI JOIN {_DELTA} AS d ON {_same(merging, 'o', 'd')} "
        f"ANTI JOIN ({changed}) AS c ON o.{_VALUE} = c.{_VALUE} AND {same} "
        f"UNION ALL SELECT {groups}, {_VALUE} FROM ({changed}) AS changed WHERE {_ROWS} > 0"
    )


def _finish(merging: Merging, n: int) -> str:
    kind, argument = merging.states.measures[n].kind, merging.arguments[n]
    if kind in ("min", "max"):
        return f"{_MOST}{n}::{argument}"
    if kind in ("count", "distinct", "approx"):
        return merging.counted(n)
    scale = _scale(argument)
    if kind == "sum":
        total = "HUGEINT" if argument in _WHOLE else _sum_type(merging, n)
        return f"CASE WHEN {_COUNT}{n} > 0 THEN {_SUM}{n}::{total} END"
    # As DuckDB does: the sum without its decimal point, by the count with as many zeros.
    units = f"replace({_SUM}{n}::VARCHAR, '.', '')::HUGEINT"
    return f"CASE WHEN {_COUNT}{n} > 0 THEN {units}::DOUBLE / ({_COUNT}{n}::DOUBLE * 1e{scale}) END"


def _groups(merging: Merging, of: str = "") -> str:
    prefix = f"{of}." if of else ""
    return ", ".join(f"{prefix}{GROUP}{n}" for n in range(len(merging.groups)))


def _same(merging: Merging, left: str, right: str) -> str:
    return " AND ".join(
        f"{left}.{GROUP}{n} IS NOT DISTINCT FROM {right}.{GROUP}{n}" for n in range(len(merging.groups))
    )


def _side(merging: Merging) -> str:
    return in_lake(merging.side)


def _group_side(merging: Merging) -> str:
    return f"(SELECT * FROM {_side(merging)} WHERE {_PART} = 0)" if merging.singly else _side(merging)


def _sum_type(merging: Merging, n: int) -> str:
    return f"DECIMAL(38,{_scale(merging.arguments[n])})"


def _scale(kind: str) -> int:
    found = _DECIMAL.fullmatch(kind)
    return int(found[1]) if found else 0


def _plain(kind: str) -> bool:
    return kind in (*_TEXT, *_WHOLE, "DOUBLE", "FLOAT") or _DECIMAL.fullmatch(kind) is not None


def _exact(measure: Measure, argument: str) -> bool:
    if measure.kind == "count":
        return True
    if measure.kind in ("min", "max", "approx"):
        return _plain(argument)
    number = argument in _WHOLE or _DECIMAL.fullmatch(argument) is not None
    return number or (measure.kind == "distinct" and argument in _TEXT)
