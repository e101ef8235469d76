"""The quarantine's tables: their columns, and the statements that put records into them and find them there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from millpond.core.names import QUARANTINE, TableName, literal, quote
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS, Column, Schema
from millpond.sql.lake import in_lake
from millpond.sql.values import value

RECORDS = TableName(QUARANTINE, "records")

SCHEMA = Schema(
    (
        Column("id", "VARCHAR", doc="md5 of model, rule, record and place: the same record is never listed twice"),
        Column("model", "VARCHAR", doc="the table that the record was meant for"),
        Column("kind", "VARCHAR", doc="row (judged by a check), record (unreadable), file (no such file at all)"),
        Column("rule", "VARCHAR", doc="the rule that it broke"),
        Column("value", "VARCHAR", doc="the value that broke it, as text"),
        Column("reason", "VARCHAR", doc="why, as a sentence"),
        Column("raw", "VARCHAR", doc="the record as received"),
        Column("raw_of", "VARCHAR", doc="the table whose row the raw record is, or was to become"),
        Column("content_path", "VARCHAR", doc="for files: where the kept bytes lie"),
        Column("origin", "VARCHAR", doc="where it came from: file, topic/partition, device; a table of the lake"),
        Column("position", "BIGINT", doc="record number, offset or sequence there"),
        Column("load", "VARCHAR", doc="the step that brought the record into bronze"),
        Column("step", "VARCHAR", doc="the step that put it here"),
        Column("at", "TIMESTAMP", doc="when, in UTC"),
    )
)

REJECTED = "rejects"
"""The temporary relation of the records that one statement's worth of rejects became."""
QUARANTINED = "quarantined"
"""The temporary relation of the ids of every record that the session's step rejects, known before or not."""


@frozen
class Rejects:
    """A relation of rejected records, by the SQL expressions that give each quarantine column.

    `relation` is a relation name or a parenthesised query; the others are expressions over its columns. `same` is what
    makes two records of one place the same; `by_content` says that the place does not matter.
    """

    relation: str
    model: TableName
    kind: str
    rule: str
    value: str
    reason: str
    raw: str
    raw_of: str
    content_path: str
    origin: str
    position: str
    load: str
    step: str
    at: str
    same: str
    by_content: bool = False


def same_row(raw: str) -> str:
    """What makes two rows the same, by the expression of their JSON: their values, whatever columns came later.

    A column that the table got since is NULL in rows from before, and NULL is left out. So is where a row is from.
    """
    place = literal("{" + ", ".join(f'"{name}": null' for name in ORIGIN_COLUMNS if name != "_rescued") + "}")
    return f"json_merge_patch({literal('{}')}, json_merge_patch(({raw})::VARCHAR, {place}))::VARCHAR"


def create_rejected(rejects: Rejects) -> str:
    """Temporary relation of the records, each once."""
    selected = f"SELECT {', '.join(_expressions(rejects))} FROM {rejects.relation}"
    return f"CREATE OR REPLACE TEMP TABLE {REJECTED} AS SELECT DISTINCT ON (id) * FROM ({selected})"


def insert_rejected(*, known: bool) -> str:
    """The INSERT that moves them into quarantine; its count is the number of new records there.

    With `known`, records that are in quarantine already are left out, so that none is opened twice.
    """
    columns = ", ".join(quote(name) for name in SCHEMA.names)
    insert = f"INSERT INTO {in_lake(RECORDS)} ({columns}) SELECT {columns} FROM {REJECTED}"
    return f"{insert} AS r ANTI JOIN {in_lake(RECORDS)} AS k ON r.id = k.id" if known else insert


def create_quarantined() -> str:
    """The relation of the step's ids, where there is none yet."""
    return f"CREATE TEMP TABLE IF NOT EXISTS {QUARANTINED} (id VARCHAR)"


def note_quarantined() -> str:
    """Add the ids of the records that were just rejected."""
    return f"INSERT INTO {QUARANTINED} SELECT id FROM {REJECTED}"


def _expressions(rejects: Rejects) -> tuple[str, ...]:
    """One expression for each column of the quarantine table, in order."""
    model = literal(str(rejects.model))
    parts = (model, rejects.rule, f"coalesce({rejects.same}, '')", *(() if rejects.by_content else _place(rejects)))
    named = {
        "id": f"md5(concat_ws('|', {', '.join(parts)}))",
        "model": model,
        "kind": literal(rejects.kind),
        "rule": rejects.rule,
        "value": rejects.value,
        "reason": rejects.reason,
        "raw": rejects.raw,
        "raw_of": rejects.raw_of,
        "content_path": rejects.content_path,
        "origin": rejects.origin,
        "position": rejects.position,
        "load": rejects.load,
        "step": literal(rejects.step),
        "at": rejects.at,
    }
    types = {column.name: column.type for column in SCHEMA}
    return tuple(f"({named[name]})::{types[name]} AS {quote(name)}" for name in SCHEMA.names)


def _place(rejects: Rejects) -> tuple[str, ...]:
    return (f"coalesce({rejects.origin}, '')", f"coalesce(({rejects.position})::VARCHAR, '')")


