"""Mending quarantined records: each mended version is kept beside the raw one, until it is replayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millpond.catalog.commits import Commit, LifeEvent
from millpond.catalog.staging import Stage
from millpond.core.clock import naive_utc
from millpond.core.encoding import decoded, encoded
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import Column
from millpond.engines.engine import Session
from millpond.ingest.keeping import keep_copy
from millpond.pipeline.graph import Graph
from millpond.pipeline.tracing import Place, record_columns, trace
from millpond.quality.edits import ID, PART, Assignments, Line, Record, changed
from millpond.quality.entries import Entry
from millpond.sql.mending import (
    REVISION_SCHEMA,
    REVISIONS,
    computed,
    insert_revisions,
    select_revisions,
    unreadable_value,
)

if TYPE_CHECKING:
    from millpond.governance.gate import Gate
    from millpond.pipeline.workbench import Workbench


@frozen
class Part:
    """One bronze row that a quarantined record stands for: where it lies, and what it says by now."""

    entry: Entry
    part: int
    place: Place
    record: Record


@frozen
class Mended:
    """What a mending did: its commit (None where nothing changed), the entries that it mended, and those it left."""

    number: int | None
    entries: tuple[Entry, ...]
    unchanged: tuple[Entry, ...] = ()


def parts(session: Session, stage: Stage, graph: Graph, entries: Sequence[Entry]) -> tuple[Part, ...]:
    """The bronze rows that the records stand for, as received or as last mended, in order.

    Raises QualityError MP-6121 for a record that has none.
    """
    places = trace(session, stage, graph, entries)
    revised = revisions(session, stage, entries)
    found = []
    for entry in entries:
        here = places[entry.id]
        if not here or not all(place.origin for place in here):
            raise QualityError(
                "MP-6121",
                f"the record {entry.id[:8]} is no longer in bronze, so that nothing is there to be mended",
                next_step="it heals with the next run, or when its table is built anew",
            )
        for number, place in enumerate(here, start=1):
            known = revised.get((entry.id, number))
            raw = known["raw"] if known else place.raw
            found.append(Part(entry, number, place, decoded(raw or "{}")))
    return tuple(found)


def revisions(session: Session, stage: Stage, entries: Sequence[Entry]) -> dict[tuple[str, int], dict[str, Any]]:
    """The newest revision of each record that has one, by id and part."""
    told = [(entry.id, entry.life.revision) for entry in entries if entry.life.revision is not None]
    if not told or stage.find(REVISIONS) is None:
        return {}
    rows = session.rows(select_revisions(), [list(column) for column in zip(*told, strict=True)])
    names = REVISION_SCHEMA.names[:-3]
    return {(row[0], row[2]): dict(zip(names, row, strict=True)) for row in rows}


class Mender:
    """Mends records, in one commit for all that are mended together."""

    def __init__(self, bench: Workbench, graph: Graph, gate: Gate) -> None:
        self._bench = bench
        self._graph = graph
        self._gate = gate

    def assign(self, entries: Sequence[Entry], said: Assignments) -> Mended:
        """Set columns of records, to texts or to what expressions give.

        Raises QualityError MP-6121 for what cannot be traced to bronze, MP-6122 for a column that is none, MP-6123 for
        a value that its column cannot hold; as the gate does for an expression.
        """

        def edit(session: Session, stage: Stage) -> list[tuple[Part, Record]]:
            found = parts(session, stage, self._graph, entries)
            given = self._computed(stage, found, said.expressions)
            return [
                (part, changed(part.record, {**said.values, **values}, _names(stage, part.place.table)))
                for part, values in zip(found, given, strict=True)
            ]

        return self._mend(entries, edit)

    def edit(self, entries: Sequence[Entry], lines: Sequence[Line]) -> Mended:
        """Take over edited records; those that say what they said before are left as they are. Raises as `assign`."""
        said = {(line.id, line.part): line for line in lines}

        def edit(session: Session, stage: Stage) -> list[tuple[Part, Record]]:
            found = parts(session, stage, self._graph, entries)
            known = {(part.entry.id, part.part) for part in found}
            for odd in (line for key, line in said.items() if key not in known):
                raise QualityError(
                    "MP-6126",
                    f"the record {odd.id} has no part {odd.part}",
                    next_step="begin with what `millpond quarantine show --raw` prints",
                    where=odd.where,
                )
            edited = []
            for part in found:
                line = said.get((part.entry.id, part.part))
                fields, where = (line.fields, line.where) if line is not None else ({}, None)
                edited.append((part, changed(part.record, fields, _names(stage, part.place.table), where)))
            return edited

        return self._mend(entries, edit)

    def replace_file(self, entry: Entry, content: Path) -> Mended:
        """Give a quarantined file other bytes."""
        kept = keep_copy(content, Path(self._bench.catalog.warehouse.root))
        row = (entry.id, _next(entry), 1, None, None, str(kept), str(entry.raw_of), entry.origin, None, None)
        return self._publish((entry,), lambda _session, _stage: [row])

    def _mend(self, entries: Sequence[Entry], edit: Any) -> Mended:
        unchanged: list[Entry] = []

        def rows(session: Session, stage: Stage) -> list[tuple[Any, ...]]:
            edited: list[tuple[Part, Record]] = edit(session, stage)
            moved = {part.entry.id for part, record in edited if _texts(record) != _texts(part.record)}
            unchanged.extend(entry for entry in entries if entry.id not in moved)
            edited = [pair for pair in edited if pair[0].entry.id in moved]
            _check_values(session, stage, edited)
            return [_row(part, record) for part, record in edited]

        mended = self._publish(entries, rows)
        left = {entry.id for entry in unchanged}
        return Mended(mended.number, tuple(entry for entry in entries if entry.id not in left), tuple(unchanged))

    def _publish(self, entries: Sequence[Entry], rows: Any) -> Mended:
        bench = self._bench
        key = bench.step_key(REVISIONS)
        stage = bench.catalog.begin(key)
        try:
            with bench.engine.session(bench.endpoint, stage.token) as session:
                made = rows(session, stage)
                if not made:
                    return Mended(None, (), tuple(entries))
                if stage.find(REVISIONS) is None:
                    stage.create_table(REVISIONS, REVISION_SCHEMA)
                at = naive_utc(bench.clock.now())
                lists = [list(column) for column in zip(*made, strict=True)]
                session.execute(insert_revisions(bench.principal, key, at), lists)
            lives = tuple(_fixed(entry) for entry in entries if entry.id in {row[0] for row in made})
            commit = Commit(key, "fix", bench.principal, bench.run, table=REVISIONS, lives=lives)
            return Mended(stage.publish(commit).number, tuple(entries))
        finally:
            stage.discard()

    def _computed(self, stage: Stage, found: Sequence[Part], expressions: Mapping[str, str]) -> list[Record]:
        """What the expressions give for each part, asked through the gate."""
        given: list[Record] = [{} for _ in found]
        if not expressions:
            return given
        for table in sorted({part.place.table for part in found}):
            columns = record_columns(stage, table)
            numbers = [number for number, part in enumerate(found) if part.place.table == table]
            texts = [[text_of(found[number].record.get(column.name)) for number in numbers] for column in columns]
            changed({}, expressions, _names(stage, table))
            sql = computed(columns, tuple(expressions.values()))
            with self._gate.query(
                sql, self._bench.principal, door="quarantine", parameters=[numbers, *texts]
            ) as answer:
                rows = [tuple(row.values()) for batch in answer.reader for row in batch.to_pylist()]
            if sorted(row[0] for row in rows) != numbers:
                raise QualityError(
                    "MP-6122",
                    "an expression must give one value for each record",
                    next_step="write it over the columns of one record, without aggregates and unnest",
                )
            for number, *values in rows:
                given[number] = dict(zip(expressions, values, strict=True))
        return given


def _names(stage: Stage, table: TableName) -> tuple[str, ...]:
    return tuple(column.name for column in record_columns(stage, table))


def _next(entry: Entry) -> int:
    return (entry.life.revision or 0) + 1


def _fixed(entry: Entry) -> LifeEvent:
    return entry.life.becomes("fixed", REVISIONS, revision=_next(entry))


def _row(part: Part, record: Record) -> tuple[Any, ...]:
    place = part.place
    where = (str(place.table), place.origin, place.position, place.load)
    replaced = place.raw if place.load is not None else None
    return (part.entry.id, _next(part.entry), part.part, encoded(record), replaced, None, *where)


def text_of(value: Any) -> str | None:
    """A field as the text that its column is read from: nested values as JSON."""
    if value is None or isinstance(value, str):
        return value
    return encoded(value)


def _texts(record: Record) -> Record:
    return {name: text for name, value in record.items() if (text := text_of(value)) is not None}


def _check_values(session: Session, stage: Stage, edited: Iterable[tuple[Part, Record]]) -> None:
    """Raise QualityError MP-6123 where a changed value is none that its column can hold."""
    changes: dict[tuple[TableName, Column], list[str | None]] = {}
    for part, record in edited:
        for column in record_columns(stage, part.place.table):
            text = text_of(record.get(column.name))
            if column.type != "VARCHAR" and text != text_of(part.record.get(column.name)):
                changes.setdefault((part.place.table, column), []).append(text)
    for (table, column), texts in changes.items():
        wrong = session.rows(unreadable_value(column), [texts])
        if wrong:
            raise QualityError(
                "MP-6123",
                f"{wrong[0][0]!r} is no value of the column {column.name!r} of {table}, which is {column.type}",
                next_step="write it as the column holds it",
            )


def raw_lines(found: Sequence[Part], columns: Mapping[TableName, Sequence[str]]) -> list[Record]:
    """The records as they may be edited: whose each is, why it was rejected, then its fields."""
    several = {part.entry.id for part in found if part.part > 1}
    lines = []
    for part in found:
        told: Record = {ID: part.entry.id}
        if part.entry.id in several:
            told[PART] = part.part
        told |= {"_rule": part.entry.rule, "_value": part.entry.value}
        told |= {"_origin": part.place.origin, "_position": part.place.position}
        if part.entry.kind == "record":
            told["_raw"] = part.entry.raw
        lines.append(told | dict.fromkeys(columns[part.place.table]) | part.record)
    return lines
