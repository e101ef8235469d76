"""The quarantine table: its columns, and the statement that puts rejected records into it."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.core.names import QUARANTINE, TableName, literal, quote
from millpond.core.schema import Column, Schema

RECORDS = TableName(QUARANTINE, "records")

SCHEMA = Schema(
    (
        Column("id", "VARCHAR", doc="md5 of model, rule, raw record and place: the same record is never listed twice"),
        Column("model", "VARCHAR", doc="the table that the record was meant for"),
        Column("kind", "VARCHAR", doc="row (judged by a check), record (unreadable), file (no such file at all)"),
        Column("rule", "VARCHAR", doc="the rule that it broke"),
        Column("value", "VARCHAR", doc="the value that broke it, as text"),
        Column("reason", "VARCHAR", doc="why, as a sentence"),
        Column("raw", "VARCHAR", doc="the record as received"),
        Column("content_path", "VARCHAR", doc="for files: where the kept bytes lie"),
        Column("origin", "VARCHAR", doc="where it came from: file, topic/partition, device"),
        Column("position", "BIGINT", doc="record number, offset or sequence there"),
        Column("load", "VARCHAR", doc="the step that brought the record into bronze"),
        Column("step", "VARCHAR", doc="the step that put it here"),
        Column("at", "TIMESTAMP", doc="when, in UTC"),
    )
)


@dataclass(frozen=True)
class Rejects:
    """A relation of rejected records, by the SQL expressions that give each quarantine column.

    `relation` is a relation name or a parenthesised query; the others are expressions over its columns. `by_content`
    says that equal records are one, wherever they came from.
    """

    relation: str
    model: TableName
    kind: str
    rule: str
    value: str
    reason: str
    raw: str
    content_path: str
    origin: str
    position: str
    load: str
    step: str
    at: str
    by_content: bool = False


def insert_rejects(rejects: Rejects, *, known: bool = False) -> str:
    """The INSERT that moves them into quarantine; its count is the number of new records there.

    With `known`, records that are in quarantine already are left out, so that a rebuild opens none of them twice.
    """
    columns = ", ".join(quote(name) for name in SCHEMA.names)
    selected = f"SELECT {', '.join(_expressions(rejects))} FROM {rejects.relation}"
    insert = f'INSERT INTO "lake".{RECORDS.quoted} ({columns})'
    if not known:
        return f"{insert} {selected}"
    return (
        f"{insert} SELECT DISTINCT ON (r.id) r.* FROM ({selected}) AS r "
        f'ANTI JOIN "lake".{RECORDS.quoted} AS k ON r.id = k.id'
    )


def _expressions(rejects: Rejects) -> tuple[str, ...]:
    """One expression for each column of the quarantine table, in order."""
    model = literal(str(rejects.model))
    parts = (model, rejects.rule, f"coalesce({rejects.raw}, '')", *(() if rejects.by_content else _place(rejects)))
    named = {
        "id": f"md5(concat_ws('|', {', '.join(parts)}))",
        "model": model,
        "kind": literal(rejects.kind),
        "rule": rejects.rule,
        "value": rejects.value,
        "reason": rejects.reason,
        "raw": rejects.raw,
        "content_path": rejects.content_path,
        "origin": rejects.origin,
        "position": rejects.position,
        "load": rejects.load,
        "step": literal(rejects.step),
        "at": rejects.at,
    }
    return tuple(f"{named[name]} AS {quote(name)}" for name in SCHEMA.names)


def _place(rejects: Rejects) -> tuple[str, ...]:
    return (f"coalesce({rejects.origin}, '')", f"coalesce(({rejects.position})::VARCHAR, '')")


def list_records(model: str | None, rule: str | None) -> str:
    """SELECT of the records in quarantine, newest first, optionally of one model or rule."""
    conditions = [f"{quote(name)} = {literal(given)}" for name, given in (("model", model), ("rule", rule)) if given]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f"{quote('at')} DESC, model, origin, {quote('position')}, rule"
    return f"SELECT * FROM {RECORDS.quoted}{where} ORDER BY {order}"


def one_record(identity: str) -> str:
    """SELECT of the records whose id begins with the given text."""
    return f"SELECT * FROM {RECORDS.quoted} WHERE starts_with(id, {literal(identity)}) LIMIT 2"