def no_more_rejected(model: TableName, scope: str) -> str:
    """SELECT (id, step) of a table's records that the session's step did not reject again.

    `scope` is the condition of the records whose rows the step judged anew; the two lists that the statement takes
    limit it further, to records that were opened by some steps, and to some ids.
    """
    return (
        f"SELECT r.id, r.step FROM {in_lake(RECORDS)} AS r ANTI JOIN {QUARANTINED} AS q ON r.id = q.id "
        f"WHERE r.model = {literal(str(model))} AND ({scope}) "
        "AND (r.step IN (SELECT unnest(?::VARCHAR[])) OR r.id IN (SELECT unnest(?::VARCHAR[])))"
    )


def rejected_again(step: str) -> str:
    """SELECT (id, step) of the records that the session's step rejects and that other steps had put here before."""
    return (
        f"SELECT r.id, r.step FROM {in_lake(RECORDS)} AS r SEMI JOIN {QUARANTINED} AS q ON r.id = q.id "
        f"WHERE r.step <> {literal(step)}"
    )


def rejected_ids() -> str:
    """SELECT of the ids of the records that were just rejected."""
    return f"SELECT id FROM {REJECTED}"


def of_ids(ids: Sequence[str]) -> str:
    """The scope of some records."""
    return f"r.id IN ({', '.join(map(literal, ids))})" if ids else "FALSE"


def steps_by_id() -> str:
    """SELECT (id, step) of records given by a list of ids."""
    return f"SELECT id, step FROM {in_lake(RECORDS)} WHERE id IN (SELECT unnest(?::VARCHAR[]))"


def files_by_id() -> str:
    """SELECT (id, origin, content_path) of files given by a list of ids."""
    return (
        f"SELECT id, origin, content_path FROM {in_lake(RECORDS)} "
        "WHERE kind = 'file' AND id IN (SELECT unnest(?::VARCHAR[])) ORDER BY id"
    )


def files_of(table: TableName, origins: Sequence[str]) -> str:
    """SELECT (id, origin, content_path) of the files of some origins that were meant for a table."""
    return (
        f"SELECT id, origin, content_path FROM {in_lake(RECORDS)} "
        f"WHERE kind = 'file' AND model = {literal(str(table))} AND origin IN ({', '.join(map(literal, origins))})"
    )


def of_rules(rules: Sequence[str]) -> str:
    """The scope of the records that some rules rejected."""
    return f"r.rule IN ({', '.join(map(literal, rules))})"


def either(one: str | None, other: str | None) -> str | None:
    """The scope of two scopes, None being that of nothing."""
    return f"(({one}) OR ({other}))" if one is not None and other is not None else one or other


EVERYTHING = "TRUE"
"""The scope of a step that judged all that its table is made of."""


def of_origins(origins: Sequence[str]) -> str:
    """The scope of a load: what could not be read of these files."""
    return f"r.kind IN ('record', 'file') AND r.origin IN ({', '.join(map(literal, origins))})"


def of_groups(groups: str, key: Sequence[str]) -> str:
    """The scope of a step that recomputed groups; column i of the key is `_mp_g<i>` of the relation `groups`."""
    same = " AND ".join(
        f"{raw_field(name)} IS NOT DISTINCT FROM (to_json(g._mp_g{i}) ->> '$')" for i, name in enumerate(key)
    )
    return f"EXISTS (SELECT 1 FROM {groups} AS g WHERE {same})"


def raw_field(name: str) -> str:
    """A column of a record's raw row, as text."""
    return f"json_extract_string(r.raw, {literal(_pointer(name))})"


def of_places(relation: str) -> str:
    """The scope of a step that met records which are there no more: their places are the rows of a relation."""
    return (
        f"EXISTS (SELECT 1 FROM {relation} AS p WHERE r.origin IS NOT DISTINCT FROM p._mp_origin "
        "AND r.position IS NOT DISTINCT FROM p._mp_position)"
    )


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


@frozen
class Filters:
    """Which records are meant: all conditions must hold, an empty one always does.

    `ids` are ids or their beginnings. Of a source (`lands_in` is its table) are the records of its bronze table, and
    rows of later tables that were meant for one of `downstream`. Times are UTC, naive.
    """

    ids: tuple[str, ...] = ()
    models: tuple[TableName, ...] = ()
    rules: tuple[str, ...] = ()
    lands_in: TableName | None = None
    downstream: tuple[TableName, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


def select_records(filters: Filters) -> str:
    """SELECT of records in quarantine, the newest first."""
    conditions = [" OR ".join(f"starts_with(id, {literal(identity)})" for identity in filters.ids)]
    conditions.append(_among("model", map(str, filters.models)))
    conditions.append(_among("rule", filters.rules))
    if filters.lands_in is not None:
        later = _among("model", map(str, filters.downstream)) or "FALSE"
        begins = literal(f"{filters.lands_in.layer}.")
        conditions.append(
            f"raw_of = {literal(str(filters.lands_in))} OR (NOT starts_with(raw_of, {begins}) AND {later})"
        )
    if filters.since is not None:
        conditions.append(f"{quote('at')} >= {value(filters.since)}")
    if filters.until is not None:
        conditions.append(f"{quote('at')} <= {value(filters.until)}")
    given = [f"({condition})" for condition in conditions if condition]
    where = f" WHERE {' AND '.join(given)}" if given else ""
    order = f"{quote('at')} DESC, model, origin, {quote('position')}, rule, id"
    return f"SELECT * FROM {RECORDS.quoted}{where} ORDER BY {order}"


def _among(column: str, values: Iterable[str]) -> str:
    listed = ", ".join(map(literal, values))
    return f"{column} IN ({listed})" if listed else ""
