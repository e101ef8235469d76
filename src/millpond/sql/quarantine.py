"""The quarantine table: its columns, and the statement that puts rejected records into it."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.core.names import QUARANTINE, TableName, literal, quote
from millpond.core.schema import Column, Schema

RECORDS = TableName(QUARANTINE, "records")

SCHEMA = Schema(
    (
        Column("id", "VARCHAR", doc="md5 of model, origin, position and rule: the same record is never listed twice"),
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

    `relation` is a relation name or a parenthesised query; the others are expressions over its columns.
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


def insert_rejects(rejects: Rejects) -> str:
    """The INSERT that moves them into quarantine; its count is the number quarantined."""
    model = literal(str(rejects.model))
    identity = (
        f"md5(concat_ws('|', {model}, coalesce({rejects.origin}, ''), coalesce(({rejects.position})::VARCHAR, ''), "
        f"{rejects.rule}))"
    )
    expressions = (
        identity,
        model,
        literal(rejects.kind),
        rejects.rule,
        rejects.value,
        rejects.reason,
        rejects.raw,
        rejects.content_path,
        rejects.origin,
        rejects.position,
        rejects.load,
        literal(rejects.step),
        rejects.at,
    )
    columns = ", ".join(quote(name) for name in SCHEMA.names)
    return f'INSERT INTO "lake".{RECORDS.quoted} ({columns}) SELECT {", ".join(expressions)} FROM {rejects.relation}'


def list_records(model: str | None, rule: str | None) -> str:
    """SELECT of the records in quarantine, newest first, optionally of one model or rule."""
    conditions = [f"{quote(name)} = {literal(given)}" for name, given in (("model", model), ("rule", rule)) if given]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM {RECORDS.quoted}{where} ORDER BY at DESC, model, origin, position, rule"


def one_record(identity: str) -> str:
    """SELECT of the records whose id begins with the given text."""
    return f"SELECT * FROM {RECORDS.quoted} WHERE starts_with(id, {literal(identity)}) LIMIT 2"
